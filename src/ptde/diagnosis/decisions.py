"""Does a student decide as its teacher would, and what does it cost where it does not?"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from ptde.agents.policy import FullPolicy
from ptde.agents.team import Teacher, Team
from ptde.algos.student import label
from ptde.distill.objectives import Labelled, centred
from ptde.envs.base import AbstractWorld
from ptde.ops.select import greedy, take
from ptde.rollout.base import as_tested
from ptde.rollout.runner import runner_of
from ptde.types import Rollout

TIMES = 4
"""Rollouts of all copies that are looked at, of each kind of battles. Where a test has a
fixed number of episodes: as many as play each once."""


class Pair(NamedTuple):
    """The teacher and the student team that are compared."""

    teacher: Teacher
    team: Team


class Sums(eqx.Module):
    """Sums over all decisions at which there was a choice."""

    number: Float[Array, "*b"]
    same: Float[Array, "*b"]
    """Decisions in which teacher and student act alike."""
    regret: Float[Array, "*b"]
    """The teacher's regret: its best value less that of the student's action."""
    spread: Float[Array, "*b"]
    """The variance of the teacher's values over the legal actions."""
    apart: Float[Array, "*b"]
    """The variance, over the legal actions, of the student's values less the teacher's."""


def decisions(seen: Labelled, pair: Pair) -> Sums:
    """How a team decides on segments to which its teacher has the answer."""
    teacher, team = pair
    wanted = teacher.network.values(seen.h, seen.z)
    h = team.network.unroll(seen.local, seen.first)
    given = team.network.values(h, team.student.unroll(seen.local, seen.first))
    legal, number = seen.legal, seen.legal.sum(axis=-1)
    counts = seen.counts & (number > 1)
    best, chosen = greedy(wanted, legal), greedy(given, legal)
    a, a_student = centred(wanted, legal), centred(given, legal)

    def over_all(x):
        return jnp.sum(jnp.where(counts, x, 0.0))

    def variance(x):
        return over_all(jnp.sum(jnp.square(x), axis=-1) / jnp.maximum(number, 1))

    return Sums(
        number=over_all(jnp.ones_like(number, jnp.float32)),
        same=over_all((best == chosen).astype(jnp.float32)),
        regret=over_all(take(wanted, best) - take(wanted, chosen)),
        spread=variance(a),
        apart=variance(a_student - a),
    )


class Agreement(NamedTuple):
    """How well the student decides on battles of one team."""

    battles: str
    same_action: float
    """Share of the decisions in which teacher and student act alike."""
    regret: float
    """The teacher's regret, in standard deviations of its values over the legal actions."""
    r2_of_values: float
    """Share of the variance of the teacher's values, over actions, that the student's
    explain.
    """
    deviation: float
    """Standard deviation of the teacher's values over the legal actions."""

    @classmethod
    def of(cls, battles: str, sums: Sums) -> "Agreement":
        """The agreement that the sums of all seeds and rollouts show."""
        s = {name: float(np.sum(x)) for name, x in vars(sums).items()}
        number = max(s["number"], 1.0)
        deviation = (s["spread"] / number) ** 0.5
        return cls(
            battles=battles,
            same_action=s["same"] / number,
            regret=s["regret"] / number / max(deviation, 1e-8),
            r2_of_values=1.0 - s["apart"] / max(s["spread"], 1e-8),
            deviation=deviation,
        )

    def to_json(self) -> dict[str, Any]:
        """The agreement as plain data."""
        return {name: x for name, x in self._asdict().items() if name != "deviation"}


def agreement(
    env: AbstractWorld,
    pair: Pair,
    copies: int,
    length: int,
    keys: Key[Array, " seeds"],
) -> list[Agreement]:
    """The student's decisions on the teacher's battles, and on its own.

    Args:
        env: the world in which teams are tested.
        pair: with a leading axis of seeds.
        copies: of the world.
        length: joint steps of a segment.
        keys: of the seeds.
    """
    times = -(-env.episodes(TIMES * copies) // copies)

    def look(pair: Pair, rollout: Rollout) -> Sums:
        return decisions(label(pair.teacher, rollout), pair)

    def on(player: Callable[[Pair], FullPolicy]) -> Sums:
        roll = runner_of(env).rollouts(
            player, look, times=times, copies=copies, length=length, seeds=len(keys)
        )
        return roll(pair, keys)

    return [
        Agreement.of("teacher's", on(lambda pair: as_tested(pair.teacher))),
        Agreement.of("student's", on(lambda pair: as_tested(pair.team))),
    ]
