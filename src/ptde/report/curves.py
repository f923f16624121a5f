"""Learning curves, as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from ptde.run.record import Row, beside

COLOURS = {"teacher": "#1b6ca8", "student": "#d1495b", "baseline": "#7a7a7a"}


def draw_curves(
    records: Mapping[str, list[Row]],
    finals: Mapping[str, float],
    path: Path,
    title: str,
    measure: str = "win rate",
) -> Path:
    """Win rate and return over training, one line a role, seeds as a band (min to max).

    Args:
        records: rows of the record of each role. The steps of a student of stage 2 are
            gradient steps and get an axis of their own.
        path: the PNG to write.
        title: of the picture.
        measure: what the win rates are in this world.
        finals: final win rates, drawn as dashed lines on the student's axis.
    """
    stages = [role for role in ("teacher", "baseline") if records.get(role)]
    learns_beside = beside(records.get("teacher", []))
    student = records.get("student")
    columns = 2 + bool(student)
    figure, axes = plt.subplots(1, columns, figsize=(4.6 * columns, 3.6))
    values = {"win_rate": measure, "return": "return"}
    for axis, (value, name) in zip(axes[:2], values.items(), strict=True):
        for role in stages:
            _line(axis, records[role], value, role)
        if learns_beside:
            _line(axis, learns_beside, value, "student")
        axis.set_xlabel("joint steps")
        axis.set_ylabel(f"test {name}")
    if student:
        _line(axes[2], student, "win_rate", "student")
        for role, win_rate in finals.items():
            if role != "student":
                axes[2].axhline(
                    win_rate,
                    color=COLOURS[role],
                    linestyle="--",
                    label=f"{role}, final",
                )
        axes[2].set_xlabel("gradient steps of the distillation")
        axes[2].set_ylabel(f"test {measure}")
    for axis in axes:
        axis.grid(alpha=0.25)
        axis.legend(frameon=False, loc="best")
        axis.spines[["top", "right"]].set_visible(False)
        axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
        if "win" in axis.get_ylabel():
            axis.set_ylim(-0.02, 1.02)
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _line(axis: plt.Axes, rows: list[Row], value: str, role: str) -> None:
    steps = np.array([row["steps"] for row in rows])
    seeds = smooth(np.array([row[value] for row in rows]))
    axis.plot(steps, seeds.mean(axis=1), color=COLOURS[role], label=role)
    if seeds.shape[1] > 1:
        low, high = seeds.min(axis=1), seeds.max(axis=1)
        axis.fill_between(steps, low, high, color=COLOURS[role], alpha=0.2, linewidth=0)


def smooth(values: np.ndarray, width: int = 5) -> np.ndarray:
    """The mean of up to ``width`` tests that end at each: a test has few episodes."""
    sums = np.cumsum(values, axis=0)
    sums[width:] = sums[width:] - sums[:-width]
    count = np.minimum(np.arange(len(values)) + 1, width)
    return sums / count[:, None]
