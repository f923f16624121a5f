"""Parts of the user's own take the place of a name, in every command and in Python."""

import dataclasses
import json
import sys

import jax
import numpy as np
import pytest
from tests.documents import EXAMPLES, ROOT, fenced

from ptde import build, parts
from ptde.cli import main
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.info import INFOS
from ptde.run_json import load_run, run_from

OWN = {
    "info": "my_info:Attention,parts=3",
    "mixer": "my_mixer:WeightedSum",
    "student.network": "my_student:Window,steps=3",
    "student.objective": "my_objective:Imitation,smooth=0.1",
    "algo": "my_learner:ippo,epochs=2",
}

SMALL = """
    --steps 32 --envs 2 --segment 16 --hidden 8 --z 4 --test-every 32 --test-episodes 4
    --episodes 4 --student.batch 2 --student.hidden 8
    --student.tests 1 --student.test-episodes 4
"""


@pytest.fixture
def here(monkeypatch):
    """As in the folder of the examples."""
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.syspath_prepend(str(EXAMPLES))


def test_a_name_stands_for_what_the_registry_has():
    assert parts.find("info", "gip", INFOS) is INFOS["gip"]
    with pytest.raises(ValueError, match="did you mean --info gip"):
        parts.check_part("info", "gipp", INFOS)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("my_info:Attention,pieces=3", "has no option 'pieces': did you mean parts?"),
        ("my_info:Attention,parts", "type module:callable, and its options behind it"),
        ("my_info:Atention", "has no 'Atention': type --info my_info:NAME"),
        ("no_such_module:Part", "cannot import 'no_such_module'"),
        ("my_info:sys", "is a module: name a class or function"),
        (":Part", "is no part: type module:callable"),
    ],
)
def test_what_is_no_part_is_refused_with_what_to_type(here, name, says):
    with pytest.raises(ValueError) as error:
        parts.find("info", name, INFOS)
    assert says in str(error.value)


def test_a_part_whose_module_raises_is_refused_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "bad_part.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ValueError, match=r"^--info bad_part:Part: .*it raised ZeroDiv.*$"):
        parts.find("info", "bad_part:Part", INFOS)


def test_a_config_names_a_part_and_does_not_import_it():
    run = Run(info="no_such_module:Part", algo="no_such_module:learner")
    assert run.method == "LEARNER_PART"
    assert run_from(json.loads(json.dumps(run.to_json()))) == run
    with pytest.raises(ValueError, match="cannot import 'no_such_module'"):
        build.learner(run, build.world(Run(world="probe", map="state")).spec)


def test_options_reach_the_part(here):
    made = parts.find("info", OWN["info"], INFOS)
    spec = build.world(Run(world="probe", map="state")).spec
    module = made(spec, Run().info_config, key=jax.random.key(0))
    assert module.parts == 3


def test_help_shows_a_parts_own_options(here, capsys):
    with pytest.raises(SystemExit):
        main(["run", "--info", "my_info:Attention", "--help"])
    shown = capsys.readouterr().out
    assert "my_info:Attention: z_i = softmax(query(O_i)" in shown
    assert "typed as --info my_info:Attention,parts=8" in shown


@pytest.mark.slow
@pytest.mark.parametrize("option", OWN)
def test_a_run_with_a_part_of_ones_own_goes_to_its_end(option, here, tmp_path):
    """Taught, distilled, tested, and read back from its folder."""
    words = ["run", "env:probe", "--map", "personal", f"--{option}", OWN[option]]
    words += SMALL.split()
    if option != "algo":
        words += ["--buffer", "8", "--batch", "2", "--finetune.share", "0"]
    folder = tmp_path / "run"
    assert main([*words, "--out", str(folder)]) == 0
    run = load_run(folder)[0]
    assert OWN[option] in (
        run.info,
        run.mixer,
        run.algo,
        run.student.network,
        run.student.objective,
    )
    result = json.loads((folder / "result.json").read_text())
    assert np.isfinite(result["student"]["return"])
    assert main(["evaluate", str(folder), "--episodes", "4"]) == 0
    held = RunFolder(folder)
    team = held.model(held.decentralised, build.world(run))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(team))


def test_a_learner_of_ones_own_has_no_third_stage():
    run = Run(algo="my_learner:ippo")
    assert run.stages.finetune == 0 and run.stages.distil > 0
    with pytest.raises(ValueError, match="ippo keeps none"):
        dataclasses.replace(run, student=dataclasses.replace(run.student, data="replay"))


def test_the_students_window_remembers_as_it_steps(here):
    """Unrolling is stepping, and an episode's start forgets."""
    make = parts.find("student.network", OWN["student.network"], {})
    student = make(5, 2, 8, key=jax.random.key(0))
    local = jax.random.normal(jax.random.key(1), (3, 6, 2, 5))
    first = np.zeros((3, 6), bool)
    first[1, 4] = True
    unrolled = student.unroll(local, first)
    for copy in range(3):
        carry = student.start(1, 2)
        for t in range(6):
            if first[copy, t]:
                carry = student.start(1, 2)
            carry, z = student.step(carry, local[copy : copy + 1, t])
            np.testing.assert_allclose(z[0], unrolled[copy, t], atol=1e-6)


def test_the_page_shows_lines_of_the_examples():
    code = "".join(path.read_text() for path in EXAMPLES.glob("my_*.py"))
    blocks = fenced(ROOT / "docs" / "extending.md", "python")
    assert len(blocks) == 6 and all(len(block.splitlines()) <= 30 for block in blocks)
    for block in blocks:
        assert all(line in code for line in block.splitlines())
