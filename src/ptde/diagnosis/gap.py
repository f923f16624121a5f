"""The gap between a teacher and its student, part by part.

A student can lack three things that an option gives: a memory, a loss that looks at what
is done, and battles of its own to learn from. What a student without a lack does not reach
either is *knowledge*, if one that is shown the whole state does, and else *capacity*.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float
from scipy import stats

from ptde.config import Run
from ptde.distill.config import DistillConfig

Lack: TypeAlias = frozenset[str]
"""The names of what a student lacks."""
Reached: TypeAlias = Float[np.ndarray, "seeds episodes"]
"""What a team reached in each episode; all teams meet the same beginnings."""

NOTHING: Lack = frozenset()
LACKS = {
    "memory": ("network", "gru", "mlp"),
    "loss": ("objective", "q", "z"),
    "shift": ("data", "own", "teacher"),
}
"""What a student may lack: the option that decides it, its value without the lack, and the
paper's, which has it."""


def data_steps(run: Run) -> int:
    """Joint steps of data for students that take some, where the run's own student took
    none: a tenth of the teacher's.
    """
    return max(1, run.stages.teach // 10)


def lacks_of(student: DistillConfig) -> tuple[str, ...]:
    """What a run's student lacks."""
    found = {n: getattr(student, option) != good for n, (option, good, _) in LACKS.items()}
    return tuple(name for name, lacks in found.items() if lacks)


def lacking(student: DistillConfig, lack: Lack) -> DistillConfig:
    """The run's student, but for lacking exactly this; the rest stays as it was typed.

    Steps, batch and rate are kept among students that learn from rows, and among those
    that learn from whole segments; the others have the defaults of their kind.
    """
    changed: dict[str, Any] = {}
    for name, (option, good, bad) in LACKS.items():
        own = getattr(student, option)
        changed[option] = good if name not in lack else bad if own == good else own
    other = replace(student, **changed)
    if other.whole != student.whole:
        other = replace(other, steps=0, batch=0, lr=0.0)
    return other


def orders(names: Sequence[str], quick: bool) -> list[tuple[str, ...]]:
    """The orders in which a student is made to lack this: all, or (``quick``) one."""
    return [tuple(names)] if quick else list(itertools.permutations(names))


def steps(orders: Sequence[tuple[str, ...]]) -> list[Lack]:
    """All that students lack on the way, from nothing on, each once."""
    found = {frozenset(order[:i]): 0 for order in orders for i in range(len(order) + 1)}
    return sorted(found, key=len)


def shares(
    orders: Sequence[tuple[str, ...]], reached: Mapping[Lack, Reached]
) -> dict[str, Reached]:
    """What each lack costs: the mean, over the orders, of what is lost when it is added.

    Of all orders that is Shapley's value. The shares add up to what is lost in all.
    """
    names = orders[0]
    lost: dict[str, list[Reached]] = {name: [] for name in names}
    for order in orders:
        for i, name in enumerate(order):
            before, after = frozenset(order[:i]), frozenset(order[: i + 1])
            lost[name].append(reached[before] - reached[after])
    return {name: np.mean(parts, axis=0) for name, parts in lost.items()}


class Part(NamedTuple):
    """A part of the gap, or the whole gap."""

    size: float
    chance: float
    """Half the width of the 95 % interval of the size."""

    @property
    def stands(self) -> bool:
        """Whether the part is larger than chance."""
        return self.size > self.chance

    @classmethod
    def of(cls, lost: Reached) -> "Part":
        """The part that was lost in each episode. The interval is over the episodes of one
        seed, else over seeds, each of which fitted students of its own.
        """
        values = lost[0] if len(lost) == 1 else lost.mean(axis=1)
        half = stats.sem(values) * stats.t.ppf(0.975, len(values) - 1)
        return cls(float(values.mean()), float(half))


def parts(
    teacher: Reached,
    shown: Reached,
    orders: Sequence[tuple[str, ...]],
    reached: Mapping[Lack, Reached],
) -> dict[str, Part]:
    """All parts of the gap between the teacher and the run's student; they add up to it.

    Args:
        teacher: what it reaches.
        shown: what a student reaches that lacks nothing and is shown the state.
        orders: of what the run's student lacks.
        reached: by students that lack what these orders come by; the last is the run's.
    """
    best = reached[NOTHING]
    told = shown if shown.mean() > best.mean() else best  # it may ignore the state
    lost = {"capacity": teacher - told, "knowledge": told - best}
    lost |= shares(orders, reached)
    return {name: Part.of(part) for name, part in lost.items()}
