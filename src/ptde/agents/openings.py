"""Openings: exploration of what takes the whole team some time.

An epsilon-greedy agent tries single actions, each for itself. Some plans pay only if all
follow them for a while: on 5m_vs_6m the team must flee together until the enemy, out of
whose sight it is, splits; then it beats one half after the other. Single random actions do
not find that. So some episodes of training begin with an opening: all agents repeat one
action for some steps, then play as they have learnt. Every other opening is drawn; the rest
repeat the one after which the team has had most, lest a good one drown among the others.

It is the temporally extended epsilon-greedy exploration of Dabney et al. 2021
("epsilon-z-greedy"), with one draw for the team instead of one for each agent, where an
episode begins, and with a bandit that chooses. The paper has none.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.agents.policy import FullPolicy
from ptde.info.base import Carry
from ptde.ops.devices import total
from ptde.ops.keys import row_uniform
from ptde.types import PolicyOutput, Rollout, TimeStep

LENGTHS = (4, 8, 16)
"""Joint steps of an opening."""
REPEATED = 0.5
"""Share of the openings that repeat the one that has paid most."""
MEMORY = 0.985
"""What is left of a past episode's weight after each collection."""


class OpeningBandit(eqx.Module):
    """The returns after each opening, recent ones above all.

    Openings have numbers: 0 is to have none, ``1 + action * len(LENGTHS) + i`` to repeat
    the action for ``LENGTHS[i]`` steps.
    """

    returned: Float[Array, " K"]
    """Sums of the returns of whole episodes, forgotten by and by."""
    episodes: Float[Array, " K"]
    """Their number, forgotten likewise."""

    @classmethod
    def new(cls, n_actions: int) -> "OpeningBandit":
        zero = jnp.zeros(1 + n_actions * len(LENGTHS))
        return cls(zero, zero)

    def add(self, rollout: Rollout) -> "OpeningBandit":
        """Counts each copy's first episode, which is whole: a segment begins with it."""
        if rollout.opening is None:  # played by a policy that has none
            return self
        first = rollout.steps.first
        in_first = jnp.cumsum(first[:, 1:], axis=1) == 0
        returned = jnp.sum(rollout.steps.reward[:, 1:] * in_first, axis=1)
        opening = jax.nn.one_hot(rollout.opening[:, 0], len(self.episodes))
        return OpeningBandit(
            MEMORY * self.returned + total(returned @ opening),
            MEMORY * self.episodes + total(jnp.sum(opening, axis=0)),
        )

    def best(self) -> Int[Array, ""]:
        """The opening with the highest mean return; 0 before one was seen.

        Of a few episodes nobody can tell: each opening's mean has two of the mean without
        or, where every episode has one, of the mean of all.
        """
        all_have = self.episodes[0] == 0
        returned = jnp.where(all_have, self.returned.sum(), self.returned[0])
        episodes = jnp.where(all_have, self.episodes.sum(), self.episodes[0])
        usual = returned / jnp.maximum(episodes, 1e-6)
        mean = (self.returned + 2.0 * usual) / (self.episodes + 2.0)
        seen = (self.episodes > 0.5).at[0].set(False)
        return jnp.argmax(jnp.where(seen, mean, -jnp.inf))


class OpeningCarry(NamedTuple):
    """The carry: the policy's own, and how far each copy's team has come."""

    inner: Carry
    opening: Int[Array, " B"]
    """The episode's opening; 0: none."""
    left: Int[Array, " B"]
    """Joint steps of it that are left."""


class Openings(FullPolicy):
    """Acts as ``policy`` does, but for the openings."""

    policy: FullPolicy
    best: Int[Array, ""]
    """The opening that is repeated; 0: none is."""
    share: float = eqx.field(static=True)
    """Share of the episodes that begin with an opening. In [0, 1]."""

    def start(self, copies: int, n_agents: int) -> OpeningCarry:
        nothing = jnp.zeros(copies, jnp.int32)
        return OpeningCarry(self.policy.start(copies, n_agents), nothing, nothing)

    def __call__(
        self, carry: OpeningCarry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[OpeningCarry, PolicyOutput]:
        key_policy, key_opening = jax.random.split(key)
        inner, output = self.policy(carry.inner, step, key=key_policy)
        # Most steps begin no episode: a branch spares them the numbers.
        opening = jax.lax.cond(
            step.first.any(),
            lambda: jnp.where(
                step.first, self._drawn(step, key=key_opening), carry.opening
            ),
            lambda: carry.opening,
        )
        which, length = jnp.divmod(opening - 1, len(LENGTHS))
        length = jnp.where(opening > 0, jnp.array(LENGTHS)[length], 0)
        left = jnp.where(step.first, length, carry.left)
        can = _can(step.local.legal, which) & (left > 0)[:, None]
        action = jnp.where(can, which[:, None], output.action)
        after = OpeningCarry(inner, opening, jnp.maximum(left - 1, 0))
        return after, PolicyOutput(action, output.noise, opening)

    def sent(self, before: OpeningCarry, after: OpeningCarry) -> Int[Array, " B"]:
        return self.policy.sent(before.inner, after.inner)

    def _drawn(self, step: TimeStep, *, key: Key[Array, ""]) -> Int[Array, " B"]:
        """An opening for each copy, with an action that all the living can do; or none."""
        local = step.local
        legal = jnp.all(local.legal | ~local.alive[..., None], axis=-2)
        legal = jnp.repeat(legal, len(LENGTHS), axis=-1)
        noise = row_uniform(key, len(legal), (2 + legal.shape[-1],))
        drawn = 1 + jnp.argmax(jnp.where(legal, noise[:, 2:], -1.0), axis=-1)
        repeats = (self.best > 0) & legal[:, self.best - 1] & (noise[:, 1] < REPEATED)
        has_one = legal.any(-1) & (noise[:, 0] < self.share)
        opening = jnp.where(has_one, jnp.where(repeats, self.best, drawn), 0)
        return opening.astype(jnp.int32)


def _can(legal: Bool[Array, "B n u"], action: Int[Array, " B"]) -> Bool[Array, "B n"]:
    """Whether each agent can do its team's action."""
    wanted = jax.nn.one_hot(action, legal.shape[-1], dtype=bool)
    return jnp.any(legal & wanted[:, None], axis=-1)
