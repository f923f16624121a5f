"""Check of a world: plays it at random, and reports every violation at once."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from ptde.processes.protocol import (
    NoWorld,
    ProcessEnv,
    ProcessStep,
    Sizes,
    WorldFailed,
    faults,
    measured,
    picture_of,
    standard,
)
from ptde.trust import own_place


@dataclass
class Report:
    """Result of a check of a world by random steps."""

    sizes: Sizes | None = None
    steps: int = 0
    episodes: int = 0
    won: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    """Violations, each with how often it was seen."""
    remarks: list[str] = field(default_factory=list)
    """Facts that are allowed, but worth knowing."""

    def lines(self) -> list[str]:
        """The report as lines of text."""
        text = []
        if self.sizes is not None:
            s = self.sizes
            text = [
                f"{s.n_agents} agents, observation {s.obs_dim}, state {s.state_dim}, "
                f"{s.n_actions} actions, time limit {s.time_limit}",
                f"{self.steps} random steps, {self.episodes} episodes, {self.won} won",
            ]
        text += [f"note: {remark}" for remark in self.remarks]
        return text + [f"wrong: {v} ({n} times)" for v, n in self.violations.items()]


def check(env: ProcessEnv, steps: int = 300) -> Report:
    """Plays a world at random. A crash is reported as a violation and ends the check."""
    report, draw = Report(), np.random.default_rng(0)
    try:
        _play(env, steps, report, draw)
        _repeats(env, report)
    except NoWorld as error:
        report.violations[str(error)] += 1
    except Exception as error:
        place = own_place(error)
        report.violations[f"it raised {type(error).__name__}: {error}{place}"] += 1
    if report.sizes is not None and not report.episodes:
        report.remarks.append(
            f"no episode ended in {report.steps} random steps: type a larger --steps"
        )
    return report


def _play(env: ProcessEnv, steps: int, report: Report, draw: np.random.Generator) -> None:
    step, time = standard(env.reset(0)), 0
    report.sizes = sizes = measured(env, step)
    report.remarks += sizes.notes
    _look(step, sizes, report)
    if sizes.pictures:
        _draws(env, report)
    while report.steps < steps:
        step = standard(env.step(_random(step, draw)))
        report.steps, time = report.steps + 1, time + 1
        if not _look(step, sizes, report):
            return  # what follows would only repeat it
        if step.ended or step.cut or time >= sizes.time_limit:
            report.episodes, time = report.episodes + 1, 0
            report.won += step.won > 0
            step = standard(env.reset(report.episodes))
            _look(step, sizes, report)
            if step.ended or step.cut:
                report.violations["an episode is over with its first step"] += 1


def _draws(env: ProcessEnv, report: Report) -> None:
    """Counts what is wrong with a picture; the world can be played on without any."""
    try:
        picture_of(env)
    except WorldFailed as error:
        report.violations[str(error)] += 1
    except Exception as error:
        report.violations[f"frame() raised {type(error).__name__}: {error}"] += 1


def _look(step: ProcessStep, sizes: Sizes, report: Report) -> bool:
    """Counts the faults of a step; false if the world cannot be played on after it."""
    found = list(faults(step, sizes))
    report.violations.update(found)
    shapes = any("sizes must not change" in fault for fault in found)
    return not shapes and bool(step.legal.any(axis=1).all())


def _random(step: ProcessStep, draw: np.random.Generator) -> np.ndarray:
    """A legal joint action."""
    lots = draw.random(step.legal.shape) * step.legal
    return np.argmax(lots, axis=1).astype(np.int32)


def _repeats(env: ProcessEnv, report: Report) -> None:
    """Adds a remark unless the same seed starts the same episode."""
    a, b = standard(env.reset(7)), standard(env.reset(7))
    if not (np.array_equal(a.obs, b.obs) and np.array_equal(a.state, b.state)):
        report.remarks.append(
            "reset(seed) starts other episodes for the same seed: runs cannot be repeated "
            "exactly, and teacher and student do not meet the same beginnings"
        )
