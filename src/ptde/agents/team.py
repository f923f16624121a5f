"""Teams: the agents' network with the part that gives it z, and their policies.

In a ``Teacher`` that part is an information module (Paper Fig. 3 (a)), in a ``Team`` a
student (Fig. 5 (b)). Both start and step as their parts do; a teacher also unrolls.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.base import AbstractNetwork
from ptde.agents.policy import FullPolicy, LocalPolicy
from ptde.info.base import AbstractRecurrentInfo, AbstractStudent, Carry
from ptde.ops.keys import row_keys
from ptde.ops.local import Sight, information, local_information
from ptde.ops.select import epsilon_greedy, masked
from ptde.types import Info, LocalView, PolicyOutput, TimeStep


class Memory(eqx.Module):
    """The recurrent state of a team within an episode."""

    h: Float[Array, "B n h"]
    """The network's hidden states."""
    carry: Carry
    """The carry of the part that gives z: information module or student."""


class Teacher(eqx.Module):
    """Network and information module: learnt in stage 1, the teacher of stage 2."""

    network: AbstractNetwork
    info: AbstractRecurrentInfo
    sight: Sight = eqx.field(static=True, default="own")

    def draw(self, steps: TimeStep, *, key: Key[Array, ""]) -> Float[Array, "..."] | None:
        """The noise that makes every agent's z at these steps a sample; None if unused."""
        return self.info.draw(steps.local.alive.shape, key=key)

    def start(self, copies: int, n_agents: int) -> Memory:
        """The memory at the start of episodes in ``copies`` copies of the world."""
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
        """Values or logits, and z, at every step of whole segments, whoever played them."""
        local = information(steps, self.sight)
        h = self.network.unroll(local, steps.first)
        info = self.info.unroll(local, steps.state, steps.first, noise=noise)
        return self.network.values(h, info.z), info

    def policy(
        self, epsilon: Float[Array, ""] | float, *, sample_z: bool
    ) -> "TeacherPolicy":
        """The team's epsilon-greedy policy, with z drawn (``sample_z``) or its mean."""
        return TeacherPolicy(self, epsilon, sample_z)


class Team(eqx.Module):
    """The team that is deployed: network, and student in the information module's place."""

    network: AbstractNetwork
    student: AbstractStudent

    def start(self, copies: int, n_agents: int) -> Memory:
        """The memory at the start of episodes in ``copies`` copies of the world."""
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
        """The epsilon-greedy policy of the team."""
        return StudentPolicy(self, epsilon)


class TeacherPolicy(FullPolicy):
    """Stage 1's epsilon-greedy policy, whose z comes from the information module."""

    teacher: Teacher
    epsilon: Float[Array, ""] | float
    """Probability of a random action, for each agent at each step."""
    sample_z: bool = eqx.field(static=True)
    """Whether z is drawn from its distribution; otherwise it is the mean."""

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
    """MAPPO's policy in training: it draws actions and z, and keeps the noise of z."""

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
        keys = row_keys(key_action, len(logits))
        action = jax.vmap(jax.random.categorical)(keys, logits).astype(jnp.int32)
        return carry, PolicyOutput(action, noise)


class StudentPolicy(LocalPolicy):
    """Stage 2's epsilon-greedy policy, whose z' comes from the student."""

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
