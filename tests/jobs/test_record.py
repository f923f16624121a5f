import json

import pytest

from ptde.jobs.record import Record, joined, part


def row_at(steps, won=(0.5, 1.0)):
    counts = {"steps": steps, "joint_steps": steps, "seconds": 0.1}
    return {**counts, "win_rate": list(won), "return": list(won)}


ROWS = [row_at(n) for n in (1, 2, 3)]


def but(**changes):
    """A row's line with other values; without those that are None."""
    row = {**row_at(2), **changes}
    return json.dumps({name: x for name, x in row.items() if x is not None}).encode()


def written(tmp_path, lines, end="\n"):
    record = Record(tmp_path / "record.jsonl")
    record.path.write_bytes(b"\n".join(lines) + end.encode())
    return record


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b'{"steps": 2, ', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1, 2]", "no row of names"),
        (b"null", "no row of names"),
        (b'{"seconds": 1}', "at how many steps"),
        (b'{"steps": "two"}', "at how many steps"),
        (b"[" * 100_000, "not JSON"),
        (but(joint_steps=None), "at how many joint_steps"),
        (but(steps=10**400), "at how many steps"),
        (but(seconds="soon"), "seconds are no number"),
        (but(win_rate=None), "no list of win_rate"),
        (but(win_rate=[]), "no list of win_rate"),
        (but(win_rate="high"), "no list of win_rate"),
        (but(**{"return": None}), "no list of return"),
        (but(loss=[1.0]), "loss is not one number for each seed"),
        (but(win_rate=[0.5, "high"]), "win_rate is not one number for each seed"),
        (but(win_rate=[0.5, 10**400]), "win_rate is not one number for each seed"),
        (json.dumps(row_at(2, [0.5])).encode(), "another number of seeds than the first"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_kept(tmp_path, capsys, bad, why):
    lines = [json.dumps(row).encode() for row in ROWS]
    record = written(tmp_path, [lines[0], bad, *lines[1:]])
    assert record.rows() == ROWS
    said = capsys.readouterr().err
    assert f"{record.path}, line 2 is left out" in said
    assert why in said
    assert record.cut(2) == ROWS[:2]
    assert record.rows() == ROWS[:2]


def test_an_unfinished_last_line_is_no_news(tmp_path, capsys):
    record = written(tmp_path, [json.dumps(ROWS[0]).encode(), b'{"steps": 2, "sec'], end="")
    assert record.rows() == ROWS[:1]
    record.cut(5)
    record.append(ROWS[1])
    assert record.rows() == ROWS[:2]
    assert not capsys.readouterr().err


def test_no_record_has_no_rows(tmp_path):
    assert Record(tmp_path / "record.jsonl").rows() == []


def test_seeds_are_joined_at_the_steps_that_all_runs_have():
    one = [row_at(10, [0.1]), row_at(20, [0.2]), row_at(30, [0.3])]
    late = [row_at(20, [0.7]), row_at(30, [0.8])]  # its record was lost at 10
    for records, won in (([one, late], [0.2, 0.7]), ([late, one], [0.7, 0.2])):
        rows = joined(records)
        assert [row["steps"] for row in rows] == [20, 30]
        assert rows[0]["win_rate"] == won


def test_a_part_of_the_seeds_is_all_that_was_measured_of_them():
    (row,) = part([row_at(10, [0.1, 0.2, 0.3])], slice(1, 3))
    assert row == row_at(10, [0.2, 0.3])
