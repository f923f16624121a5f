"""The vocabulary that every part of ptde shares, and the legend of its axes.

Axes: ``B`` copies of the world, ``T`` time, ``n`` agents, ``o`` observation, ``s`` state,
``u`` actions, ``d`` local information O_i, ``z`` information, ``h`` hidden units.
``*b`` stands for any leading axes (none, ``B``, or ``B T``).
"""

from dataclasses import dataclass, replace

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int


@dataclass(frozen=True)
class EnvSpec:
    """The sizes of a world, known before anything runs."""

    name: str
    """World and map, e.g. ``smax/3m``."""
    n_agents: int
    obs_dim: int
    state_dim: int
    n_actions: int
    time_limit: int
    """The longest episode, in joint steps."""
    full_obs_dim: int = 0
    """Width of ``TimeStep.full_obs``; 0 if the world has none."""
    measure: str = "win rate"
    """What the mean of ``TimeStep.performance`` is called in this world. Records and
    ``result.json`` hold it under the name ``win_rate``, whatever it is."""
    entities: tuple[tuple[int, ...], ...] = ()
    """Where in the state each entity is described: the agents first, in their order, then
    the others. Empty if the world does not say."""

    @property
    def local_dim(self) -> int:
        """Width of O_i = [observation, one-hot last action, one-hot agent]."""
        return self.obs_dim + self.n_actions + self.n_agents

    def with_full_sight(self) -> "EnvSpec":
        """As a teacher of unlimited sight sees it; or, without it, of the state as well."""
        full = self.full_obs_dim or self.obs_dim + self.state_dim
        return replace(self, obs_dim=full)


class LocalView(eqx.Module):
    """All that an agent may use when it executes."""

    obs: Float[Array, "*b n o"]
    legal: Bool[Array, "*b n u"]
    last_action: Int[Array, "*b n"]
    """The agent's previous action; -1 at the first step of an episode."""
    alive: Bool[Array, "*b n"]


class TimeStep(eqx.Module):
    """What the world shows after each joint action.

    An episode ends with a step of its own (its final observation, from which a time limit
    bootstraps); the next call of ``step`` ignores the action and starts a new episode.
    """

    local: LocalView
    state: Float[Array, "*b s"]
    """The global state: training time only."""
    reward: Float[Array, "*b"]
    """Earned by the previous joint action."""
    discount: Float[Array, "*b"]
    """0 where the task ended; 1 elsewhere, a time limit included (but see ``time_out`` of
    ``AbstractWorld``)."""
    first: Bool[Array, "*b"]
    """A new episode starts here: carries are reset."""
    performance: Float[Array, "*b"]
    """How well the episode that ends here went, in [0, 1]; of a battle, 1 won, 0 lost."""
    full_obs: Float[Array, "*b n f"] | None = None
    """Observations with unlimited sight, for CTDS's teacher, where the world has them."""
    score: Float[Array, "*b"] | None = None
    """The score so far, such as a goal difference, where the world keeps one."""


class Rollout(eqx.Module):
    """B segments of T joint actions, and the T + 1 steps around them."""

    steps: TimeStep
    """Every leaf is ``[B, T + 1, ...]``."""
    action: Int[Array, "*b T n"]
    """``action[:, t]`` was taken at ``steps[:, t]``."""
    noise: Float[Array, "*b T n z"] | None = None
    """The noise of z with which it was taken, for algorithms that replay it (MAPPO)."""


class PolicyOutput(eqx.Module):
    """What a policy did at one step."""

    action: Int[Array, "B n"]
    noise: Float[Array, "B n z"] | None = None
    """The noise of z behind it, where the algorithm replays it."""


class Info(eqx.Module):
    """What an information module tells each agent of the global state."""

    z: Float[Array, "*b n z"]
    """What the agent uses: a sample in training, the mean in evaluation."""
    mean: Float[Array, "*b n z"]
    """The mean of z: the student's target (Paper Eq. 2)."""


class Utilities(eqx.Module):
    """The agents' action values, as a mixer needs them."""

    chosen: Float[Array, "*b n"]
    """Q_i of the joint action that is valued."""
    greedy: Float[Array, "*b n"]
    """max over legal actions of Q_i."""
    action: Int[Array, "*b n"]
    """The joint action that is valued."""
