"""Learning curves of a comparison: a panel for each map, a line for each method."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from ptde.compare.outcome import Entries, Entry
from ptde.files import whole
from ptde.jobs.record import joined
from ptde.methods import METHODS
from ptde.report.curves import smooth
from ptde.report.distillation import Distilled, series
from ptde.report.measure import compared
from ptde.report.palette import Look, look_of
from ptde.report.panels import draw_curve, groups
from ptde.types import WINS


def draw_comparison(
    entries: Entries, maps: Sequence[str], path: Path, measure: str = WINS
) -> Path:
    """Draws test win rates and returns of stage 1: the mean over seeds, with few seeds as
    thin lines, or with Student's 95 % interval. More than five methods take several rows of
    panels.

    In a world with another ``measure`` than win rates, that is drawn alone. A student of
    stage 2, whose steps are not joint steps, is a dashed line at its final value.
    """
    shown = compared(measure)
    parts = groups(list(entries)) or [[]]
    rows = [(value, part) for value in shown for part in parts]
    height, width = len(rows), len(maps)
    figure, axes = plt.subplots(
        height,
        width,
        figsize=(5.2 * width, 3.6 * height + 0.3),
        squeeze=False,
    )
    for row, (value, part) in zip(axes, rows, strict=True):
        for axis, where in zip(row, maps, strict=True):
            for name in part:
                if where in entries[name]:
                    _line(axis, entries[name][where], name, value)
            axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(f"test {shown[value]}")
        handles = {
            label: handle
            for axis in row
            for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        row[-1].legend(
            handles.values(),
            handles.keys(),
            frameon=False,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
        )
    for value, title in shown.items():
        same = [
            x for row, (v, _) in zip(axes, rows, strict=True) if v == value for x in row
        ]
        _same_heights(same, title)
    for top, bottom, where in zip(axes[0], axes[-1], maps, strict=True):
        top.set_title(where)
        bottom.set_xlabel("joint steps")
    figure.tight_layout()
    with whole(path) as file:
        figure.savefig(file, dpi=120)
    plt.close(figure)
    return path


def _same_heights(axes: Sequence[plt.Axes], title: str) -> None:
    """Gives panels of the same measure the same range."""
    ends = np.array([axis.get_ylim() for axis in axes])
    low, high = (-0.02, 1.02) if title == WINS else (ends[:, 0].min(), ends[:, 1].max())
    for axis in axes:
        axis.set_ylim(low, high)


def distilled(entries: Entries, maps: Sequence[str]) -> list[Distilled]:
    """Every stage 2 of the comparison, for its panels of Paper Fig. 7."""
    return [
        Distilled(
            f"{METHODS[name].name} on {where}",
            joined(by_map[where].distillations),
            _mean(by_map[where].teacher),
            by_map[where].student,
            {"student": look_of(METHODS[name].name), "teacher": _teacher(name)},
        )
        for where in maps
        for name, by_map in entries.items()
        if where in by_map and by_map[where].distillations
    ]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _teacher(student: str) -> Look:
    """The look of a student method's teacher."""
    run = METHODS[student].run
    teacher = METHODS.get(f"{run}_teacher", METHODS.get(run, METHODS[student]))
    return look_of(teacher.name)


def _line(axis: plt.Axes, entry: Entry, name: str, value: str) -> None:
    title, wins = METHODS[name].name, value == "win_rate"
    look = look_of(title)
    rows = joined([rows for _, rows in entry.records if rows])
    if not rows:
        end = float(np.mean(entry.seeds if wins else entry.returns))
        axis.axhline(end, color=look.colour, linestyle="--", label=f"{title}, final")
        return
    steps, values = series(rows, value)
    draw_curve(axis, steps, smooth(values), look, title, rates=wins)
