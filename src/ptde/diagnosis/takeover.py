"""Teams of which the student plays a part, and its teacher the rest."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.policy import FullPolicy
from ptde.agents.team import Memory, Teacher, Team
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
