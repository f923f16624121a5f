"""Excursions: exploration of what takes the whole team some time.

An epsilon-greedy agent tries single actions, each for itself. Some plans pay only if all
follow them for a while: on 5m_vs_6m the team must flee together until the enemy, out of
whose sight it is, splits; then it beats one half after the other. Single random actions do
not find that, so now and then the team goes on an excursion: one action is drawn for all,
and repeated. It is the temporally extended epsilon-greedy exploration of Dabney et al.
2021 ("epsilon-z-greedy"), with one draw for the team instead of one for each agent, and in
training alone. The paper has none.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Key

from ptde.agents.policy import FullPolicy
from ptde.info.base import Carry
from ptde.ops.keys import row_uniform
from ptde.types import PolicyOutput, TimeStep


class Journey(NamedTuple):
    """The carry: the policy's own, and where each copy's team is going."""

    inner: Carry
    action: Int[Array, " B"]
    """1 + the action that all repeat; 0 where the team acts as its policy says."""


class Excursions(FullPolicy):
    """Acts as ``policy`` does, but for the team's excursions."""

    policy: FullPolicy
    share: float = eqx.field(static=True)
    """Share of the joint steps that excursions take. In (0, 1)."""
    steps: float = eqx.field(static=True)
    """Mean length of an excursion, in joint steps; lengths are geometric. >= 1."""

    def start(self, copies: int, n_agents: int) -> Journey:
        nowhere = jnp.zeros(copies, jnp.int32)
        return Journey(self.policy.start(copies, n_agents), nowhere)

    def __call__(
        self, carry: Journey, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Journey, PolicyOutput]:
        key_policy, key_journey = jax.random.split(key)
        inner, output = self.policy(carry.inner, step, key=key_policy)
        going = self._next(carry.action, step, key=key_journey)
        action = jnp.where(_can(step.local.legal, going), going[:, None] - 1, output.action)
        return Journey(inner, going), eqx.tree_at(lambda o: o.action, output, action)

    def sent(self, before: Journey, after: Journey) -> Int[Array, " B"]:
        return self.policy.sent(before.inner, after.inner)

    def _next(
        self, going: Int[Array, " B"], step: TimeStep, *, key: Key[Array, ""]
    ) -> Int[Array, " B"]:
        """Goes on, ends, or begins an excursion with an action legal for all the living.

        Episodes begin with one as often as there is one later: a team's first steps decide
        where it meets whom.
        """
        local, later = step.local, self.steps * (1.0 - self.share) + self.share
        begin = jnp.where(step.first, self.share, self.share / later)
        legal = jnp.all(local.legal | ~local.alive[..., None], axis=-2)
        noise = row_uniform(key, len(legal), (2 + legal.shape[-1],))
        goes_on = (going > 0) & (noise[:, 0] >= 1.0 / self.steps)
        drawn = 1 + jnp.argmax(jnp.where(legal, noise[:, 2:], -1.0), axis=-1)
        begun = jnp.where(legal.any(-1) & (noise[:, 1] < begin), drawn, 0)
        return jnp.where(goes_on, going, begun.astype(jnp.int32))


def _can(legal: Bool[Array, "B n u"], going: Int[Array, " B"]) -> Bool[Array, "B n"]:
    """Whether an agent's team is on an excursion whose action is legal for it."""
    wanted = jax.nn.one_hot(going - 1, legal.shape[-1], dtype=bool)
    return jnp.any(legal & wanted[:, None], axis=-1)
