"""Learning curves of a comparison: a panel for each map, a line for each method."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from ptde.compare.outcome import Entries, Entry
from ptde.compare.statistics import mean_interval
from ptde.methods import METHODS
from ptde.report.curves import smooth


def draw_comparison(
    entries: Entries, maps: Sequence[str], path: Path, measure: str = "win rate"
) -> Path:
    """Test win rates of stage 1, mean over seeds with Student's 95 % interval.

    In a world that measures something else, ``measure`` names it.

    A method that is a student, whose steps are others, is a dashed line at its final rate.
    """
    figure, axes = plt.subplots(
        1, len(maps), figsize=(5.2 * len(maps), 3.9), squeeze=False, sharey=True
    )
    for axis, where in zip(axes[0], maps, strict=True):
        for number, (name, by_map) in enumerate(entries.items()):
            if where in by_map:
                _line(axis, by_map[where], name, f"C{number}")
        axis.set(title=where, xlabel="joint steps")
        if measure == "win rate":
            axis.set_ylim(-0.02, 1.02)
        axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].set_ylabel(f"test {measure}")
    axes[0, -1].legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _line(axis: plt.Axes, entry: Entry, name: str, colour: str) -> None:
    method = METHODS[name]
    if method.role == "student":
        rate = float(np.mean(entry.seeds))
        axis.axhline(rate, color=colour, linestyle="--", label=f"{method.name}, final")
        return
    length = min(len(rows) for _, rows in entry.records)
    if not length:
        return
    steps = [row["steps"] for row in entry.records[0][1][:length]]
    rates = np.concatenate(
        [np.array([row["win_rate"] for row in rows[:length]]) for _, rows in entry.records],
        axis=1,
    )
    rates = smooth(rates)
    axis.plot(steps, rates.mean(1), color=colour, label=method.name)
    if rates.shape[1] > 1:
        band = np.array([mean_interval(at) for at in rates.tolist()])
        axis.fill_between(
            steps, band[:, 0], band[:, 1], color=colour, alpha=0.15, linewidth=0
        )
