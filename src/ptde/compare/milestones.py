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
    "Joint steps and time of the whole run at the first test at which the mean of up to "
    "five test win rates, its own and those before, is as high: the median seed's, of an "
    "even number the later of the two in the middle (every seed's steps); a student's run "
    "has taught its teacher before, and seeds that share a program share its time. Runs "
    "whose record is lost are left out. Area under curve: the mean test win rate over "
    "stage 1."
)
"""The note below the table of milestones."""


def first_at(rows: Sequence[Row], place: int, level: float) -> Row | None:
    """The first test whose win rate, the mean of up to five tests until then, is at least
    ``level``; None if none is. ``place`` is the seed's index in the record.
    """
    rates = smooth(np.array([row["win_rate"][place] for row in rows])[:, None])[:, 0]
    passed = np.flatnonzero(rates >= level - 1e-9)
    return rows[passed[0]] if len(passed) else None


def area(rows: Sequence[Row], place: int) -> float:
    """The mean test win rate over stage 1, which is the area under its learning curve."""
    return float(np.mean([row["win_rate"][place] for row in rows]))


def milestones(entries: Entries, maps: Sequence[str]) -> list[list[str]]:
    """The table of milestones as text: a header, and a row for each method and map."""
    table = [["method", "map", *(f"steps to {x:.1f}" for x in LEVELS), "area under curve"]]
    for name, by_map in entries.items():
        for where in maps:
            if where in by_map and any(rows for _, rows in by_map[where].tests):
                cells = _cells(by_map[where])
                table.append([METHODS[name].label, where, *cells])
    return table


def _cells(entry: Entry) -> list[str]:
    tests = [(rows, place) for _, place, rows in entry.tested() if rows]
    cells = []
    for level in LEVELS:
        found = [first_at(rows, place, level) for rows, place in tests]
        # A seed that never gets there counts as the slowest: the median can still be known.
        order = sorted(found, key=_soonest)
        middle = order[len(order) // 2]
        text = "never" if middle is None else _when(middle)
        each = ", ".join("-" if row is None else _thousands(row["steps"]) for row in found)
        cells.append(f"{text} ({each})" if len(found) > 1 else text)
    areas = [area(rows, place) for _, place, rows in entry.curves() if rows]
    return [*cells, f"{np.mean(areas):.3f}" if areas else ""]


def _soonest(row: Row | None) -> tuple[float, float]:
    return (np.inf, np.inf) if row is None else (float(row["steps"]), row["seconds"])


def _when(row: Row) -> str:
    minutes, seconds = divmod(round(row["seconds"]), 60)
    return f"{_thousands(row['steps'])} in {minutes}:{seconds:02}"


def _thousands(steps: int) -> str:
    return f"{steps / 1000:.0f} k"
