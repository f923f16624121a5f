"""Units of SMAX's battles: their types, and what changes in a battle."""

from typing import TypeAlias

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

SIZE = 32.0
"""Width and height of a map, in map units."""
TICKS = 8
"""Ticks of a joint step."""
TICK = 1 / 16
"""Seconds of a tick."""
STOP = 4
"""The order to do nothing; 0 .. 3 move north (+y), east (+x), south and west, and
``STOP + 1 + j`` attacks the ``j``-th foe. The enemy counts its foes, our allies, from the
last to the first, as its observation in SMAX does."""

NAMES = ("marine", "marauder", "stalker", "zealot", "zergling", "hydralisk")
"""Unit types by SMAX's numbers, of which the tables below hold one row each."""
LETTERS = ("m", "M", "s", "Z", "z", "h")


def _table(*values: float | int) -> np.ndarray:
    return np.array(values, np.float32)


SPEED = _table(3.15, 2.25, 4.13, 3.15, 4.13, 3.15)
"""Map units a second."""
DAMAGE = _table(9, 10, 13, 8, 5, 12)
"""Health that a shot takes."""
RANGE = _table(5, 6, 6, 2, 2, 5)
"""Map units between the centres within which a unit may shoot."""
SIGHT = _table(9, 10, 10, 9, 8, 9)
"""Map units within which a unit sees."""
RADIUS = _table(0.375, 0.5625, 0.625, 0.5, 0.375, 0.625)
"""Map units; units that overlap push each other apart."""
HEALTH = _table(45, 125, 160, 150, 35, 80)
"""Health at the start."""
RELOAD = _table(0.61, 1.07, 1.87, 0.86, 0.5, 0.59)
"""Seconds between two shots, before the random deviation."""

Kinds: TypeAlias = Int[np.ndarray | Array, " U"]
"""The type of each unit: NumPy's where the map fixes it, so that tables are constants."""


class Units(eqx.Module):
    """All U units of a battle, the team's n first, at one moment."""

    place: Float[Array, "*b 2 U"]
    """x and y: map units from the western and the southern edge; the dead stay where they
    fell."""
    health: Float[Array, "*b U"]
    """0 for the dead."""
    reload: Float[Array, "*b U"]
    """Seconds until the weapon may fire; negative if it has been able to for a while."""
    order: Int[Array, "*b U"]
    """The last joint step's orders, in each team's own numbers (see ``STOP``)."""
    kind: Int[Array, "*b U"] | None = None
    """Types, where battles draw them; None where the map fixes them."""

    @property
    def x(self) -> Float[Array, "*b U"]:
        """Map units from the western edge."""
        return self.place[..., 0, :]

    @property
    def y(self) -> Float[Array, "*b U"]:
        """Map units from the southern edge."""
        return self.place[..., 1, :]

    @property
    def alive(self) -> Bool[Array, "*b U"]:
        """Who lives."""
        return self.health > 0.0


def heading(order: Int[Array, "*b U"]) -> tuple[Float[Array, "*b U"], Float[Array, "*b U"]]:
    """How far each order moves a unit to the east and to the north: 1, 0 or -1."""
    sign = lambda plus, minus: jnp.where(
        order == plus, 1.0, jnp.where(order == minus, -1.0, 0.0)
    )
    return sign(1, 3), sign(0, 2)


def of(table: np.ndarray, kinds: Kinds) -> Float[np.ndarray | Array, " U"]:
    """Each unit's entry of a table of types."""
    if isinstance(kinds, np.ndarray):
        return table[kinds]
    return jnp.asarray(table)[kinds]
