"""What a world is: in JAX, where it is compiled with the team that plays it, or not."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Key, PyTree

from ptde.ops.keys import new_key
from ptde.types import EnvSpec, TimeStep

EnvState: TypeAlias = PyTree[Array]
TimeOut = Literal["bootstrap", "terminal"]
"""What a time limit means to what is learnt; see ``AbstractWorld.time_out``."""
T = TypeVar("T")


class AbstractWorld(ABC):
    """What every world has, in JAX (``AbstractEnv``) or in processes (``ProcessWorld``)."""

    spec: EnvSpec
    notes: tuple[str, ...] = ()
    """What whoever runs a team here must be told."""
    time_out: TimeOut = "bootstrap"
    """The last step of an episode that its time limit cuts has discount 1 (``bootstrap``:
    what would have followed is estimated), or 0 (``terminal``: nothing would have)."""

    @abstractmethod
    def shown(self) -> TimeStep:
        """The shapes of a step."""

    def held_out(self: T) -> T:
        """The world in which teams are tested: this one, unless it keeps data apart."""
        return self

    def episodes(self, asked: int) -> int:
        """Episodes of a test: ``asked``, unless the world has so many and no more."""
        return asked

    def observation_names(self) -> tuple[str, ...]:
        """What each entry of an observation is, in their order; for whoever feeds a team
        elsewhere.
        """
        return tuple(f"obs[{i}]" for i in range(self.spec.obs_dim))

    def action_names(self) -> tuple[str, ...]:
        """What each action is, in their order."""
        return tuple(f"action {i}" for i in range(self.spec.n_actions))

    def for_export(self) -> dict[str, Any]:
        """What ``team.json`` says of this world beside sizes and names."""
        return {}

    def keep(self, folder: Path) -> None:  # noqa: B027
        """Writes what a team needs beside its networks to be used elsewhere."""

    def check_copies(self, copies: int, seeds: int) -> None:  # noqa: B027
        """ValueError if so many copies, or seeds in one program, are too many."""

    def close(self) -> None:  # noqa: B027
        """Gives back what it holds; it may be used again."""


class AbstractEnv(AbstractWorld):
    """One copy of a world in JAX; callers ``vmap`` over copies.

    A world is described once, by ``reset_env`` and ``step_env``; ``step`` adds the restart.
    """

    @abstractmethod
    def reset_env(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """A new episode and its first step (``first`` true, reward 0, discount 1)."""

    @abstractmethod
    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Array]:
        """The next step of a running episode, and whether it is the episode's last.

        ``discount`` is 0 where the task ended and 1 at a time limit, which ``step`` may
        make 0 (``time_out``).
        """

    def shown(self) -> TimeStep:
        return jax.eval_shape(lambda key: self.reset(key=key)[1], new_key(0))

    def resets(self, copies: int, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """``copies`` new episodes."""
        return jax.vmap(lambda k: self.reset(key=k))(jax.random.split(key, copies))

    def reset(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """A new episode, as ``step`` takes it."""
        return self._restartable(self.reset_env(key=key))

    @staticmethod
    def _restartable(begun: tuple[EnvState, TimeStep]) -> tuple[EnvState, TimeStep]:
        state, step = begun
        return _typed(((state, jnp.zeros((), bool)), step))

    def step(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep]:
        """The next step; after an episode's last one, the first of a new episode."""
        inner, ended = state
        key_reset, key_step = jax.random.split(key)
        fresh, first_step = self.reset_env(key=key_reset)
        inner, step, last = self.step_env(inner, action, key=key_step)
        restart = lambda new, old: jax.tree.map(
            lambda x, y: jnp.where(ended, x, y), new, old
        )
        if self.time_out == "terminal":
            over = jnp.where(last, 0.0, step.discount)
            step = replace(step, discount=over)
        state = (restart(fresh, inner), ~ended & last)
        return _typed((state, restart(first_step, step)))


def _typed(tree: T) -> T:
    """The tree without weak types: with them a program would compile twice."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), tree)
