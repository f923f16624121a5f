"""Physics of a joint step: units move, shoot and push each other apart for 8 ticks.

A tick is few operations over pairs of units, without gathers and scatters: XLA runs each
as one kernel on a CPU, where starting one takes longer than its arithmetic.
"""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ptde.envs.battle.units import (
    DAMAGE,
    RADIUS,
    RANGE,
    RELOAD,
    SIZE,
    SPEED,
    STOP,
    TICK,
    TICKS,
    Kinds,
    Units,
    heading,
    of,
)

SOONEST, LATEST = -TICK, 2 * TICK
"""Bounds of the uniform deviation of a weapon's time to reload, in seconds."""

Moving = tuple[Array, Array, Array]
"""What changes in a tick: ``place``, ``health`` and ``reload`` of ``Units``."""


class Orders(eqx.Module):
    """What the units do during a joint step."""

    order: Int[Array, "*b U"]
    """Orders in each team's own numbers; an attack on whom is out of range does nothing."""
    target: Int[Array, "*b U"]
    """Whom each unit attacks, by its number in ``Units``; -1: nobody."""


def orders_of(order: Int[Array, " U"], n: int) -> Orders:
    """The orders of n allies and their enemies, each given in its team's own numbers."""
    foe = order - (STOP + 1)
    target = jnp.concatenate([foe[:n] + n, n - 1 - foe[n:]])
    return Orders(order=order, target=jnp.where(foe >= 0, target, -1))


def advance(
    units: Units, orders: Orders, kinds: Kinds, deviation: Float[Array, " U"], edge: bool
) -> Units:
    """The units after a joint step.

    Args:
        units: the units before it.
        orders: what they do.
        kinds: their types.
        deviation: what is added to the time that a weapon which fires takes to reload, in
            [SOONEST, LATEST] seconds. One number a unit: no weapon fires twice in a joint
            step, as the fastest takes 7 of its 8 ticks to reload.
        edge: whether the edge of the map kills.
    """
    tick = _tick(orders, kinds, deviation, edge)
    moving = units.place, units.health, units.reload
    moving = jax.lax.fori_loop(0, TICKS, lambda _, now: tick(now), moving)
    place, health, reload = moving
    order = orders.order
    return replace(units, place=place, health=health, reload=reload, order=order)


def moments(
    units: Units, orders: Orders, kinds: Kinds, deviation: Float[Array, " U"], edge: bool
) -> Units:
    """The units after each tick of a joint step (``advance``), [8, U]."""
    tick = _tick(orders, kinds, deviation, edge)
    moving = units.place, units.health, units.reload
    again = lambda now, _: (tick(now),) * 2
    _, film = jax.lax.scan(again, moving, None, length=TICKS)
    wide = lambda x: jnp.broadcast_to(x, (TICKS, *x.shape))
    still = jax.tree.map(wide, (orders.order, units.kind))
    return Units(*film, *still)


def _tick(
    orders: Orders, kinds: Kinds, deviation: Float[Array, " U"], edge: bool
) -> Callable[[Moving], Moving]:
    """A function that makes one tick; what does not change in it is computed here."""
    numbers = np.arange(orders.order.shape[-1])
    aims_at = orders.target == numbers[:, None]  # [j, i]: i aims at j
    aimed = orders.target[:, None] == numbers  # the same, [i, j]
    move = of(SPEED, kinds) * np.float32(TICK) * jnp.stack(heading(orders.order))
    reach = of(RANGE, kinds) ** 2
    damage = of(DAMAGE, kinds).astype(jnp.int32)  # sums of integers are vectorised
    again = of(RELOAD, kinds) + deviation
    radii = _radii(kinds)

    def tick(now: Moving) -> Moving:
        place, health, reload = now
        (x, y), alive = place, health > 0.0
        near = (x[:, None] - x) ** 2 + (y[:, None] - y) ** 2 < reach
        hits = jnp.any(aims_at & near & alive[:, None], axis=0)
        fires = hits & alive & (reload <= 0.0)
        lost = jnp.sum(jnp.where(aimed & fires[:, None], damage[:, None], 0), axis=0)
        reload = jnp.where(fires, again, reload - TICK)
        place = jnp.where(alive, jnp.clip(place + move, 0.0, SIZE), place)
        health = jnp.maximum(health - lost.astype(jnp.float32), 0.0)
        if edge:
            inside = ((place > 0.0) & (place < SIZE)).all(axis=0)
            health = jnp.where(inside, health, 0.0)
        return _apart(place, health > 0.0, radii), health, reload

    return tick


def pushed(place: Float[Array, "2 U"], kinds: Kinds) -> Float[Array, "2 U"]:
    """Where living units come to stand that overlap at the start."""
    return _apart(place, jnp.ones(place.shape[1], bool), _radii(kinds))


def _radii(kinds: Kinds) -> Float[np.ndarray | Array, "U U"]:
    radius = of(RADIUS, kinds)
    return radius[:, None] + radius


def _apart(
    place: Float[Array, "2 U"],
    alive: Bool[Array, " U"],
    radii: Float[np.ndarray | Array, "U U"],
) -> Float[Array, "2 U"]:
    """Pushes living units that overlap apart, each by half of the overlap."""
    x, y = place
    dx, dy = x - x[:, None], y - y[:, None]  # [j, i]: from j to i
    distance = jnp.sqrt(dx * dx + dy * dy) + 1e-6
    overlap = jnp.maximum(radii / distance - 1.0, 0.0)
    half = jnp.where(alive[:, None] & alive, 0.5 * overlap, 0.0)
    zero, add = np.float32(0.0), lambda a, b: (a[0] + b[0], a[1] + b[1])
    # both sums in one kernel, which then need not write what it adds up
    off = jax.lax.reduce((dx * half, dy * half), (zero, zero), add, (0,))
    return place + jnp.stack(off)
