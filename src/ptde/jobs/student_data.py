"""The fixed data of a student: segments, or single rows of them."""

import equinox as eqx
import jax
import jax.numpy as jnp

from ptde.algos.replay import Replay
from ptde.distill.objectives import Labelled


class Data(eqx.Module):
    """A student's data: segments, or rows, which are segments of one step and agent."""

    learnt: Replay
    """Items to learn from."""
    held_out: Labelled
    """Items for the test loss."""


def rows_of(seen: Labelled) -> Labelled:
    """Every step of every agent as a segment of its own, for students without memory."""
    items, time, agents, _ = seen.local.shape
    first = jnp.ones((items * time * agents, 1), bool)

    def apart(x):
        return x.reshape(items * time * agents, 1, 1, *x.shape[3:])

    parts = (seen.legal, seen.counts, seen.z, seen.h)
    return Labelled(apart(seen.local), first, *map(apart, parts))


def axes_of(data: Data) -> Data:
    """The axes of a student's data, for the division of what learns from it."""
    whole = jax.tree.map(lambda _: False, data)
    parts = jax.tree.map(lambda _: True, data.learnt.segments)
    return eqx.tree_at(lambda d: d.learnt.segments, whole, parts)
