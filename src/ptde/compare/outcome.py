"""The results of a comparison: an entry for each method on each map."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ptde.distill.config import DistillConfig
from ptde.files import shell
from ptde.folder import ROLES
from ptde.jobs.record import Record, Row, beside, part
from ptde.methods import METHODS, Method
from ptde.report.measure import counted, rates_in
from ptde.report.result import load_result
from ptde.run_json import load_run
from ptde.types import RETURN, WINS


@dataclass
class Entry:
    """The results of one method on one map."""

    seeds: list[float] = field(default_factory=list)
    """Final win rate of each seed."""
    returns: list[float] = field(default_factory=list)
    """Mean return of each seed."""
    teacher: list[float] = field(default_factory=list)
    """Final win rates of the teacher of a student, fine-tuned or not."""
    episodes: int = 0
    steps: int = 0
    """Joint steps until the method's own team was taught, by the last of the runs."""
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

    def add(self, folder: Path, method: Method, seeds: range | None = None) -> None:
        """Adds one more finished run: its seeds, or those of them that ``seeds`` names."""
        result, run = load_result(folder), load_run(folder)[0]
        role = method.role_in(run)
        score = result[role]
        if "returns" not in score:
            raise ValueError(
                f"{folder}/result.json lacks each seed's return (an older version wrote "
                f"it): type `ptde evaluate {shell(folder)}`"
            )
        all_of_it = range(run.seed, run.seed + len(score["seeds"]))
        numbers = all_of_it if seeds is None else overlap(all_of_it, seeds)
        mine = slice(numbers.start - run.seed, numbers.stop - run.seed)
        self.seeds += score["seeds"][mine]
        self.returns += score["returns"][mine]
        if role in ("student", "finetuned"):
            self.teacher += result["teacher"]["seeds"][mine]
        self.episodes += score["episodes"] * len(numbers) // len(all_of_it)
        self.spoken += [score.get("communication", 0.0)] * len(numbers)
        self.measure = result.get("measure", self.measure)
        self.student = run.stage_2
        rows = part(Record(folder / "teacher" / "record.jsonl").rows(), mine)
        self.records.append((numbers, rows if role == "teacher" else beside(rows)))
        tests = part(tests_of(folder, role), mine)
        self.tests.append((numbers, tests))
        self.steps = tests[-1]["steps"] if tests else result["steps"]
        if role == "student":
            stage2 = part(Record(folder / "student" / "record.jsonl").rows(), mine)
            self.distillations += [stage2] if stage2 else []

    def curves(self) -> Iterator[tuple[int, int, list[Row]]]:
        """Each seed, in the order of ``seeds``: number, index in its record, and rows."""
        return _each(self.records)

    def tested(self) -> Iterator[tuple[int, int, list[Row]]]:
        """The same with all tests of the method's team (``tests``) as rows."""
        return _each(self.tests)


def _each(runs: Iterable[tuple[range, list[Row]]]) -> Iterator[tuple[int, int, list[Row]]]:
    for numbers, rows in runs:
        for place, number in enumerate(numbers):
            yield number, place, rows


def overlap(one: range, other: range) -> range:
    """The numbers that are in both; with none, it is empty."""
    start = max(one.start, other.start)
    return range(start, max(start, min(one.stop, other.stop)))


def tests_of(folder: Path, role: str) -> list[Row]:
    """The tests of a role while it learnt, in joint steps and seconds of the whole run; a
    student may have learnt beside its teacher, and on after it.
    """
    rows = {stage: Record(folder / stage / "record.jsonl").rows() for stage in ROLES}
    spent = lambda row: row.get("seconds", 0.0)
    before = sum(spent(rows[s][-1]) for s in ROLES[: ROLES.index(role)] if rows[s])
    tests = [(0.0, row) for row in beside(rows["teacher"]) if role == "student"]
    tests += [(before, row) for row in rows[role]]
    return [
        {**row, "steps": row["joint_steps"], "seconds": begun + spent(row)}
        for begun, row in tests
    ]


Entries = Mapping[str, Mapping[str, Entry]]
"""Entries by method, then by map."""


def gather(
    folders: Mapping[str, Iterable[tuple[str, Path]]], seeds: range | None = None
) -> Entries:
    """The entries of run folders.

    Args:
        folders: for each method, (map, folder) of its finished runs.
        seeds: the seeds that count; None is all.
    """
    entries: dict[str, dict[str, Entry]] = {}
    for name, runs in folders.items():
        for where, folder in runs:
            entry = entries.setdefault(name, {}).setdefault(where, Entry())
            entry.add(folder, METHODS[name], seeds)
    return entries


def missing(
    entries: Entries, methods: Sequence[str], maps: Sequence[str], seeds: range
) -> str:
    """A note on the results that a plan asks for and that are not there; "" if all are."""
    lacking = []
    for name, where in itertools.product(methods, maps):
        runs = entries.get(name, {}).get(where, Entry()).records
        there = {seed for numbers, _ in runs for seed in numbers}
        if gone := [str(seed) for seed in seeds if seed not in there]:
            some = f" (seeds {', '.join(gone)})" if there else ""
            lacking.append(f"{METHODS[name].name} on {where}{some}")
    if not lacking:
        return ""
    return f"NOT ALL OF THE PLAN: no result yet of {'; '.join(lacking)}."


def measured(entries: Entries) -> Entries:
    """The entries with returns in place of win rates if no run has ever won an episode:
    some worlds do not say who wins, and every method is at 0 there.
    """
    every = [entry for by_map in entries.values() for entry in by_map.values()]
    tests = rates_in(rows for entry in every for _, rows in entry.tests)
    rates = itertools.chain((rate for entry in every for rate in entry.seeds), tests)
    if counted(measure_of(entries), rates) != RETURN:
        return entries
    as_return = lambda e: replace(e, seeds=e.returns, teacher=[], measure=RETURN)
    return {
        name: {where: as_return(entry) for where, entry in by_map.items()}
        for name, by_map in entries.items()
    }


def measure_of(entries: Entries) -> str:
    """The name of the win rates in the worlds of a comparison."""
    names = {e.measure for by_map in entries.values() for e in by_map.values()}
    return " or ".join(sorted(names)) or WINS
