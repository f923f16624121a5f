"""What acts: policies that see everything, and policies that see their local view alone."""

from abc import abstractmethod
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key, PyTree

from ptde.agents.utility import UtilityNetwork
from ptde.info.base import AbstractInfo, AbstractStudent
from ptde.ops.local import local_information
from ptde.ops.select import epsilon_greedy
from ptde.types import LocalView, TimeStep

Carry: TypeAlias = PyTree[Array]
"""What a policy remembers of an episode; all zeros at its start."""


class FullPolicy(eqx.Module):
    """Acts on the whole time step: in training, and in centralised execution."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of an episode, of so many copies of the world."""

    @abstractmethod
    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        """The carry of the next step, and every agent's action."""


class LocalPolicy(eqx.Module):
    """Acts on local views: deployable. It cannot read the state: it is not given one."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of an episode, of so many copies of the world."""

    @abstractmethod
    def __call__(
        self, carry: Carry, local: LocalView, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        """The carry of the next step, and every agent's action."""


class TeacherPolicy(FullPolicy):
    """Stage 1: h_o from local history, z from the information module (Paper Fig. 3 (a))."""

    network: UtilityNetwork
    info: AbstractInfo
    epsilon: Float[Array, ""] | float
    """Probability of a random action, for each agent at each step."""
    sample_z: bool = eqx.field(static=True)
    """Draw z from its distribution, or use its mean."""

    def start(self, copies: int, n_agents: int) -> Carry:
        return jnp.zeros((copies, n_agents, self.network.rnn.hidden))

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        key_z, key_action = jax.random.split(key)
        local = local_information(step.local)
        h = self.network.step(carry, local)
        z = self.info(local, step.state, key=key_z if self.sample_z else None).z
        q = self.network.values(h, z)
        return h, epsilon_greedy(q, step.local.legal, self.epsilon, key=key_action)


class StudentPolicy(LocalPolicy):
    """Stage 2: the student in the information module's place (Paper Fig. 5 (b))."""

    network: UtilityNetwork
    student: AbstractStudent
    epsilon: Float[Array, ""] | float = 0.0
    """Probability of a random action, for each agent at each step."""

    def start(self, copies: int, n_agents: int) -> Carry:
        return jnp.zeros((copies, n_agents, self.network.rnn.hidden))

    def __call__(
        self, carry: Carry, local: LocalView, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        o = local_information(local)
        h = self.network.step(carry, o)
        q = self.network.values(h, self.student(o))
        return h, epsilon_greedy(q, local.legal, self.epsilon, key=key)


class _Localised(FullPolicy):
    policy: LocalPolicy

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.policy.start(copies, n_agents)

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        return self.policy(carry, step.local, key=key)


def localise(policy: LocalPolicy) -> FullPolicy:
    """A local policy where a full one is asked for: the only bridge between them."""
    return _Localised(policy)
