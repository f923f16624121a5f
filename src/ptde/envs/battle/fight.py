"""A battle of SMAX: how it begins, a joint step of both teams, and what that brings."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.envs.battle.enemy import AttackMode, Memory, decide, memory_of
from ptde.envs.battle.maps import Scenario
from ptde.envs.battle.ticks import (
    LATEST,
    SOONEST,
    Orders,
    advance,
    moments,
    orders_of,
    pushed,
)
from ptde.envs.battle.units import HEALTH, NAMES, SIZE, STOP, Kinds, Units, of
from ptde.envs.quiet import quietly

SPREAD = 2.0
"""Map units by which units stand off their team's first place, at most, along each axis."""


class BattleState(eqx.Module):
    """A battle between two joint steps."""

    units: Units
    memory: Memory
    """What the enemy remembers."""
    time: Int[Array, "*b"]
    """Joint steps since the start."""


class Outcome(eqx.Module):
    """What a joint step brought."""

    reward: Float[Array, "*b"]
    """Health that the enemies lost, as a share of all of theirs, and 1 for the victory."""
    decided: Bool[Array, "*b"]
    """Whether a team is dead."""


class Battle:
    """The battles of one map."""

    def __init__(
        self, scenario: Scenario, mode: AttackMode = "closest", edge: bool = False
    ):
        """Reads a scenario.

        Args:
            scenario: who fights whom.
            mode: whom the enemy attacks of those in range.
            edge: whether the edge of the map kills.
        """
        self.n, enemies = len(scenario.allies), len(scenario.enemies)
        self.units = self.n + enemies
        self.mode, self.edge, self.fixed = mode, edge, scenario.kinds
        self.drawn = _drawn(self.n, enemies) if scenario.drawn else None

    def kinds(self, units: Units) -> Kinds:
        """The types of the units: constants where the map fixes them."""
        return self.fixed if units.kind is None else units.kind

    def begin(self, *, key: Key[Array, ""]) -> BattleState:
        """A new battle."""
        kind = None
        if self.drawn:
            places, types = self.drawn
            key_place, key_type = jax.random.split(key)
            place = places.generate(key_place).T
            kind = types.generate(key_type).astype(jnp.int32)
        else:
            x = np.where(np.arange(self.units) < self.n, SIZE / 4, SIZE * 3 / 4)
            start = np.stack([x, np.full(self.units, SIZE / 2)]).astype(np.float32)
            drawn = _kept(jax.random.uniform(key, start.shape))
            place = start + SPREAD * (2.0 * drawn - 1.0)
        kinds = self.fixed if kind is None else kind
        units = Units(
            place=pushed(place, kinds),
            health=jnp.asarray(of(HEALTH, kinds)),
            reload=jnp.zeros(self.units),
            order=jnp.full(self.units, STOP, jnp.int32),
            kind=kind,
        )
        time = jnp.zeros((), jnp.int32)
        return BattleState(units, memory_of(units, self.n), time)

    def draw(
        self, *, key: Key[Array, ""]
    ) -> tuple[Float[Array, "2 E"], Float[Array, " U"]]:
        """All that a joint step leaves to chance, from one draw: the enemies' ``luck``
        (``decide``) and the weapons' ``deviation`` (``advance``).
        """
        enemies = self.units - self.n
        drawn = _kept(jax.random.uniform(key, (2 * enemies + self.units,)))
        deviation = SOONEST + (LATEST - SOONEST) * drawn[2 * enemies :]
        return drawn[: 2 * enemies].reshape(2, enemies), deviation

    def orders(
        self, state: BattleState, action: Int[Array, " n"], luck: Float[Array, "2 E"]
    ) -> tuple[Orders, Memory]:
        """What all units do if the team plays ``action``, and what the enemy remembers."""
        kinds = self.kinds(state.units)
        theirs, memory = decide(state.units, state.memory, kinds, self.mode, luck)
        order = jnp.concatenate([action.astype(jnp.int32), theirs])
        return orders_of(order, self.n), memory

    def step(
        self, state: BattleState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[BattleState, Outcome]:
        """A joint step in which the team plays ``action``."""
        return self.step_with(state, action, *self.draw(key=key))

    def step_with(
        self,
        state: BattleState,
        action: Int[Array, " n"],
        luck: Float[Array, "2 E"],
        deviation: Float[Array, " U"],
    ) -> tuple[BattleState, Outcome]:
        """The step whose draws (``draw``) are these."""
        orders, memory = self.orders(state, action, luck)
        before, kinds = state.units, self.kinds(state.units)
        units = advance(before, orders, kinds, deviation, self.edge)
        outcome = self.outcome(before, units)
        return BattleState(units, memory, state.time + 1), outcome

    def film(
        self, state: BattleState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> Units:
        """The units after each of the 8 ticks of the step with the same arguments."""
        luck, deviation = self.draw(key=key)
        orders, _ = self.orders(state, action, luck)
        kinds = self.kinds(state.units)
        return moments(state.units, orders, kinds, deviation, self.edge)

    def outcome(self, before: Units, after: Units) -> Outcome:
        """What the step from ``before`` to ``after`` brought; a draw is no victory."""
        full = of(HEALTH, self.kinds(after))[self.n :]
        lost = (before.health - after.health)[self.n :] / full
        ours, theirs = after.alive[: self.n].any(), after.alive[self.n :].any()
        won = (ours & ~theirs).astype(jnp.float32)
        reward = jnp.sum(lost) / (self.units - self.n) + won
        return Outcome(reward=reward, decided=~(ours & theirs))


def _drawn(allies: int, enemies: int) -> tuple[Any, Any]:
    """What draws first places, and what draws types, as in SMACv2: ``jaxmarl``'s."""
    with quietly():
        from jaxmarl.environments.smax import distributions
    sizes = allies, enemies, int(SIZE), int(SIZE)
    places = distributions.SurroundAndReflectPositionDistribution(*sizes)
    return places, distributions.UniformUnitTypeDistribution(*sizes, len(NAMES))


def _kept(drawn: Float[Array, "*s"]) -> Float[Array, "*s"]:
    """The same numbers, which are not negative, out of a reduction: XLA keeps its result,
    where it would draw a number anew for each pair of units that needs it.
    """
    return jnp.max(jnp.stack([drawn, jnp.zeros_like(drawn)]), axis=0)
