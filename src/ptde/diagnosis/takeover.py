"""Teams of which the student plays a part, and its teacher the rest; and a teacher that
errs as much as the student, but anywhere.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.policy import FullPolicy
from ptde.agents.team import Memory, Teacher, Team
from ptde.ops.keys import row_keys
from ptde.ops.select import greedy, take
from ptde.types import PolicyOutput, TimeStep


class Shared(eqx.Module):
    """What such a team remembers, and how many decided as the teacher just now."""

    teacher: Memory
    team: Memory
    overruled: Int[Array, " B"]


class Takeover(FullPolicy):
    """The first agents are students; the teacher plays the others, and overrules a student
    whose action it regrets by more than ``regret``: the best value less that of the action.
    """

    teacher: Teacher
    team: Team
    students: Int[Array, "*seeds"]
    """Number of agents that are students."""
    regret: Float[Array, "*seeds"]
    """Greatest regret that is accepted, in units of the teacher's values (or logits)."""

    def start(self, copies: int, n_agents: int) -> Shared:
        return Shared(
            self.teacher.start(copies, n_agents),
            self.team.start(copies, n_agents),
            jnp.zeros(copies, jnp.int32),
        )

    def __call__(
        self, carry: Shared, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Shared, PolicyOutput]:
        teacher, wanted, _ = self.teacher.step(carry.teacher, step)
        team, given, _ = self.team.step(carry.team, step.local)
        best, own = (greedy(q, step.local.legal) for q in (wanted, given))
        regret = take(wanted, best) - take(wanted, own)
        agents = jnp.arange(best.shape[-1])
        decides = (agents < self.students) & (regret <= self.regret)
        overruled = jnp.sum(~decides, axis=-1, dtype=jnp.int32)
        action = jnp.where(decides, own, best)
        return Shared(teacher, team, overruled), PolicyOutput(action)

    def sent(self, before: Shared, after: Shared) -> Int[Array, " B"]:
        return after.overruled


class Both(eqx.Module):
    """The memories of a teacher and of its student, in the same episodes."""

    teacher: Memory
    team: Memory


class Dealt(FullPolicy):
    """The teacher, with the student's errors of z dealt out at random: each agent's z is
    off by what some living agent's student is off by now, in whichever battle.

    The errors are as large as the student's, but do not go with the situation. What they
    leave of the teacher says whether a student is not near enough to z, or errs where it
    matters.
    """

    teacher: Teacher
    team: Team

    def start(self, copies: int, n_agents: int) -> Both:
        return Both(self.teacher.start(copies, n_agents), self.team.start(copies, n_agents))

    def __call__(
        self, carry: Both, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Both, PolicyOutput]:
        teacher, _, info = self.teacher.step(carry.teacher, step)
        team, _, given = self.team.step(carry.team, step.local)
        copies, n_agents, z_dim = info.z.shape
        errors = (given - info.z).reshape(-1, z_dim)
        living = jnp.where(step.local.alive.reshape(-1), 0.0, -jnp.inf)
        draw = lambda k: jax.random.categorical(k, living, shape=(n_agents,))
        dealt = errors[jax.vmap(draw)(row_keys(key, copies))]
        q = self.teacher.network.values(teacher.h, info.z + dealt)
        return Both(teacher, team), PolicyOutput(greedy(q, step.local.legal))

    def sent(self, before: Both, after: Both) -> Int[Array, " B"]:
        copies, n_agents, _ = after.teacher.h.shape
        return jnp.full(copies, n_agents, jnp.int32)
