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
from ptde.files import whole
from ptde.jobs.record import Row
from ptde.report.measure import column
from ptde.report.palette import LOSSES, ROLES, Look
from ptde.report.panels import draw_curve
from ptde.types import WINS

LOSS_NAMES = {"loss": "training", "held_out_loss": "held out"}
"""Labels of the losses in a row of the student's record. The loss in training is the mean
since the test before."""


@dataclass(frozen=True)
class Distilled:
    """Stage 2 of one cell (method and map) of a comparison."""

    title: str
    rows: list[Row]
    """Rows of the students' records, all seeds side by side."""
    teacher: float | None
    """Final win rate of the teachers, mean over seeds; None where nobody wins."""
    student: DistillConfig = field(default_factory=DistillConfig)
    """How the students learnt, which decides the meaning of steps and losses."""
    looks: Mapping[str, Look] | None = None
    """The looks of the student and its teacher."""


def series(
    rows: Sequence[Row], value: str, axis: str = "steps"
) -> tuple[Int[np.ndarray, " tests"], Float[np.ndarray, "tests seeds"]]:
    """The steps of a record's rows (``steps`` of its stage, or ``joint_steps`` of all
    stages), and the values of one measure there.
    """
    steps = np.array([row[axis] for row in rows])
    return steps, np.array([row[value] for row in rows], dtype=float)


def loss_panel(axis: plt.Axes, rows: Sequence[Row], student: DistillConfig) -> None:
    """Draws the student's objective in training and on held-out data."""
    for value, label in LOSS_NAMES.items():
        _lines(axis, rows, value, LOSSES[label], label)
    axis.set_ylim(bottom=0)
    axis.set_xlabel(steps_of(student))
    axis.set_ylabel(loss_of(student))


def student_panel(
    axis: plt.Axes,
    rows: Sequence[Row],
    finals: Mapping[str, float],
    measure: str,
    student: DistillConfig,
    looks: Mapping[str, Look] | None = None,
) -> None:
    """Draws the student's tests, and the final win rates of other roles as dashed lines.

    Args:
        axis: axes to draw on.
        rows: rows of the students' records.
        finals: final values of the measure.
        measure: what counts in this world (``counted``).
        student: how the students learnt.
        looks: looks by role; None takes those of a run of no method in the paper.
    """
    looks = looks or {role: Look(colour) for role, colour in ROLES.items()}
    _lines(axis, rows, column(measure), looks["student"], "student")
    for role, final in finals.items():
        colour = looks[role].colour
        axis.axhline(final, color=colour, linestyle="--", label=f"{role}, final")
    axis.set_xlabel(steps_of(student))
    axis.set_ylabel(f"test {measure}")


def loss_of(student: DistillConfig) -> str:
    """The label of the losses of stage 2."""
    what = "Eq. 6" if student.objective == "z" else "action values and policy"
    return f"loss ({what})"


def steps_of(student: DistillConfig) -> str:
    """The label of the steps of stage 2."""
    if student.data == "own":
        return "joint steps of the student's own battles"
    return "gradient steps of the distillation"


def _lines(axis: plt.Axes, rows: Sequence[Row], value: str, look: Look, label: str) -> None:
    draw_curve(axis, *series(rows, value), look, label, rates=value == "win_rate")
    axis.set_xlim(left=0)


def finish_panel(axis: plt.Axes) -> None:
    """Gives a panel the grid, legend and ticks that all panels have."""
    axis.grid(alpha=0.25)
    axis.legend(frameon=False, loc="best")
    axis.spines[["top", "right"]].set_visible(False)
    axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    if "win" in axis.get_ylabel():
        axis.set_ylim(-0.02, 1.02)


def draw_figure7(cells: Sequence[Distilled], path: Path, measure: str = WINS) -> Path:
    """Draws Paper Fig. 7 as a PNG: a row of two panels for each cell, mean and seeds."""
    height = len(cells)
    figure, axes = plt.subplots(height, 2, figsize=(9.6, 3.5 * height), squeeze=False)
    for (left, right), cell in zip(axes, cells, strict=True):
        loss_panel(left, cell.rows, cell.student)
        finals = {} if cell.teacher is None else {"teacher": cell.teacher}
        student_panel(right, cell.rows, finals, measure, cell.student, cell.looks)
        for axis in (left, right):
            axis.set_title(cell.title)
            finish_panel(axis)
    figure.tight_layout()
    with whole(path) as part:
        figure.savefig(part, dpi=120)
    plt.close(figure)
    return path
