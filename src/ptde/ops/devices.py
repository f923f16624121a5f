"""Batches whose rows are divided over devices: the one place that knows of the others.

A program that learns one seed on several devices runs on each of them, with that device's
share of the copies of the world and of every batch (``rollout/devices.py`` divides it).
Networks are the same on all. Means over a batch are taken over all devices
(``ops/masks``), what a row draws depends on its number (``ops/keys``), and learners average
their gradients; no other code sees that there are other devices. A program that acts in
some copies of a world, while other machines act in the rest, says how many come before its
own (``rows_after``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

COPIES = "copies"
"""The mesh axis over which the copies of the world are divided."""

_before: ContextVar[Int[Array, ""] | int] = ContextVar("_before", default=0)


def total(x: PyTree) -> PyTree:
    """The sums over all devices of what each has computed from its own rows."""
    return jax.lax.psum(x, COPIES) if _divided() else x


def averaged(gradient: PyTree) -> PyTree:
    """The mean over all devices of a loss's gradients, each by the device's own rows."""
    return jax.lax.pmean(gradient, COPIES) if _divided() else gradient


def row_numbers(rows: int) -> Int[Array, " rows"]:
    """The numbers of this device's ``rows`` rows among those of all devices."""
    first = jax.lax.axis_index(COPIES) * rows if _divided() else _before.get()
    return first + jnp.arange(rows)


@contextmanager
def rows_after(number: Int[Array, ""] | int) -> Iterator[None]:
    """A context in which what is traced works on rows that come after so many others."""
    token = _before.set(number)
    try:
        yield
    finally:
        _before.reset(token)


def _divided() -> bool:
    """Whether what is being traced is one device's share of a program."""
    return COPIES in jax.sharding.get_abstract_mesh().manual_axes
