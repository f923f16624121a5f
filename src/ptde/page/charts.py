"""Data of the page's learning curves: numbers, names and looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptde.distill.config import DistillConfig
from ptde.jobs.record import Row, beside
from ptde.report.curves import over_joint_steps
from ptde.report.distillation import LOSS_NAMES, loss_of, series, steps_of
from ptde.report.measure import column, columns
from ptde.report.palette import LOSSES, Look
from ptde.report.panels import FEW, spread

POINTS = 160
"""Most tests of a curve that are shown."""
JOINT_STEPS = "joint steps"


@dataclass(frozen=True)
class Curve:
    """The curve of one method in one panel."""

    name: str
    look: Look
    steps: np.ndarray
    """Steps of the tests, [tests]."""
    values: np.ndarray
    """Values of every seed, [tests, seeds]."""

    def thinned(self) -> "Curve":
        """The curve at ``POINTS`` tests at most, the first and the last among them."""
        at = np.unique(np.linspace(0, len(self.steps) - 1, POINTS).round().astype(int))
        return Curve(self.name, self.look, self.steps[at], self.values[at])


@dataclass(frozen=True)
class Panel:
    """Curves that share their axes."""

    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    levels: Sequence[tuple[str, Look, float]] = ()
    """Dashed lines at a height: name, look, height."""
    rates: bool = False
    """Whether the values are in [0, 1]."""

    def to_json(self) -> dict[str, Any]:
        """The panel as plain data: curves on common steps, null where one has no test."""
        curves = [curve.thinned() for curve in self.curves if len(curve.steps)]
        steps = np.unique(np.concatenate([curve.steps for curve in curves]))
        return {
            "title": self.title,
            "x": self.x,
            "y": self.y,
            "rates": self.rates,
            "steps": steps.astype(int).tolist(),
            "curves": [self._curve(curve, steps) for curve in curves],
            "levels": [
                {"name": name, **_look(look), "value": _short(value)}
                for name, look, value in self.levels
            ],
        }

    def _curve(self, curve: Curve, steps: np.ndarray) -> dict[str, Any]:
        place = {step: i for i, step in enumerate(curve.steps.tolist())}

        def on_all(column: np.ndarray) -> list[float | None]:
            at = [place.get(step) for step in steps.tolist()]
            return [None if i is None else _short(column[i]) for i in at]

        few = curve.values.shape[1] <= FEW
        band = spread(curve.values, self.rates)
        return {
            "name": curve.name,
            **_look(curve.look),
            "mean": on_all(curve.values.mean(axis=1)),
            "low": None if band is None else on_all(band[:, 0]),
            "high": None if band is None else on_all(band[:, 1]),
            "seeds": [on_all(seed) for seed in curve.values.T] if few else [],
            "count": curve.values.shape[1],
        }


def _look(look: Look) -> dict[str, Any]:
    return {"colour": look.colour, "dash": list(look.dash)}


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None


def curves_of(
    records: Mapping[str, Sequence[list[Row]]],
    looks: Mapping[str, Look],
    value: str,
    finals: Mapping[str, float] | None = None,
) -> list[Curve]:
    """A curve over joint steps for each name that has rows (``over_joint_steps``).

    At steps that some runs of a name lack, its other seeds have no mean.

    Args:
        records: the rows of each run, by name.
        looks: the look of each name.
        value: the measure that is drawn.
        finals: that measure in the final episodes, by name, as far as it is known.
    """
    curves = []
    for name, runs in records.items():
        final = (finals or {}).get(name)
        seen = [over_joint_steps(rows, value, final) for rows in runs if rows]
        if not seen:
            continue
        if final is not None and all(len(steps) == 1 for steps, _ in seen):
            seen = seen[:1]  # the mean of all runs
        every = np.unique(np.concatenate([steps for steps, _ in seen]))
        seeds = []
        for steps, values in seen:
            placed = np.full((len(every), values.shape[1]), np.nan)
            placed[np.searchsorted(every, steps)] = values
            seeds.append(placed)
        curves.append(Curve(name, looks[name], every, np.concatenate(seeds, axis=1)))
    return curves


def distillation(
    title: str,
    rows: Sequence[Row],
    student: DistillConfig,
    look: Look,
    levels: Sequence[tuple[str, Look, float]],
    measure: str,
) -> list[Panel]:
    """The panels of stage 2: the loss, and the student's tests."""
    if not rows:
        return []
    losses = [
        Curve(label, LOSSES[label], *series(rows, value))
        for value, label in LOSS_NAMES.items()
        if value in rows[0]
    ]
    x = steps_of(student)
    value = column(measure)
    won = Curve("student", look, *series(rows, value))
    panels = [Panel(f"{title}: loss", x, loss_of(student), losses)] if losses else []
    return [
        *panels,
        Panel(
            f"{title}: {measure}", x, f"test {measure}", [won], levels, value == "win_rate"
        ),
    ]


def run_panels(
    records: Mapping[str, list[Row]],
    looks: Mapping[str, Look],
    finals: Mapping[str, Mapping[str, Any]],
    measure: str,
    student: DistillConfig,
) -> list[Panel]:
    """The panels of all stages of a run.

    Args:
        records: rows by role.
        looks: looks by role.
        finals: entries of ``result.json`` by role, as far as they are known.
        measure: what counts in this world (``counted``).
        student: how the run's student learnt.
    """
    taught = {role: [rows] for role, rows in records.items()}
    if online := beside(records.get("teacher", [])):
        taught["student"] = [online]
    panels = [
        Panel(
            f"all stages: {name}",
            JOINT_STEPS,
            f"test {name}",
            curves_of(taught, looks, value, {r: s[value] for r, s in finals.items()}),
            rates=value == "win_rate",
        )
        for value, name in columns(measure).items()
    ]
    levels = [
        (f"{role}, final", looks[role], score[column(measure)])
        for role, score in finals.items()
        if role != "student"
    ]
    rows = records.get("student", [])
    stage2 = distillation("stage 2", rows, student, looks["student"], levels, measure)
    return [panel for panel in [*panels, *stage2] if panel.curves]
