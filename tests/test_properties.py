"""Whatever stands in a file or is typed: a team, or a ValueError in plain words."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ptde.compare.plan_file import read_plan
from ptde.config import Run, flag
from ptde.envs.ranking import Preparation, read_letor
from ptde.envs.ranking.rows import parse_block, parse_lines
from ptde.folder import RunFolder
from ptde.jobs.record import Record
from ptde.options import flatten, put
from ptde.processes.adapters.adapt import load
from ptde.run_json import FORMAT, load_run
from ptde.trust import TARGET, check_target, split_words

MANY = int(os.environ.get("PTDE_EXAMPLES", 0))
"""Examples of each property in a campaign (`python -m campaigns.properties`)."""

few = settings(
    max_examples=MANY or 40,
    derandomize=not MANY,  # the same examples everywhere
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NUMBERS = st.floats(-(2.0**99), 2.0**99, width=32)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 10**30),
        st.dictionaries(st.integers(1, 12), NUMBERS | st.none(), max_size=5),
    ),
    min_size=1,
    max_size=12,
)


def letor(rows):
    """Rows as a file holds them, query by query."""
    lines = []
    for label, query, features in sorted(rows, key=lambda row: row[1]):
        values = sorted(features.items())
        words = [f"{i}:{'NULL' if x is None else repr(float(x))}" for i, x in values]
        lines.append(" ".join([str(label), f"qid:{query}", *words]))
    return ("\n".join(lines) + "\n").encode()


@few
@given(ROWS)
def test_every_file_that_is_right_is_read(tmp_path, rows):
    path = tmp_path / f"{abs(hash(str(rows)))}.txt"
    path.write_bytes(letor(rows))
    (queries,) = read_letor(path, 12, cache=tmp_path / "cache")
    rows = sorted(rows, key=lambda row: row[1])
    assert queries.labels.tolist() == [label for label, _, _ in rows]
    assert queries.ids.tolist() == [str(q) for q in dict.fromkeys(q for _, q, _ in rows)]
    for row, (_, _, features) in zip(queries.features, rows, strict=True):
        for i, value in features.items():
            got = row[i - 1]
            assert math.isnan(got) if value is None else got == np.float32(value)
    assert queries.missing == sum(x is None for _, _, f in rows for x in f.values())


@few
@given(ROWS, st.data())
def test_a_file_that_was_spoilt_is_read_or_named_by_its_line(tmp_path, rows, data):
    text = bytearray(letor(rows))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at] = data.draw(st.sampled_from(b"\x00:#qN .-e9\n\xff"))
    path = tmp_path / "spoilt.txt"
    path.write_bytes(text)
    try:
        (queries,) = read_letor(path, cache=tmp_path / "cache")
    except ValueError as error:
        assert "spoilt.txt" in str(error)
    else:
        assert len(queries.labels) == queries.starts[-1]


@few
@given(ROWS)
def test_a_block_is_what_its_lines_are(rows):
    block = letor(rows)
    fast, slow = parse_block(block), parse_lines(Path("x"), 1, block, 0)
    assume(fast is not None)
    for a, b in zip(fast, slow, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path


@few
@given(JSON)
def test_any_run_json_is_a_line_with_the_file(folder, data):
    (folder / "run.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"run\.json"):
        load_run(folder)


@few
@given(st.sampled_from(sorted(flatten(Run(world="probe")))), JSON)
def test_any_field_of_run_json_is_taken_or_named(folder, name, value):
    data = {"format": FORMAT, "goal": "run", "run": Run(world="probe").to_json()}
    group, _, field = name.rpartition(".")
    (data["run"][group] if group else data["run"])[field] = value
    (folder / "run.json").write_text(json.dumps(data))
    try:
        run, _ = load_run(folder)
    except ValueError as error:
        assert "run.json" in str(error) or str(folder) in str(error)
    else:
        assert flatten(run)[name] == value


@few
@given(
    st.sampled_from(
        [n for n, v in flatten(Run(world="probe")).items() if type(v) in (int, float)]
    ),
    st.integers() | st.floats(),
)
def test_any_number_is_taken_or_refused_with_its_option(name, value):
    default = flatten(Run(world="probe"))[name]
    value = float(min(value, 10**300)) if isinstance(default, float) else value
    assume(isinstance(default, float) or isinstance(value, int))
    try:
        run = put(Run(world="probe"), {name: value})
    except ValueError as error:
        assert flag(name) in str(error) or "--" in str(error)
    else:
        assert flatten(run)[name] == value
        assert math.isfinite(value)


ENTRIES = ["methods", "maps", "seeds", "steps", "run", "paper", "x"]
TOML = st.sampled_from(["3", '"x"', "[1]", "[]", "true", "1.5", "{a = 1}", '["3m"]', "-1"])


@few
@given(st.dictionaries(st.sampled_from(ENTRIES), TOML))
def test_any_plan_is_a_line_with_the_file(tmp_path, entries):
    path = tmp_path / "plan.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in entries.items()))
    with pytest.raises(ValueError, match=r"plan\.toml"):
        read_plan(path, lambda words: Run())


@few
@given(st.binary(max_size=60))
def test_any_bytes_are_a_plan_or_a_line_with_the_file(tmp_path, data):
    (tmp_path / "plan.toml").write_bytes(data)
    with pytest.raises(ValueError, match=r"plan\.toml"):
        read_plan(tmp_path / "plan.toml", lambda words: Run())


@few
@given(st.lists(st.binary(max_size=20) | JSON.map(lambda x: json.dumps(x).encode())))
def test_any_record_gives_rows_with_steps(tmp_path, lines):
    record = Record(tmp_path / "record.jsonl")
    record.path.write_bytes(b"\n".join(lines))
    rows = record.cut(10**9)
    assert all(isinstance(row["steps"], int) for row in rows)
    assert record.rows() == rows or any(x != x for row in rows for x in row.values())


@few
@given(JSON)
def test_any_preparation_is_read_or_names_its_field(data):
    whole = {"features": 2, "kept": [0], "logarithmic": [True], "mean": [0.0]}
    for name in ("features", "kept", "logarithmic", "mean", "deviation"):
        try:
            made = Preparation.from_json({**whole, "deviation": [1.0], name: data})
        except ValueError as error:
            assert "field '" in str(error)
        else:
            width = max(made.kept) + 1  # ``features`` may be a number of any size
            assert np.isfinite(made(np.zeros((1, width)))).all()


@pytest.mark.parametrize(
    "data",
    [{"deviation": [0]}, {"deviation": [-1.0]}, {"mean": [10**400]}, {"mean": [1e301]}],
)
def test_a_preparation_that_would_show_nan_is_refused(data):
    whole = {"features": 2, "kept": [0], "logarithmic": [True], "mean": [0.0]}
    (name,) = data
    with pytest.raises(ValueError, match=f"field '{name}' is"):
        Preparation.from_json({**whole, "deviation": [1.0], **data})


@few
@given(st.text(max_size=20) | st.from_regex(TARGET, fullmatch=True))
def test_any_text_is_a_target_or_no_world(text):
    try:
        check_target(text)
    except ValueError as error:
        assert "module:callable" in str(error)
        with pytest.raises(ValueError, match="module:callable"):
            load(text)
    else:
        assert TARGET.fullmatch(text)
        words, targets = split_words([f"env:{text}", "x"])
        assert (words, targets) == (["x"], [text])
