"""Recording how a policy values every action, with z and without, while it acts."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ptde.agents.policy import FullPolicy, Localised
from ptde.agents.team import StudentPolicy, TeacherPolicy
from ptde.info.base import Carry
from ptde.types import PolicyOutput, TimeStep


class ActionValues(eqx.Module):
    """How every agent valued its actions at one step."""

    values: Float[Array, "B n u"]
    """Action values, or MAPPO's logits."""
    without: Float[Array, "B n u"]
    """The values that z = 0 would have given at this step. Heads are affine in z, so
    ``values - without`` is the part of z."""
    legal: Bool[Array, "B n u"]


class Watched(FullPolicy):
    """Acts as ``policy`` does, and carries its ``ActionValues`` beside its carry."""

    policy: FullPolicy
    n_actions: int = eqx.field(static=True)

    def start(self, copies: int, n_agents: int) -> Carry:
        nothing = jnp.zeros((copies, n_agents, self.n_actions))
        valued = ActionValues(nothing, nothing, nothing.astype(bool))
        return self.policy.start(copies, n_agents), valued

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        before, _ = carry
        after, output = self.policy(before, step, key=key)
        return (after, self._values(before, step, key)), output

    def _values(self, before: Carry, step: TimeStep, key: Key[Array, ""]) -> ActionValues:
        """The values, computed as the policies in ``agents/team.py`` compute theirs."""
        policy = self.policy
        if isinstance(policy, TeacherPolicy):
            teacher, (key_z, _) = policy.teacher, jax.random.split(key)
            noise = teacher.draw(step, key=key_z) if policy.sample_z else None
            network = teacher.network
            memory, values, info = teacher.step(before, step, noise=noise)
            z = info.z
        else:
            assert isinstance(policy, Localised) and isinstance(
                policy.policy, StudentPolicy
            )
            network = policy.policy.team.network
            memory, values, z = policy.policy.team.step(before, step.local)
        without = network.values(memory.h, jnp.zeros_like(z))
        return ActionValues(values, without, step.local.legal)


def watched(policy: FullPolicy, n_actions: int) -> FullPolicy:
    """The policy in a ``Watched`` if it is one of ptde's, any other as it is."""
    inner = policy.policy if isinstance(policy, Localised) else policy
    ours = isinstance(inner, TeacherPolicy | StudentPolicy)
    return Watched(policy, n_actions) if ours else policy


def values_of(policy: FullPolicy, carry: Carry) -> ActionValues | None:
    """The ``ActionValues`` of the step that left this carry; None if it has none."""
    return carry[1] if isinstance(policy, Watched) else None
