"""Pictures of learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int

from ptde.distill.config import DistillConfig
from ptde.jobs.record import Row, beside
from ptde.report.distillation import (
    finish_panel,
    loss_panel,
    series,
    student_panel,
)
from ptde.report.measure import column, columns
from ptde.report.palette import ROLES, Look
from ptde.report.panels import draw_curve
from ptde.types import WINS


def draw_curves(
    records: Mapping[str, list[Row]],
    finals: Mapping[str, Mapping[str, Any]],
    path: Path,
    title: str,
    measure: str = WINS,
    config: DistillConfig | None = None,
    looks: Mapping[str, Look] | None = None,
) -> Path:
    """Draws win rate and return over the joint steps of all stages, a line for each role.

    Stage 2 gets two panels of its own, as in Paper Fig. 7: the distillation's loss, and the
    student's win rate, over its own steps.

    Args:
        records: rows of the record of each role.
        path: the PNG to write.
        title: the picture's title.
        measure: what counts in this world (``counted``); returns are drawn beside it.
        finals: entries of ``result.json``, by role: dashed lines on the student's axis, and
            the point of a student that took no joint steps.
        config: how the student of stage 2 learnt; None takes the defaults.
        looks: looks by role; None takes those of a run of no method in the paper.
    """
    looks = looks or {role: Look(colour) for role, colour in ROLES.items()}
    stages = [role for role in ROLES if records.get(role)]
    learns_beside = beside(records.get("teacher", []))
    student = records.get("student")
    above, below = [column(measure), "return"], ["loss", "student"]
    plan: Any = [above, below] if student else [above]
    figure, axes = plt.subplot_mosaic(plan, figsize=(9.6, 3.5 * len(plan)))
    for value, name in columns(measure).items():
        axis = axes[value]
        for role in stages:
            final = finals.get(role, {}).get(value)
            _line(axis, records[role], value, role, looks[role], final)
        if learns_beside:
            _line(axis, learns_beside, value, "student", looks["student"])
        axis.set_xlabel("joint steps")
        axis.set_ylabel(f"test {name}")
    if student:
        ends = {role: score[column(measure)] for role, score in finals.items()}
        others = {role: final for role, final in ends.items() if role != "student"}
        config = config or DistillConfig()
        loss_panel(axes["loss"], student, config)
        student_panel(axes["student"], student, others, measure, config, looks)
    for axis in axes.values():
        finish_panel(axis)
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path


def _line(
    axis: plt.Axes,
    rows: list[Row],
    value: str,
    role: str,
    look: Look,
    final: float | None = None,
) -> None:
    steps, values = over_joint_steps(rows, value, final)
    if len(steps) == 1:
        axis.plot(steps, values.mean(axis=1), "D", color=look.colour, label=role)
        return
    draw_curve(axis, steps, values, look, role, rates=value == "win_rate")


def over_joint_steps(
    rows: Sequence[Row], value: str, final: float | None = None
) -> tuple[Int[np.ndarray, " tests"], Float[np.ndarray, "tests seeds"]]:
    """One measure of a record over the joint steps of all stages, smoothed.

    A stage of gradient steps, during which joint steps stand still, is a single point: at
    ``final``, the mean of its final episodes, or at its last test before there are any.
    """
    steps, values = series(rows, value, "joint_steps")
    if steps[0] != steps[-1]:
        return steps, smooth(values)
    return steps[-1:], values[-1:] if final is None else np.array([[final]])


def smooth(values: np.ndarray, width: int = 5) -> np.ndarray:
    """At each test, the mean of up to ``width`` tests until then: one has few episodes."""
    sums = np.cumsum(values, axis=0)
    sums[width:] = sums[width:] - sums[:-width]
    count = np.minimum(np.arange(len(values)) + 1, width)
    return sums / count[:, None]
