"""Stage 2 in two panels, as in Paper Fig. 7: the loss, and the student's win rate."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int

from ptde.distill.config import DistillConfig
from ptde.jobs.record import Row

COLOURS = {
    "teacher": "#1b6ca8",
    "student": "#d1495b",
    "finetuned": "#2a9d6f",
    "baseline": "#7a7a7a",
}
PAPER_COLOURS = {"student": "#1b6ca8", "teacher": "red"}
"""Those of Fig. 7: its dashed line, the teacher's, is red."""
LOSSES = {"loss": ("training", "#5b3c88"), "held_out_loss": ("held out", "#e08e0b")}
"""Values of a row of the student's record: what they are, and their colour. The loss in
training is the mean since the test before."""


@dataclass(frozen=True)
class Distilled:
    """The stage 2 of one comparison's cell."""

    title: str
    rows: list[Row]
    """Of the students' records, all seeds side by side."""
    teacher: float
    """Final win rate of the teachers, mean over seeds."""
    student: DistillConfig = field(default_factory=DistillConfig)
    """How the students learnt: what the rows' steps and losses are."""


def series(
    rows: Sequence[Row], value: str, axis: str = "steps"
) -> tuple[Int[np.ndarray, " tests"], Float[np.ndarray, "tests seeds"]]:
    """Steps of a record (``axis``: of its stage, or ``joint_steps`` of all), and what it
    holds of a value there.
    """
    steps = np.array([row[axis] for row in rows])
    return steps, np.array([row[value] for row in rows], dtype=float)


def loss_panel(axis: plt.Axes, rows: Sequence[Row], student: DistillConfig) -> None:
    """The student's objective in training and on held-out data."""
    for value, (label, colour) in LOSSES.items():
        _lines(axis, rows, value, colour, label)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(_steps(student))
    what = "Eq. 6" if student.objective == "z" else "action values and policy"
    axis.set_ylabel(f"loss ({what})")


def student_panel(
    axis: plt.Axes,
    rows: Sequence[Row],
    finals: Mapping[str, float],
    measure: str,
    student: DistillConfig,
    colours: Mapping[str, str] = COLOURS,
) -> None:
    """The student's tests; final win rates of others, dashed."""
    _lines(axis, rows, "win_rate", colours["student"], "student")
    for role, final in finals.items():
        axis.axhline(final, color=colours[role], linestyle="--", label=f"{role}, final")
    axis.set_xlabel(_steps(student))
    axis.set_ylabel(f"test {measure}")


def _steps(student: DistillConfig) -> str:
    if student.data == "own":
        return "joint steps of the student's own battles"
    return "gradient steps of the distillation"


def _lines(
    axis: plt.Axes, rows: Sequence[Row], value: str, colour: str, label: str
) -> None:
    """The mean over seeds, and every seed as a thin line."""
    steps, values = series(rows, value)
    if values.shape[1] > 1:
        axis.plot(steps, values, color=colour, linewidth=0.7, alpha=0.5)
    axis.plot(steps, values.mean(axis=1), color=colour, linewidth=1.8, label=label)
    axis.set_xlim(left=0)


def finish_panel(axis: plt.Axes) -> None:
    """What all panels have in common."""
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, loc="best")
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    if "win" in axis.get_ylabel():
        axis.set_ylim(-0.02, 1.02)


def draw_figure7(cells: Sequence[Distilled], path: Path, measure: str = "win rate") -> Path:
    """Paper Fig. 7 as a PNG: a row of two panels for each cell, mean and seeds."""
    height = len(cells)
    figure, axes = plt.subplots(height, 2, figsize=(9.6, 3.5 * height), squeeze=False)
    for (left, right), cell in zip(axes, cells, strict=True):
        loss_panel(left, cell.rows, cell.student)
        finals = {"teacher": cell.teacher}
        student_panel(right, cell.rows, finals, measure, cell.student, PAPER_COLOURS)
        for axis in (left, right):
            axis.set_title(cell.title)
            finish_panel(axis)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
