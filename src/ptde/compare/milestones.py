"""Sample efficiency: joint steps to a test win rate, and the area under the learning curve.

Where every method wins in the end, these tell the methods apart.
"""

from collections.abc import Sequence

import numpy as np

from ptde.compare.outcome import Entries, Entry
from ptde.jobs.record import Row
from ptde.methods import METHODS
from ptde.report.curves import smooth

LEVELS = (0.5, 0.8, 0.9)
"""Test win rates whose first joint steps are reported."""

HOW_SOON = (
    "Joint steps of stage 1 at the first test at which the mean of the last five test win "
    "rates is as high: the median seed's (every seed's). Area under curve: the mean test "
    "win rate over stage 1."
)
"""The note below the table of milestones."""


def steps_to(rows: Sequence[Row], place: int, level: float) -> int | None:
    """Joint steps at the first test whose win rate, the mean of the last five tests, is at
    least ``level``; None if none is. ``place`` is the seed's index in the record.
    """
    rates = smooth(np.array([row["win_rate"][place] for row in rows])[:, None])[:, 0]
    passed = np.flatnonzero(rates >= level - 1e-9)
    return rows[passed[0]]["steps"] if len(passed) else None


def area(rows: Sequence[Row], place: int) -> float:
    """The mean test win rate over stage 1, which is the area under its learning curve."""
    return float(np.mean([row["win_rate"][place] for row in rows]))


def milestones(entries: Entries, maps: Sequence[str]) -> list[list[str]]:
    """The table of milestones as text: a header, and a row for each method and map."""
    table = [["method", "map", *(f"steps to {x:.1f}" for x in LEVELS), "area under curve"]]
    for name, by_map in entries.items():
        for where in maps:
            if where in by_map and any(rows for _, _, rows in by_map[where].curves()):
                cells = _cells(by_map[where])
                table.append([METHODS[name].label, where, *cells])
    return table


def _cells(entry: Entry) -> list[str]:
    curves = [(rows, place) for _, place, rows in entry.curves()]
    cells = []
    for level in LEVELS:
        found = [steps_to(rows, place, level) for rows, place in curves]
        # A seed that never gets there counts as the slowest: the median can still be known.
        order = sorted(found, key=lambda x: np.inf if x is None else x)
        middle = order[(len(order) - 1) // 2]
        text = "never" if middle is None else _thousands(middle)
        each = ", ".join("-" if x is None else _thousands(x) for x in found)
        cells.append(f"{text} ({each})" if len(found) > 1 else text)
    areas = [area(rows, place) for rows, place in curves]
    return [*cells, f"{np.mean(areas):.3f}"]


def _thousands(steps: int) -> str:
    return f"{steps / 1000:.0f} k"
