"""What came out of a comparison: an entry for each method on each map."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ptde.config import load_run
from ptde.distill.config import DistillConfig
from ptde.jobs.record import Record, Row, beside
from ptde.methods import METHODS, Method
from ptde.report.result import load_result

WINS = "win rate"
"""Measured in most worlds; returns are shown beside it."""


@dataclass
class Entry:
    """What one method did on one map."""

    seeds: list[float] = field(default_factory=list)
    """Final win rate of each seed."""
    returns: list[float] = field(default_factory=list)
    """Its mean return."""
    teacher: list[float] = field(default_factory=list)
    """Of a student: its teacher's."""
    episodes: int = 0
    steps: int = 0
    spoken: list[float] = field(default_factory=list)
    """Of each seed: the share of its run's agent-steps at which the centre spoke."""
    measure: str = WINS
    """What the numbers above are in this world."""
    records: list[tuple[range, list[Row]]] = field(default_factory=list)
    """Of each run: its seeds, and its tests in stage 1; a student of stage 2 has none."""
    distillations: list[list[Row]] = field(default_factory=list)
    """Of each run of a student of stage 2: the rows of that stage."""
    student: DistillConfig = field(default_factory=DistillConfig)
    """How it learnt there."""

    @property
    def communication(self) -> float:
        """Share of agent-steps at which the centre spoke to an agent: the seeds' mean."""
        return float(np.mean(self.spoken)) if self.spoken else 0.0

    def add(self, folder: Path, method: Method) -> None:
        """One more finished run; its seeds join those that are there."""
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
        self.student = run.student
        self.records.append((numbers, rows if method.role == "teacher" else beside(rows)))
        if method.role == "student":
            stage2 = Record(folder / "student" / "record.jsonl").rows()
            self.distillations += [stage2] if stage2 else []

    def curves(self) -> Iterator[tuple[int, int, list[Row]]]:
        """Each seed in the order of ``seeds``: number, place in its record, the rows."""
        for numbers, rows in self.records:
            for place, number in enumerate(numbers):
                yield number, place, rows


Entries = Mapping[str, Mapping[str, Entry]]
"""By method, then by map."""


def gather(folders: Mapping[str, Iterable[tuple[str, Path]]]) -> Entries:
    """Entries from run folders: for each method, (map, folder) of its finished runs."""
    entries: dict[str, dict[str, Entry]] = {}
    for name, runs in folders.items():
        for where, folder in runs:
            entry = entries.setdefault(name, {}).setdefault(where, Entry())
            entry.add(folder, METHODS[name])
    return entries


def measure_of(entries: Entries) -> str:
    """What the numbers of a comparison are."""
    names = {e.measure for by_map in entries.values() for e in by_map.values()}
    return " or ".join(sorted(names)) or WINS
