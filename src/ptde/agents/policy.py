"""What acts: policies that see everything, and policies that see their local view alone."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.base import AbstractNetwork
from ptde.info.base import AbstractInfo, AbstractStudent, Carry
from ptde.ops.local import Sight, information, local_information
from ptde.ops.select import epsilon_greedy, masked
from ptde.types import LocalView, PolicyOutput, TimeStep


class Memory(eqx.Module):
    """What a team with an information module remembers."""

    h: Float[Array, "B n h"]
    info: Carry

    @classmethod
    def blank(
        cls, network: AbstractNetwork, info: AbstractInfo, copies: int, n_agents: int
    ) -> "Memory":
        """At the start of an episode."""
        h = jnp.zeros((copies, n_agents, network.hidden))
        return cls(h, info.start(copies, n_agents))

    def advance(
        self,
        network: AbstractNetwork,
        info: AbstractInfo,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        noise: Float[Array, "B n z"] | None,
    ) -> tuple["Memory", Float[Array, "B n u"]]:
        """One step on, and what the network makes of it for every action."""
        h = network.step(self.h, local)
        info_carry, context = info.step(self.info, local, state, noise=noise)
        return Memory(h, info_carry), network.values(h, context.z)


class FullPolicy(eqx.Module):
    """Acts on the whole time step: in training, and in centralised execution."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of an episode, of so many copies of the world."""

    @abstractmethod
    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        """The carry of the next step, and what every agent does."""

    def sent(self, before: Carry, after: Carry) -> Int[Array, " B"]:
        """Messages from the centre to agents in the step between two carries."""
        copies = len(jax.tree.leaves(after)[0])
        return jnp.zeros(copies, jnp.int32)


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

    network: AbstractNetwork
    info: AbstractInfo
    epsilon: Float[Array, ""] | float
    """Probability of a random action, for each agent at each step."""
    sample_z: bool = eqx.field(static=True)
    """Draw z from its distribution, or use its mean."""
    sight: Sight = eqx.field(static=True, default="own")

    def start(self, copies: int, n_agents: int) -> Memory:
        return Memory.blank(self.network, self.info, copies, n_agents)

    def __call__(
        self, carry: Memory, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Memory, PolicyOutput]:
        key_z, key_action = jax.random.split(key)
        local = information(step, self.sight)
        noise = self.info.draw(local.shape[:-1], key=key_z) if self.sample_z else None
        carry, q = carry.advance(self.network, self.info, local, step.state, noise)
        action = epsilon_greedy(q, step.local.legal, self.epsilon, key=key_action)
        return carry, PolicyOutput(action)

    def sent(self, before: Memory, after: Memory) -> Int[Array, " B"]:
        copies, n_agents, _ = after.h.shape
        alike = jnp.full(copies, n_agents, jnp.int32)
        if self.sight == "all":
            return alike
        return self.info.sent(before.info, after.info, alike)


class SamplingPolicy(FullPolicy):
    """MAPPO in training: actions and z are drawn, and the noise of z is kept."""

    network: AbstractNetwork
    info: AbstractInfo

    def start(self, copies: int, n_agents: int) -> Memory:
        return Memory.blank(self.network, self.info, copies, n_agents)

    def __call__(
        self, carry: Memory, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Memory, PolicyOutput]:
        key_z, key_action = jax.random.split(key)
        local = local_information(step.local)
        noise = self.info.draw(local.shape[:-1], key=key_z)
        carry, logits = carry.advance(self.network, self.info, local, step.state, noise)
        logits = masked(logits, step.local.legal)
        action = jax.random.categorical(key_action, logits).astype(jnp.int32)
        return carry, PolicyOutput(action, noise)


class StudentPolicy(LocalPolicy):
    """Stage 2: the student in the information module's place (Paper Fig. 5 (b))."""

    network: AbstractNetwork
    student: AbstractStudent
    epsilon: Float[Array, ""] | float = 0.0
    """Probability of a random action, for each agent at each step."""

    def start(self, copies: int, n_agents: int) -> Carry:
        h = jnp.zeros((copies, n_agents, self.network.hidden))
        return h, self.student.start(copies, n_agents)

    def values(self, carry: Carry, local: LocalView) -> tuple[Carry, Float[Array, "B n u"]]:
        """The carry of the next step, and the network's number for every action."""
        h, memory = carry
        o = local_information(local)
        h = self.network.step(h, o)
        memory, z = self.student.step(memory, o)
        return (h, memory), self.network.values(h, z)

    def __call__(
        self, carry: Carry, local: LocalView, *, key: Key[Array, ""]
    ) -> tuple[Carry, Int[Array, "B n"]]:
        carry, q = self.values(carry, local)
        return carry, epsilon_greedy(q, local.legal, self.epsilon, key=key)


class Localised(FullPolicy):
    """A local policy, which is handed the local part of every step and nothing else."""

    policy: LocalPolicy

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.policy.start(copies, n_agents)

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        carry, action = self.policy(carry, step.local, key=key)
        return carry, PolicyOutput(action)


def localise(policy: LocalPolicy) -> FullPolicy:
    """A local policy where a full one is asked for: the only bridge between them."""
    return Localised(policy)
