"""The replay: segments of the last collections, kept by the copies that played them.

It stands in *lanes*: each keeps the segments of some copies of the world, and gives as many
segments to every batch. So a program on several devices (``ops/devices``) keeps some of the
lanes on each, and no segment ever moves.
"""

from dataclasses import replace
from math import gcd

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from ptde.ops.keys import row_keys


def lanes(copies: int, batch: int) -> int:
    """The number of lanes: as many as give each as many copies, and rows of a batch."""
    return gcd(copies, batch)


class Replay(eqx.Module):
    """Segments of the last collections; the oldest give way to new ones."""

    segments: PyTree[Array]
    """Leaves [lanes, slots, ...]."""
    at: Int[Array, ""]
    """The slot that is written next, in every lane."""
    filled: Int[Array, ""]
    """The number of slots with segments."""
    each: int = eqx.field(static=True)
    """Segments of every lane in a batch."""

    @classmethod
    def new(cls, example: PyTree, capacity: int, batch: int) -> "Replay":
        """An empty replay.

        Args:
            example: a rollout, or its shapes: leaves [copies, ...].
            capacity: segments; rounded up to whole collections.
            batch: segments of a sample.
        """
        copies = len(jax.tree.leaves(example)[0])
        number = lanes(copies, batch)
        slots = -(-capacity // copies) * (copies // number)
        room = lambda x: jnp.zeros((number, slots, *x.shape[1:]), x.dtype)
        zero = jnp.zeros((), jnp.int32)
        return cls(jax.tree.map(room, example), zero, zero, batch // number)

    @classmethod
    def of(cls, segments: PyTree, batch: int, number: int) -> "Replay":
        """A full replay of the given segments, [segments, ...].

        Args:
            segments: as many in each lane, one lane after the other.
            batch: segments of a sample.
            number: of lanes.
        """
        slots = len(jax.tree.leaves(segments)[0]) // number
        zero = jnp.zeros((), jnp.int32)
        in_lanes = lambda x: x.reshape(number, slots, *x.shape[1:])
        kept = jax.tree.map(in_lanes, segments)
        return cls(kept, zero, zero + slots, batch // number)

    @property
    def shape(self) -> tuple[int, int]:
        """Lanes, and slots of each."""
        number, slots = jax.tree.leaves(self.segments)[0].shape[:2]
        return number, slots

    def add(self, rollout: PyTree) -> "Replay":
        """The replay with one more collection, [copies, ...]."""
        number, slots = self.shape
        more = len(jax.tree.leaves(rollout)[0]) // number

        def write(old, new):
            new = new.reshape(number, more, *new.shape[1:])
            return jax.lax.dynamic_update_slice_in_dim(old, new, self.at, axis=1)

        return replace(
            self,
            segments=jax.tree.map(write, self.segments, rollout),
            at=(self.at + more) % slots,
            filled=jnp.minimum(self.filled + more, slots),
        )

    def sample(self, *, key: Key[Array, ""]) -> PyTree:
        """A batch, [batch, ...], drawn with replacement from what there is."""
        number, _ = self.shape
        draw = lambda k: jax.random.randint(k, (self.each,), 0, self.filled)
        slot = jax.vmap(draw)(row_keys(key, number)).reshape(-1)
        lane = jnp.repeat(jnp.arange(number), self.each)
        return jax.tree.map(lambda x: x[lane, slot], self.segments)
