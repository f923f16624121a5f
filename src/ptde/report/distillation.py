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
from ptde.report.palette import LOSSES, ROLES, Look
from ptde.report.panels import draw_curve

LOSS_NAMES = {"loss": "training", "held_out_loss": "held out"}
"""Values of a row of the student's record: what they are. The loss in training is the mean
since the test before."""


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
    looks: Mapping[str, Look] | None = None
    """Of the student and its teacher."""


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
    """The student's tests; final win rates of others, dashed.

    Args:
        axis: to draw on.
        rows: of the students' records.
        finals: of other roles.
        measure: what the win rates are in this world.
        student: how the students learnt.
        looks: of roles; None is as of a run that is no method of the paper's.
    """
    looks = looks or {role: Look(colour) for role, colour in ROLES.items()}
    _lines(axis, rows, "win_rate", looks["student"], "student")
    for role, final in finals.items():
        colour = looks[role].colour
        axis.axhline(final, color=colour, linestyle="--", label=f"{role}, final")
    axis.set_xlabel(steps_of(student))
    axis.set_ylabel(f"test {measure}")


def loss_of(student: DistillConfig) -> str:
    """What the losses of a stage 2 are."""
    what = "Eq. 6" if student.objective == "z" else "action values and policy"
    return f"loss ({what})"


def steps_of(student: DistillConfig) -> str:
    """What the steps of a stage 2 are."""
    if student.data == "own":
        return "joint steps of the student's own battles"
    return "gradient steps of the distillation"


def _lines(axis: plt.Axes, rows: Sequence[Row], value: str, look: Look, label: str) -> None:
    draw_curve(axis, *series(rows, value), look, label, rates=value == "win_rate")
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
        student_panel(right, cell.rows, finals, measure, cell.student, cell.looks)
        for axis in (left, right):
            axis.set_title(cell.title)
            finish_panel(axis)
    figure.tight_layout()
    with whole(path) as part:
        figure.savefig(part, dpi=120)
    plt.close(figure)
    return path
