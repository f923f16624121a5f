"""The schema of logged rows, the same for all loggers."""

from numbers import Real
from typing import Any

import numpy as np

from ptde.jobs.record import Row
from ptde.log.base import LogRow

X_AXIS = "joint_steps"


def log_row(role: str, row: Row, first_seed: int) -> LogRow:
    """A row of a stage's record as numbers whose names begin with the stage's.

    Args:
        role: teacher, student, finetuned or baseline.
        row: a row of ``record.jsonl``; measures are lists with one entry for each seed.
        first_seed: the seed of the first entries.

    Returns:
        ``joint_steps`` of all stages so far, and each measure's mean over the seeds, as
        ``teacher/win_rate``; of several seeds, each as well: ``teacher/win_rate/seed_3``.
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
    """The entries as numbers, one for each seed, or None if one is something else."""
    fits = value and all(isinstance(entry, Real) for entry in value)
    return [float(entry) for entry in value] if fits else None
