"""Learning curves of a comparison: a panel for each map, a line for each method."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from ptde.compare.outcome import WINS, Entries, Entry
from ptde.jobs.record import joined
from ptde.methods import METHODS
from ptde.report.curves import smooth
from ptde.report.distillation import Distilled, series
from ptde.report.statistics import rate_interval, t_interval


def draw_comparison(
    entries: Entries, maps: Sequence[str], path: Path, measure: str = WINS
) -> Path:
    """Test win rates and returns of stage 1, mean over seeds with Student's 95 % interval.

    In a world that measures something else, ``measure`` names it, and stands alone.

    A student of stage 2, whose steps are others, is a dashed line at its final value.
    """
    shown = {"win_rate": measure, "return": "return"}
    if measure != WINS:
        del shown["return"]
    height, width = len(shown), len(maps)
    figure, axes = plt.subplots(
        height,
        width,
        figsize=(5.2 * width, 3.6 * height + 0.3),
        squeeze=False,
        sharey="row",
    )
    for row, (column, title) in zip(axes, shown.items(), strict=True):
        for axis, where in zip(row, maps, strict=True):
            for number, (name, by_map) in enumerate(entries.items()):
                if where in by_map:
                    _line(axis, by_map[where], name, number, column)
            if title == WINS:
                axis.set_ylim(-0.02, 1.02)
            axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
        row[0].set_ylabel(f"test {title}")
    for top, bottom, where in zip(axes[0], axes[-1], maps, strict=True):
        top.set_title(where)
        bottom.set_xlabel("joint steps")
    axes[0, -1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def distilled(entries: Entries, maps: Sequence[str]) -> list[Distilled]:
    """Every stage 2 of the comparison, for its panels of Paper Fig. 7."""
    return [
        Distilled(
            f"{METHODS[name].name} on {where}",
            joined(by_map[where].distillations),
            float(np.mean(by_map[where].teacher)),
            by_map[where].student,
        )
        for where in maps
        for name, by_map in entries.items()
        if where in by_map and by_map[where].distillations
    ]


def _line(axis: plt.Axes, entry: Entry, name: str, number: int, column: str) -> None:
    colour, style = f"C{number % 10}", "-" if number < 10 else "-."
    title, wins = METHODS[name].name, column == "win_rate"
    rows = joined([rows for _, rows in entry.records])
    if not rows:
        end = float(np.mean(entry.seeds if wins else entry.returns))
        axis.axhline(end, color=colour, linestyle="--", label=f"{title}, final")
        return
    steps, values = series(rows, column)
    values = smooth(values)
    axis.plot(steps, values.mean(1), color=colour, linestyle=style, label=title)
    if values.shape[1] > 1:
        interval = rate_interval if wins else t_interval
        band = np.array([interval(at) for at in values])
        axis.fill_between(
            steps, band[:, 0], band[:, 1], color=colour, alpha=0.15, linewidth=0
        )
