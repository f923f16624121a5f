"""Teams: the agents' network with what gives it z, and how the two act together.

A ``Teacher`` has an information module (Paper Fig. 3 (a)), a ``Team`` a student in its
place (Fig. 5 (b)). Both start, step and unroll as their parts do.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.base import AbstractNetwork
from ptde.agents.policy import FullPolicy, LocalPolicy
from ptde.info.base import AbstractRecurrentInfo, AbstractStudent, Carry
from ptde.ops.local import Sight, information, local_information
from ptde.ops.select import epsilon_greedy, masked
from ptde.types import Info, LocalView, PolicyOutput, TimeStep


class Memory(eqx.Module):
    """What a team remembers of an episode."""

    h: Float[Array, "B n h"]
    """The network's hidden states."""
    carry: Carry
    """Of what gives z: the information module or the student."""


class Teacher(eqx.Module):
    """What stage 1 learns and hands to stage 2: network and information module."""

    network: AbstractNetwork
    info: AbstractRecurrentInfo
    sight: Sight = eqx.field(static=True, default="own")

    def draw(self, steps: TimeStep, *, key: Key[Array, ""]) -> Float[Array, "..."] | None:
        """The noise that makes z of every agent at these steps a sample; None if unused."""
        return self.info.draw(steps.local.alive.shape, key=key)

    def start(self, copies: int, n_agents: int) -> Memory:
        """At the start of an episode, of so many copies of the world."""
        h = jnp.zeros((copies, n_agents, self.network.hidden))
        return Memory(h, self.info.start(copies, n_agents))

    def step(
        self, memory: Memory, step: TimeStep, *, noise: Float[Array, "B n z"] | None = None
    ) -> tuple[Memory, Float[Array, "B n u"], Info]:
        """One step: values or logits of every action, and z (its mean without noise)."""
        local = information(step, self.sight)
        h = self.network.step(memory.h, local)
        carry, info = self.info.step(memory.carry, local, step.state, noise=noise)
        return Memory(h, carry), self.network.values(h, info.z), info

    def unroll(
        self, steps: TimeStep, *, noise: Float[Array, "B T n z"] | None = None
    ) -> tuple[Float[Array, "B T n u"], Info]:
        """The same for whole segments, whoever played them."""
        local = information(steps, self.sight)
        h = self.network.unroll(local, steps.first)
        info = self.info.unroll(local, steps.state, steps.first, noise=noise)
        return self.network.values(h, info.z), info

    def policy(
        self, epsilon: Float[Array, ""] | float, *, sample_z: bool
    ) -> "TeacherPolicy":
        """The team, greedy but for ``epsilon``; z is drawn or its mean."""
        return TeacherPolicy(self, epsilon, sample_z)


class Team(eqx.Module):
    """What is deployed: a network, and the student in the information module's place."""

    network: AbstractNetwork
    student: AbstractStudent

    def start(self, copies: int, n_agents: int) -> Memory:
        """At the start of an episode, of so many copies of the world."""
        h = jnp.zeros((copies, n_agents, self.network.hidden))
        return Memory(h, self.student.start(copies, n_agents))

    def step(
        self, memory: Memory, local: LocalView
    ) -> tuple[Memory, Float[Array, "B n u"], Float[Array, "B n z"]]:
        """One step of an episode: values or logits of every action, and z'."""
        o = local_information(local)
        h = self.network.step(memory.h, o)
        carry, z = self.student.step(memory.carry, o)
        return Memory(h, carry), self.network.values(h, z), z

    def policy(self, epsilon: Float[Array, ""] | float = 0.0) -> "StudentPolicy":
        """The team, greedy but for ``epsilon``."""
        return StudentPolicy(self, epsilon)


class TeacherPolicy(FullPolicy):
    """Stage 1: epsilon-greedy, with what the information module tells."""

    teacher: Teacher
    epsilon: Float[Array, ""] | float
    """Probability of a random action, for each agent at each step."""
    sample_z: bool = eqx.field(static=True)
    """Draw z from its distribution, or use its mean."""

    def start(self, copies: int, n_agents: int) -> Memory:
        return self.teacher.start(copies, n_agents)

    def __call__(
        self, carry: Memory, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Memory, PolicyOutput]:
        key_z, key_action = jax.random.split(key)
        noise = self.teacher.draw(step, key=key_z) if self.sample_z else None
        carry, q, _ = self.teacher.step(carry, step, noise=noise)
        action = epsilon_greedy(q, step.local.legal, self.epsilon, key=key_action)
        return carry, PolicyOutput(action)

    def sent(self, before: Memory, after: Memory) -> Int[Array, " B"]:
        copies, n_agents, _ = after.h.shape
        alike = jnp.full(copies, n_agents, jnp.int32)
        if self.teacher.sight == "all":
            return alike
        return self.teacher.info.sent(before.carry, after.carry, alike)


class SamplingPolicy(FullPolicy):
    """MAPPO in training: actions and z are drawn, and the noise of z is kept."""

    teacher: Teacher

    def start(self, copies: int, n_agents: int) -> Memory:
        return self.teacher.start(copies, n_agents)

    def __call__(
        self, carry: Memory, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Memory, PolicyOutput]:
        key_z, key_action = jax.random.split(key)
        noise = self.teacher.draw(step, key=key_z)
        carry, logits, _ = self.teacher.step(carry, step, noise=noise)
        logits = masked(logits, step.local.legal)
        action = jax.random.categorical(key_action, logits).astype(jnp.int32)
        return carry, PolicyOutput(action, noise)


class StudentPolicy(LocalPolicy):
    """Stage 2: epsilon-greedy, with the student in the information module's place."""

    team: Team
    epsilon: Float[Array, ""] | float = 0.0
    """Probability of a random action, for each agent at each step."""

    def start(self, copies: int, n_agents: int) -> Memory:
        return self.team.start(copies, n_agents)

    def __call__(
        self, carry: Memory, local: LocalView, *, key: Key[Array, ""]
    ) -> tuple[Memory, Int[Array, "B n"]]:
        carry, q, _ = self.team.step(carry, local)
        return carry, epsilon_greedy(q, local.legal, self.epsilon, key=key)
