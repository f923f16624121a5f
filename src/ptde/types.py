"""The vocabulary that every part of ptde shares, and the legend of its axes.

Axes: ``B`` copies of the world, ``T`` time, ``n`` agents, ``o`` observation, ``s`` state,
``u`` actions, ``d`` local information O_i, ``z`` information, ``h`` hidden units.
``*b`` stands for any leading axes (none, ``B``, or ``B T``).
"""

from dataclasses import dataclass, replace

import equinox as eqx
from jaxtyping import Array, Bool, Float, Int

WINS = "win rate"
RETURN = "return"
"""What counts in most worlds (``EnvSpec.measure``), and where nobody wins."""


@dataclass(frozen=True)
class EnvSpec:
    """The sizes of a world, known before an episode begins."""

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
    measure: str = WINS
    """Name of the mean of ``TimeStep.performance`` in this world. Records and
    ``result.json`` hold it as ``win_rate``, whatever it is. ``RETURN`` where nobody wins:
    performance is 0 then, and returns count."""
    entities: tuple[tuple[int, ...], ...] = ()
    """Indices into the state that describe each entity: the agents first, in their order,
    then the others. Empty if the world does not say."""

    @property
    def local_dim(self) -> int:
        """Width of O_i = [observation, one-hot last action, one-hot agent]."""
        return self.obs_dim + self.n_actions + self.n_agents

    def with_full_sight(self) -> "EnvSpec":
        """This spec with observations of unlimited sight or, without them, of the state."""
        full = self.full_obs_dim or self.obs_dim + self.state_dim
        return replace(self, obs_dim=full)


class LocalView(eqx.Module):
    """All that an agent may use in decentralised execution."""

    obs: Float[Array, "*b n o"]
    legal: Bool[Array, "*b n u"]
    last_action: Int[Array, "*b n"]
    """The agent's previous action; -1 at the first step of an episode."""
    alive: Bool[Array, "*b n"]


class TimeStep(eqx.Module):
    """A step of an episode: its start, or the outcome of a joint action.

    An episode ends with a step of its own (its final observation, from which a time limit
    bootstraps); the next call of ``step`` ignores the action and starts a new episode.
    """

    local: LocalView
    state: Float[Array, "*b s"]
    """The global state, for training and centralised execution."""
    reward: Float[Array, "*b"]
    """The team's reward for the previous joint action."""
    discount: Float[Array, "*b"]
    """0 where the task ended; 1 elsewhere, a time limit included (but see ``time_out`` of
    ``AbstractWorld``)."""
    first: Bool[Array, "*b"]
    """Whether a new episode starts here, so that carries are reset."""
    performance: Float[Array, "*b"]
    """Success of the episode that ends here, in [0, 1]; in a battle, 1 won, 0 lost."""
    full_obs: Float[Array, "*b n f"] | None = None
    """Observations with unlimited sight, for CTDS's teacher, where the world has them."""
    score: Float[Array, "*b"] | None = None
    """The score so far, such as a goal difference, where the world keeps one."""


class Rollout(eqx.Module):
    """B segments of T joint actions, and the T + 1 steps around them."""

    steps: TimeStep
    """The time steps; every leaf is ``[B, T + 1, ...]``."""
    action: Int[Array, "*b T n"]
    """The joint actions: ``action[:, t]`` was taken at ``steps[:, t]``."""
    noise: Float[Array, "*b T n z"] | None = None
    """The noise of z behind each action, for algorithms that replay it (MAPPO)."""
    opening: Int[Array, "*b T"] | None = None
    """The opening of the episode (``agents/openings``), where the policy has any."""


class PolicyOutput(eqx.Module):
    """The output of a policy at one step."""

    action: Int[Array, "B n"]
    noise: Float[Array, "B n z"] | None = None
    """The noise of z behind the action, where the algorithm replays it."""
    opening: Int[Array, " B"] | None = None
    """The opening of the episode (``agents/openings``), where the policy has any."""


class Info(eqx.Module):
    """The information that each agent gets on the global state."""

    z: Float[Array, "*b n z"]
    """The z that the agent uses: a sample in training, by default the mean in tests."""
    mean: Float[Array, "*b n z"]
    """The mean of z: the student's target (Paper Eq. 2)."""


class Utilities(eqx.Module):
    """The agents' action values, as a mixer needs them."""

    chosen: Float[Array, "*b n"]
    """Q_i of the joint action that is valued."""
    greedy: Float[Array, "*b n"]
    """The largest Q_i over legal actions."""
    action: Int[Array, "*b n"]
    """The joint action that is valued."""
