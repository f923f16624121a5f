"""The one schema of what is logged."""

from numbers import Real
from typing import Any

import numpy as np

from ptde.jobs.record import Row
from ptde.log.base import LogRow

X_AXIS = "joint_steps"


def log_row(role: str, row: Row, first_seed: int) -> LogRow:
    """A row of a stage's record as numbers with the stage's name before theirs.

    Args:
        role: teacher, student, finetuned or baseline.
        row: of ``record.jsonl``; measures are lists with one entry for each seed.
        first_seed: the seed that the first entries are of.

    Returns:
        ``joint_steps`` of all stages so far, and each measure's mean over the seeds, as
        ``teacher/win_rate``; with several seeds theirs, too: ``teacher/win_rate/seed_3``.
    """
    numbers: dict[str, int | float] = {X_AXIS: row[X_AXIS]}
    for name, value in row.items():
        if name == X_AXIS:
            continue
        label = f"{role}/{name}"
        if not isinstance(value, list):
            if isinstance(value, Real):
                numbers[label] = float(value)
            continue
        entries = _numbers(value)
        if entries is None:
            continue
        numbers[label] = float(np.mean(entries))
        if len(entries) > 1:
            for i, entry in enumerate(entries):
                numbers[f"{label}/seed_{first_seed + i}"] = entry
    return numbers


def _numbers(value: list[Any]) -> list[float] | None:
    """One number a seed, or None where an entry is something else."""
    fits = value and all(isinstance(entry, Real) for entry in value)
    return [float(entry) for entry in value] if fits else None
