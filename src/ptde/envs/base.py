"""Interfaces of worlds (environments): of all, and of those that are written in JAX."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key, PyTree

from ptde.ops.keys import new_key, row_keys
from ptde.types import EnvSpec, TimeStep

EnvState: TypeAlias = PyTree[Array]
TimeOut = Literal["bootstrap", "terminal"]
"""The two meanings of a time limit for learning; see ``AbstractWorld.time_out``."""
T = TypeVar("T")


class AbstractWorld(ABC):
    """A world, either in JAX (``AbstractEnv``) or in processes (``ProcessWorld``)."""

    spec: EnvSpec
    notes: tuple[str, ...] = ()
    """Remarks that are shown to whoever runs a team here."""
    time_out: TimeOut = "bootstrap"
    """Discount of the last step of an episode that the time limit cuts: 1 (``bootstrap``:
    the return beyond it is estimated) or 0 (``terminal``: it counts as 0)."""

    @abstractmethod
    def shown(self) -> TimeStep:
        """The shapes of a step."""

    def held_out(self: T) -> T:
        """The world in which teams are tested: this one, unless it keeps data apart."""
        return self

    def episodes(self, asked: int) -> int:
        """Episodes of a test: ``asked``, unless the world has a fixed number of them."""
        return asked

    def observation_names(self) -> tuple[str, ...]:
        """The name of each entry of an observation, for those who use a team elsewhere."""
        return tuple(f"obs[{i}]" for i in range(self.spec.obs_dim))

    def action_names(self) -> tuple[str, ...]:
        """The name of each action."""
        return tuple(f"action {i}" for i in range(self.spec.n_actions))

    def for_export(self) -> dict[str, Any]:
        """Entries of ``team.json`` for this world, beside its sizes and names."""
        return {}

    def keep(self, folder: Path) -> None:  # noqa: B027
        """Writes the files that a team needs beside its networks to be used elsewhere."""

    def check_copies(self, copies: int, seeds: int) -> None:  # noqa: B027
        """Raises ValueError if there are too many copies, or seeds in one program."""

    def close(self) -> None:  # noqa: B027
        """Releases processes and memory; the world may be used again."""


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
        return jax.vmap(lambda k: self.reset(key=k))(row_keys(key, copies))

    def reset(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        """A new episode, with the state in the form that ``step`` takes."""
        return self._restartable(self.reset_env(key=key))

    @staticmethod
    def _restartable(begun: tuple[EnvState, TimeStep]) -> tuple[EnvState, TimeStep]:
        state, step = begun
        return typed(((state, jnp.zeros((), bool)), step))

    def step(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep]:
        """The next step; after an episode's last one, the first of a new episode."""
        inner, ended = state
        key_reset, key_step = jax.random.split(key)
        fresh, first_step = self.reset_env(key=key_reset)
        inner, step, last = self.step_env(inner, action, key=key_step)
        step = restarted(ended, first_step, self.timed(step, last))
        return typed(((restarted(ended, fresh, inner), ~ended & last), step))

    def timed(self, step: TimeStep, last: Bool[Array, ""]) -> TimeStep:
        """The step with the meaning of a time limit that ``time_out`` gives, if it is the
        ``last`` of an episode.
        """
        if self.time_out == "bootstrap":
            return step
        return replace(step, discount=jnp.where(last, 0.0, step.discount))


def restarted(ended: Bool[Array, ""], fresh: T, running: T) -> T:
    """A new episode's tree if the old one has ended, else the running one's."""
    return jax.tree.map(lambda x, y: jnp.where(ended, x, y), fresh, running)


def typed(tree: T) -> T:
    """The tree without weak types, with which a program would be compiled twice."""
    return jax.tree.map(lambda x: jax.lax.convert_element_type(x, x.dtype), tree)
