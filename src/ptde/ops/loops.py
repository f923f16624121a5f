"""A loop whose number of rounds is an argument, so that another number compiles nothing."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree

S = TypeVar("S", bound=PyTree)
T = TypeVar("T", bound=PyTree)


def repeat(
    step: Callable[[S], tuple[S, T]], state: S, count: Int[Array, ""] | int, most: int
) -> tuple[S, T]:
    """Takes ``count`` steps, of at most ``most``.

    Returns:
        The state after them, and what each step gave, leaves [most, ...] with zeros behind.
    """
    empty = jax.tree.map(
        lambda x: jnp.zeros((most, *x.shape), x.dtype), jax.eval_shape(step, state)[1]
    )

    def one(i, carry):
        state, given = carry
        state, new = step(state)
        return state, jax.tree.map(lambda x, y: x.at[i].set(y), given, new)

    return jax.lax.fori_loop(0, count, one, (state, empty))
