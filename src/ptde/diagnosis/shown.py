"""A student that is shown the whole state: what more knowledge could bring at most.

It learns as every student does. Only its O_i is longer: the observation in it is followed
by the state, and the teacher, who labels and plays, does not look there.
"""

from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ptde.agents.base import AbstractNetwork
from ptde.agents.policy import FullPolicy
from ptde.agents.team import Teacher
from ptde.algos.base import AbstractAlgorithm, Metrics
from ptde.algos.student import StudentLearner, StudentState
from ptde.info.base import AbstractRecurrentInfo, AbstractStudent, Carry
from ptde.types import EnvSpec, Info, PolicyOutput, Rollout, TimeStep


def wide(spec: EnvSpec) -> EnvSpec:
    """The sizes of a world whose observations hold the state as well."""
    return replace(spec, obs_dim=spec.obs_dim + spec.state_dim)


def show(steps: TimeStep) -> TimeStep:
    """The steps, with the state behind every observation."""
    obs = _beside(steps.local.obs, steps.state)
    return replace(steps, local=replace(steps.local, obs=obs))


def _beside(
    local: Float[Array, "*b n d"], state: Float[Array, "*b s"]
) -> Float[Array, "*b n e"]:
    everyone = (*local.shape[:-1], state.shape[-1])
    state = jnp.broadcast_to(state[..., None, :], everyone)
    return jnp.concatenate([local, state], axis=-1)


class Gap(eqx.Module):
    """Where the state stands in a longer O_i: after the observation."""

    start: int = eqx.field(static=True)
    width: int = eqx.field(static=True)

    def close(self, local: Float[Array, "*b n e"]) -> Float[Array, "*b n d"]:
        """O_i without the state."""
        parts = local[..., : self.start], local[..., self.start + self.width :]
        return jnp.concatenate(parts, axis=-1)

    def fill(
        self, local: Float[Array, "*b n d"], state: Float[Array, "*b s"]
    ) -> Float[Array, "*b n e"]:
        """O_i with the state."""
        front = _beside(local[..., : self.start], state)
        return jnp.concatenate([front, local[..., self.start :]], axis=-1)


class NarrowNetwork(AbstractNetwork):
    """A network that does not look at the state in O_i."""

    network: AbstractNetwork
    gap: Gap

    @property
    def logits(self) -> bool:  # type: ignore[override]
        """Whether the network's numbers are logits."""
        return self.network.logits

    @property
    def hidden(self) -> int:
        return self.network.hidden

    @property
    def z_dim(self) -> int:
        return self.network.z_dim

    def step(
        self, h: Float[Array, "*b n h"], local: Float[Array, "*b n e"]
    ) -> Float[Array, "*b n h"]:
        return self.network.step(h, self.gap.close(local))

    def unroll(
        self, local: Float[Array, "B T n e"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n h"]:
        return self.network.unroll(self.gap.close(local), first)

    def values(
        self, h: Float[Array, "*b n h"], z: Float[Array, "*b n z"]
    ) -> Float[Array, "*b n u"]:
        return self.network.values(h, z)


class NarrowInfo(AbstractRecurrentInfo):
    """An information module that does not look at the state in O_i: it has the other."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    info: AbstractRecurrentInfo
    gap: Gap

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.info.start(copies, n_agents)

    def step(
        self,
        carry: Carry,
        local: Float[Array, "B n e"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[Carry, Info]:
        return self.info.step(carry, self.gap.close(local), state, noise=noise)

    def unroll(
        self,
        local: Float[Array, "B T n e"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        return self.info.unroll(self.gap.close(local), state, first, noise=noise)


class ShownInfo(AbstractRecurrentInfo):
    """A student that is shown the state, as what it is: an information module."""

    stochastic = False
    z_dim: int = eqx.field(static=True)
    student: AbstractStudent
    gap: Gap

    def __init__(self, student: AbstractStudent, z_dim: int, gap: Gap):
        self.student, self.z_dim, self.gap = student, z_dim, gap

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.student.start(copies, n_agents)

    def step(
        self,
        carry: Carry,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[Carry, Info]:
        carry, z = self.student.step(carry, self.gap.fill(local, state))
        return carry, Info(z=z, mean=z)

    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        z = self.student.unroll(self.gap.fill(local, state), first)
        return Info(z=z, mean=z)


class ShownPolicy(FullPolicy):
    """A policy that is shown the state behind every observation."""

    policy: FullPolicy

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.policy.start(copies, n_agents)

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        return self.policy(carry, show(step), key=key)


@dataclass(frozen=True)
class ShownLearner(AbstractAlgorithm[StudentState]):
    """Learns a student that is shown the state; what it leaves is no decentralised team."""

    learner: StudentLearner
    """The learner, whose student reads an O_i of the width that ``wide`` says."""
    gap: Gap

    def init(
        self, example: Rollout, given: Teacher | None = None, *, key: Key[Array, ""]
    ) -> StudentState:
        assert given is not None
        info = given.info
        narrow = NarrowInfo(info.z_dim, info.stochastic, info, self.gap)
        teacher = Teacher(NarrowNetwork(given.network, self.gap), narrow)
        return self.learner.init(jax.eval_shape(_shown, example), teacher, key=key)

    def behave(self, state: StudentState) -> FullPolicy:
        return ShownPolicy(self.learner.behave(state))

    def update(
        self, state: StudentState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[StudentState, Metrics]:
        return self.learner.update(state, _shown(rollout), key=key)

    def teacher(self, state: StudentState) -> Teacher:
        narrow = state.teacher.network
        assert isinstance(narrow, NarrowNetwork)  # see ``init``
        info = ShownInfo(state.learnt.model, state.teacher.info.z_dim, self.gap)
        return Teacher(narrow.network, info)


def _shown(rollout: Rollout) -> Rollout:
    return replace(rollout, steps=show(rollout.steps))
