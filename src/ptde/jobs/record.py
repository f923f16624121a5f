"""The record of a training: a file with one line, a JSON object, for each period."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ptde.files import write_whole, writing
from ptde.types import RETURN

Row = dict[str, Any]
LARGEST = 2**53
"""The largest whole number in a row: a double has no more of them one by one."""


def beside(rows: list[Row]) -> list[Row]:
    """The tests of a student that learnt beside its teacher, as rows of a record.

    Empty if the student learnt after its teacher, or if an older version wrote the rows,
    without the student's returns.
    """
    if not all("student_return" in row for row in rows):
        return []
    return [
        {**row, "win_rate": row["student_win_rate"], "return": row["student_return"]}
        for row in rows
    ]


def reached_text(row: Row, measure: str) -> str:
    """What a test has shown, for a line of progress."""
    rate = "" if measure == RETURN else f"{measure} {np.mean(row['win_rate']):.2f}  "
    return f"{rate}return {np.mean(row['return']):.3g}"


def joined(records: Sequence[list[Row]]) -> list[Row]:
    """The records of several runs as one: seeds side by side, at the steps that all have,
    as one that was lost begins late.
    """

    def join(rows: list[Row]) -> Row:
        lists = [name for name, value in rows[0].items() if isinstance(value, list)]
        every = {name: [x for row in rows for x in row[name]] for name in lists}
        return {**rows[0], **every}

    runs = [{row["steps"]: row for row in rows} for rows in records]
    shared = lambda steps: all(steps in run for run in runs)
    return [join([run[s] for run in runs]) for s in (runs[0] if runs else ()) if shared(s)]


def part(rows: list[Row], seeds: slice) -> list[Row]:
    """The rows with some of their seeds alone, by their index."""
    return [
        {name: x[seeds] if isinstance(x, list) else x for name, x in row.items()}
        for row in rows
    ]


def _row(line: str) -> Row:
    """The row of a line. ValueError if it is not one, or lacks what every row has."""
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError("it is no row of names and values")
    for name in ("steps", "joint_steps"):
        if type(row.get(name)) is not int or abs(row[name]) > LARGEST:
            raise ValueError(f"it does not say at how many {name} it was measured")
    if not _is_number(row.get("seconds", 0.0)):
        raise ValueError("its seconds are no number")
    lists = {name: value for name, value in row.items() if isinstance(value, list)}
    for name in ("win_rate", "return"):
        if not lists.get(name):
            raise ValueError(f"it has no list of {name}")
    for name, value in lists.items():
        if len(value) != len(row["win_rate"]) or not all(map(_is_number, value)):
            raise ValueError(f"{name} is not one number for each seed")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (type(value) is int and abs(value) <= LARGEST)


class Record:
    """Appends rows to a file; a resumed training cuts it back to its checkpoint.

    Every row has ``steps`` (of the stage), ``joint_steps`` (of all stages so far) and
    ``seconds`` (since its start); measured values, ``win_rate`` and ``return`` among them,
    are lists with one entry for each seed.
    """

    def __init__(self, path: Path):
        self.path = path

    def rows(self) -> list[Row]:
        """All rows. An invalid line is reported on standard error and left out; a last line
        that a killed run left unfinished is left out silently.
        """
        text = self.path.read_text(errors="replace") if self.path.is_file() else ""
        lines = text.split("\n")
        rows: list[Row] = []
        for number, line in enumerate(lines, 1):
            try:
                row = _row(line)
                if rows and len(row["win_rate"]) != len(rows[0]["win_rate"]):
                    raise ValueError("it is of another number of seeds than the first")
                rows.append(row)
            except ValueError as error:
                if number < len(lines) and line.strip():
                    print(
                        f"{self.path}, line {number} is left out: {error}", file=sys.stderr
                    )
        return rows

    def cut(self, steps: int) -> list[Row]:
        """Drops the rows after ``steps``, and returns the others."""
        rows = [row for row in self.rows() if row["steps"] <= steps]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in rows))
        return rows

    def append(self, row: Row) -> None:
        """Appends one row to the file."""
        line = json.dumps(row) + "\n"
        with writing(self.path, len(line)), self.path.open("a") as file:
            file.write(line)
