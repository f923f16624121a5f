"""The results of a comparison: an entry for each method on each map."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ptde.config import load_run
from ptde.distill.config import DistillConfig
from ptde.folder import ROLES
from ptde.jobs.record import Record, Row, beside
from ptde.methods import METHODS, Method
from ptde.report.result import load_result

WINS = "win rate"
"""The measure of most worlds, beside which returns are shown."""


@dataclass
class Entry:
    """The results of one method on one map."""

    seeds: list[float] = field(default_factory=list)
    """Final win rate of each seed."""
    returns: list[float] = field(default_factory=list)
    """Mean return of each seed."""
    teacher: list[float] = field(default_factory=list)
    """Final win rates of a student's teacher."""
    episodes: int = 0
    steps: int = 0
    spoken: list[float] = field(default_factory=list)
    """Share of agent-steps with a message from the centre, for each seed."""
    measure: str = WINS
    """The name of the win rates in this world."""
    records: list[tuple[range, list[Row]]] = field(default_factory=list)
    """Seeds of each run, and its tests in stage 1; a student of stage 2 has no tests."""
    tests: list[tuple[range, list[Row]]] = field(default_factory=list)
    """Seeds of each run, and all tests of the method's team, whichever stage it learns in:
    ``steps`` and ``seconds`` count from the beginning of the run."""
    distillations: list[list[Row]] = field(default_factory=list)
    """Rows of stage 2 of each run, for students of that stage."""
    student: DistillConfig = field(default_factory=DistillConfig)
    """How the student learnt in stage 2."""

    @property
    def communication(self) -> float:
        """Share of agent-steps with a message from the centre, as the seeds' mean."""
        return float(np.mean(self.spoken)) if self.spoken else 0.0

    def add(self, folder: Path, method: Method) -> None:
        """Adds the seeds of one more finished run."""
        result = load_result(folder)
        score = result[method.role]
        if "returns" not in score:
            raise ValueError(
                f"{folder}/result.json lacks each seed's return (an older version wrote "
                f"it): type `ptde evaluate {folder}`"
            )
        self.seeds += score["seeds"]
        self.returns += score["returns"]
        if method.role == "student":
            self.teacher += result["teacher"]["seeds"]
        self.episodes += score["episodes"]
        self.steps = result["steps"]
        self.spoken += [score.get("communication", 0.0)] * len(score["seeds"])
        self.measure = result.get("measure", self.measure)
        rows = Record(folder / "teacher" / "record.jsonl").rows()
        run = load_run(folder)[0]
        numbers = range(run.seed, run.seed + len(score["seeds"]))
        self.student = run.stage_2
        self.records.append((numbers, rows if method.role == "teacher" else beside(rows)))
        self.tests.append((numbers, tests_of(folder, method.role)))
        if method.role == "student":
            stage2 = Record(folder / "student" / "record.jsonl").rows()
            self.distillations += [stage2] if stage2 else []

    def curves(self) -> Iterator[tuple[int, int, list[Row]]]:
        """Each seed, in the order of ``seeds``: number, index in its record, and rows."""
        for numbers, rows in self.records:
            for place, number in enumerate(numbers):
                yield number, place, rows


def tests_of(folder: Path, role: str) -> list[Row]:
    """The tests of a role while it learnt, in joint steps and seconds of the whole run."""
    rows = Record(folder / "teacher" / "record.jsonl").rows()
    if role == "student" and (online := beside(rows)):
        return online
    before = 0.0
    for stage in ROLES:
        rows = Record(folder / stage / "record.jsonl").rows()
        if stage == role:
            break
        before += rows[-1]["seconds"] if rows else 0.0
    whole = lambda row: {
        "steps": row.get("joint_steps", row["steps"]),
        "seconds": before + row["seconds"],
    }
    return [row | whole(row) for row in rows]


Entries = Mapping[str, Mapping[str, Entry]]
"""Entries by method, then by map."""


def gather(folders: Mapping[str, Iterable[tuple[str, Path]]]) -> Entries:
    """The entries of run folders: for each method, (map, folder) of its finished runs."""
    entries: dict[str, dict[str, Entry]] = {}
    for name, runs in folders.items():
        for where, folder in runs:
            entry = entries.setdefault(name, {}).setdefault(where, Entry())
            entry.add(folder, METHODS[name])
    return entries


def measure_of(entries: Entries) -> str:
    """The name of the win rates in the worlds of a comparison."""
    names = {e.measure for by_map in entries.values() for e in by_map.values()}
    return " or ".join(sorted(names)) or WINS
