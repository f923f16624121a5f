"""The record of a training: a file with one line, a JSON object, for each period."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptde.files import write_whole, writing

Row = dict[str, Any]


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


def joined(records: Sequence[list[Row]]) -> list[Row]:
    """The records of several runs as one: seeds side by side, as far as all runs go."""

    def join(rows: tuple[Row, ...]) -> Row:
        lists = [name for name, value in rows[0].items() if isinstance(value, list)]
        every = {name: [x for row in rows for x in row[name]] for name in lists}
        return {**rows[0], **every}

    return [join(rows) for rows in zip(*records, strict=False)]


def _row(line: str) -> Row:
    """The row of a line. ValueError if it is not one."""
    try:
        row = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise ValueError("it is no row of names and values")
    steps = row.get("steps")
    if not isinstance(steps, int) or isinstance(steps, bool):
        raise ValueError("it does not say at how many steps it was measured")
    return row


class Record:
    """Appends rows to a file; a resumed training cuts it back to its checkpoint.

    Every row has ``steps`` (of the stage), ``joint_steps`` (of all stages so far) and
    ``seconds`` (since its start); measured values are lists with one entry for each seed.
    """

    def __init__(self, path: Path):
        self.path = path

    def rows(self) -> list[Row]:
        """All rows. An invalid line is reported on standard error and left out; a last line
        that a killed run left unfinished is left out silently.
        """
        text = self.path.read_text(errors="replace") if self.path.is_file() else ""
        lines, rows = text.split("\n"), []
        for number, line in enumerate(lines, 1):
            try:
                rows.append(_row(line))
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
