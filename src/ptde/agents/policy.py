"""Policies: those that read the whole time step, and those that read local views alone."""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Int, Key

from ptde.info.base import Carry
from ptde.types import LocalView, PolicyOutput, TimeStep


class FullPolicy(eqx.Module):
    """Acts on the whole time step: in training, and in centralised execution."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of episodes in ``copies`` copies of the world."""

    @abstractmethod
    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        """The carry for the next step, and what every agent does now."""

    def sent(self, before: Carry, after: Carry) -> Int[Array, "*B"]:
        """Number of messages from the centre in the step between two carries: in each copy,
        or one number for all.
        """
        return jnp.zeros((), jnp.int32)


class LocalPolicy(eqx.Module):
    """Acts on local views: deployable. It cannot read the state: it is not given one."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of episodes in ``copies`` copies of the world."""

    @abstractmethod
    def __call__(
        self, carry: Carry, local: LocalView, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        """The carry for the next step, and every agent's action."""


class Localised(FullPolicy):
    """A full policy that hands a local one the local part of each step, nothing else."""

    policy: LocalPolicy

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.policy.start(copies, n_agents)

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        carry, action = self.policy(carry, step.local, key=key)
        return carry, PolicyOutput(action)


def localise(policy: LocalPolicy) -> FullPolicy:
    """Makes a full policy of a local one: the only bridge between the two kinds."""
    return Localised(policy)
