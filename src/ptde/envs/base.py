"""What a world is."""

from abc import ABC, abstractmethod
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from ptde.types import EnvSpec, TimeStep

EnvState: TypeAlias = PyTree[Array]
T = TypeVar("T")


class AbstractEnv(ABC):
    """One copy of a world in JAX; callers ``vmap`` over copies.

    A world is described once, by ``begin`` and ``advance``; ``step`` adds the restart.
    """

    spec: EnvSpec

    @abstractmethod
    def begin(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """A new episode and its first step (``first`` true, reward 0, discount 1)."""

    @abstractmethod
    def advance(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Array]:
        """The next step of a running episode, and whether it is the episode's last.

        ``discount`` is 0 where the task ended and 1 at a time limit.
        """

    def reset(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """A new episode, as ``step`` takes it."""
        state, step = self.begin(key=key)
        return _typed(((state, jnp.zeros((), bool)), step))

    def step(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep]:
        """The next step; after an episode's last one, the first of a new episode."""
        inner, ended = state
        key_begin, key_advance = jax.random.split(key)
        fresh, first_step = self.begin(key=key_begin)
        inner, step, last = self.advance(inner, action, key=key_advance)
        restart = lambda new, old: jax.tree.map(  # noqa: E731
            lambda x, y: jnp.where(ended, x, y), new, old
        )
        state = (restart(fresh, inner), ~ended & last)
        return _typed((state, restart(first_step, step)))


def _typed(tree: T) -> T:
    """The tree without weak types: with them a program would compile twice."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), tree)
