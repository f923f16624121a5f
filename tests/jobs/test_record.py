import json

import pytest

from ptde.jobs.record import Record

ROWS = [{"steps": n, "joint_steps": n, "seconds": 0.1} for n in (1, 2, 3)]


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
