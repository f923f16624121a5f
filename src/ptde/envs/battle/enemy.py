"""The scripted enemy of SMAX: it walks towards the team, and shoots whom it can.

The rules are those of ``jaxmarl``'s ``create_heuristic_policy``, on the units themselves
instead of the observations of them.
"""

from typing import Literal

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ptde.envs.battle.units import RANGE, SIGHT, SIZE, STOP, Kinds, Units, of

AttackMode = Literal["closest", "random"]


class Memory(eqx.Module):
    """What the E enemies remember."""

    goal: Float[Array, "*b 2 E"]
    """Where each walks when it sees nobody, x and y: its first place, turned by 180 degrees
    about the map's centre."""
    prey: Int[Array, "*b E"]
    """The ally whom each attacked last; -1 if he is out of range, dead or was never."""


def memory_of(units: Units, n: int) -> Memory:
    """The memory at the start of a battle, when the enemies stand where they begin."""
    goal = SIZE / 2 - (units.place[:, n:] - SIZE / 2)
    return Memory(goal=goal, prey=jnp.full(goal.shape[1], -1, jnp.int32))


def decide(
    units: Units,
    memory: Memory,
    kinds: Kinds,
    mode: AttackMode,
    luck: Float[Array, "2 E"],
) -> tuple[Int[Array, " E"], Memory]:
    """The enemies' orders, in their own numbers.

    Args:
        units: all units.
        memory: what the enemies remember.
        kinds: the units' types.
        mode: whom they attack of those in range, if not whom they attacked last.
        luck: in [0, 1): it decides whom each attacks, if at random, and whom it follows.
    """
    n = units.x.shape[0] - memory.prey.shape[0]
    x, y, alive = units.x, units.y, units.alive
    dx, dy = x[:n] - x[n:, None], y[:n] - y[n:, None]  # [E, n]: from enemy to ally
    square = dx**2 + dy**2
    sight, reach = of(SIGHT, kinds)[n:, None], of(RANGE, kinds)[n:, None]
    seen = (square < sight**2) & alive[:n] & alive[n:, None]
    in_range = seen & (square < reach**2)
    again = np.arange(n) == memory.prey[:, None]
    if mode == "closest":
        near = jnp.where(again, -1.0, jnp.where(in_range, square, jnp.inf))
        near = jnp.where(in_range, near, jnp.inf)
        chosen = in_range & (near == jnp.min(near, axis=1, keepdims=True))
        prey = _last(chosen)
    else:
        kept, prey = _last(in_range & again), _last(_drawn(in_range, luck[0]))
        prey = jnp.where(kept >= 0, kept, prey)
    followed = _last(_drawn(seen, luck[1]))
    to = jnp.where(followed >= 0, units.place[:, followed], memory.goal)
    way = _towards(to - units.place[:, n:])
    order = jnp.where(prey >= 0, STOP + n - prey, way)
    return order, Memory(goal=memory.goal, prey=prey)


def _towards(offset: Float[Array, "2 E"]) -> Int[Array, " E"]:
    """The move along the longer way; of equals the first of north, east, south, west."""
    dx, dy = offset
    most = jnp.maximum(jnp.abs(dx), jnp.abs(dy))
    south_or_west = jnp.where(-dy == most, 2, 3)
    return jnp.where(dy == most, 0, jnp.where(dx == most, 1, south_or_west))


def _drawn(mask: Bool[Array, "E n"], luck: Float[Array, " E"]) -> Bool[Array, "E n"]:
    """One of each row's true entries, all equally likely; none where there is none.

    As ``jaxmarl`` does, it takes the first entry, counted from the last ally, at which the
    share of the entries so far reaches ``1 - luck``.
    """
    n = mask.shape[1]
    later = np.triu(np.ones((n, n), bool))  # [j, k]: j <= k; sums beat a cumsum here
    count = jnp.sum(mask[:, None] & later, axis=-1)
    wanted = jnp.ceil((1.0 - luck[:, None]) * count[:, :1])
    return mask & (count == wanted)


def _last(mask: Bool[Array, "E n"]) -> Int[Array, " E"]:
    """The last true entry of each row, SMAX's first; -1 if there is none."""
    return jnp.max(jnp.where(mask, np.arange(mask.shape[1], dtype=np.int32), -1), axis=1)
