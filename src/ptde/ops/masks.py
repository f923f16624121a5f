"""Masks, and the one place that divides by a mask's count."""

from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ptde.ops.devices import total

T = TypeVar("T")


def masked_mean(x: Float[Array, "*b"], where: Bool[Array, "*b"]) -> Float[Array, ""]:
    """The mean of ``x``, of all devices, over the true entries of ``where``; 0 where there
    are none.
    """
    count = total(jnp.sum(where))
    return total(jnp.sum(jnp.where(where, x, 0.0))) / jnp.maximum(count, 1)


def valid_transitions(first: Bool[Array, "*b T1"]) -> Bool[Array, "*b T"]:
    """Whether each of the T transitions between T + 1 steps lies within one episode.

    The step into an episode's first observation is the world's reset, not a transition.
    """
    return ~first[..., 1:]


def without_last(steps: T) -> T:
    """Arrays [B, T + 1, ...] without the last step, after which no action is taken."""
    return jax.tree.map(lambda x: x[:, :-1], steps)


def last_steps(first: Bool[Array, "*b T1"]) -> Bool[Array, "*b T"]:
    """Whether each of the steps 1 .. T is the last of its episode or of the segment."""
    ends = jnp.ones_like(first[..., :1])
    return jnp.concatenate([first[..., 2:], ends], axis=-1)
