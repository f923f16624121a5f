"""The worlds of the installed ``jaxmarl`` (Rutherford et al. 2024) other than SMAX.

They are played as the package makes them, with its observations, rewards and time limits.
The team's reward is the mean of the agents' rewards, or ``__all__`` where there is one.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.envs.base import AbstractEnv, EnvState
from ptde.envs.quiet import quietly
from ptde.ops.keys import new_key
from ptde.processes.adapters.jaxmarl import ALONE, CONTINUOUS, TEAMS, misfit
from ptde.types import RETURN, WINS, EnvSpec, LocalView, TimeStep
from ptde.validation import check_choice

with quietly():
    import jaxmarl
    from jaxmarl.registration import registered_envs


class Played(NamedTuple):
    """The outcome of a joint step, from which a map decides how an episode ended."""

    state: Any
    reward: Float[Array, ""]
    last: Bool[Array, ""]
    """Whether the step is the episode's last."""
    late: Bool[Array, ""]
    """Whether the time limit is reached."""


@dataclass(frozen=True)
class Map:
    """Facts of a world that the package does not state."""

    sizes: tuple[int, int, int, int, int]
    """Time limit in joint steps, agents, actions, observation, state, for ``ptde list``,
    which does not make the world. The limit is the one in effect: MPE checks its clock one
    step late."""
    ended: Callable[[Played], Bool[Array, ""]]
    """Whether the task itself ended, and not just its time."""
    performance: Callable[[Played], Float[Array, ""]] | None = None
    """Success of a task that ended, in [0, 1]; None where the world does not say."""
    measure: str = WINS


def _never(now: Played) -> Bool[Array, ""]:
    return jnp.zeros((), bool)


HANABI_BEST = 25
"""The best score: five fireworks of five cards."""

MAPS = {
    "MPE_simple_spread_v3": Map((26, 3, 5, 18, 54), _never),
    "MPE_simple_speaker_listener_v4": Map((26, 2, 5, 11, 22), _never),
    "MPE_simple_reference_v3": Map((26, 2, 50, 21, 42), _never),
    # Telling ends the riddle, with a reward or a penalty; time ends it with neither.
    "switch_riddle": Map(
        (6, 3, 3, 2, 6),
        ended=lambda now: now.last & (now.reward != 0.0),
        performance=lambda now: (now.reward > 0.0).astype(jnp.float32),
    ),
    # The package sets no limit, but no game is longer: 40 cards are drawn, each buys one
    # hint at most beyond the first 8, and 3 turns follow once the deck is empty.
    "hanabi": Map(
        (91, 2, 21, 658, 1316),
        ended=lambda now: now.last,
        performance=lambda now: now.state.score / HANABI_BEST,
        measure="share of the fireworks",
    ),
    "overcooked": Map((400, 2, 6, 520, 1040), _never),
    "overcooked_v2": Map((400, 2, 6, 600, 1200), _never),
}
"""The cooperative worlds with discrete actions that are known to work. Their state is the
concatenation of all observations."""

_MIXED = "each agent has an interest of its own: it is a dilemma, and no team's task"
_ROBOTS = "it needs the package jaxrobotarium, which is none of ptde's"
_BATTLE = "its battles are a world of their own: type --world smax --map 3s_vs_5z"

REFUSED = {
    "MPE_simple_v3": ALONE,
    "MPE_simple_tag_v3": TEAMS,
    "MPE_simple_world_comm_v3": f"{TEAMS}, and {CONTINUOUS}",
    "MPE_simple_crypto_v3": TEAMS,
    "MPE_simple_push_v3": TEAMS,
    "MPE_simple_adversary_v3": TEAMS,
    **{f"MPE_simple_facmac_{k}": CONTINUOUS for k in ("v1", "3a_v1", "6a_v1", "9a_v1")},
    **dict.fromkeys(("SMAX", "HeuristicEnemySMAX"), _BATTLE),
    "LearnedPolicyEnemySMAX": f"its enemy is a network of yours; {_BATTLE}",
    **dict.fromkeys(("ant_4x2", "halfcheetah_6x1", "hopper_3x1"), CONTINUOUS),
    **dict.fromkeys(("humanoid_9|8", "walker2d_2x3"), CONTINUOUS),
    **dict.fromkeys(("storm", "storm_2p", "storm_np", "coin_game"), _MIXED),
    "jaxnav": f"{CONTINUOUS}, and each robot has a goal of its own",
}
"""Why each of the package's other worlds does not fit."""


def refusal(name: str) -> str | None:
    """Why a world of the package cannot be played, and what to type instead; None if it can
    be played or does not exist.
    """
    if name in MAPS or name not in registered_envs:
        return None
    why = REFUSED.get(name, _ROBOTS if name.startswith("JaxRobotarium") else "")
    if why.endswith(_BATTLE):
        return f"--map {name} does not fit: {why}"
    why = why or "this version of ptde does not know it"
    return f"--map {name} does not fit: {why}. Type --map {' or --map '.join(MAPS)}"


class JaxMarl(AbstractEnv):
    """A world of the package, played by a team.

    Agents with fewer actions or narrower observations than others are padded, with illegal
    actions and with zeros.
    """

    def __init__(self, name: str):
        """Makes the world.

        Raises:
            ValueError: there is no such world, or a team cannot play it.
        """
        if (why := refusal(name)) is not None:
            raise ValueError(why)
        check_choice("map", name, MAPS)
        self.map = MAPS[name]
        with warnings.catch_warnings():
            # Overcooked's first version warns that there is a second.
            warnings.simplefilter("ignore", DeprecationWarning)
            self.game = jaxmarl.make(name)
        if (why := misfit(self.game)) is not None:  # another version of the package
            raise ValueError(f"--map {name} does not fit: {why}")
        self.agents = list(self.game.agents)
        spaces: list[Any] = [self.game.action_space(agent) for agent in self.agents]
        self.actions = [int(space.n) for space in spaces]
        obs, self.like = jax.eval_shape(self._begin, new_key(0))
        self.width = max(o.size for o in obs.values())
        self.n, self.limit = len(self.agents), self.map.sizes[0]
        self.masks = self._masks()
        self.spec = EnvSpec(
            name=f"jaxmarl/{name}",
            n_agents=self.n,
            obs_dim=self.width,
            state_dim=self.n * self.width,
            n_actions=max(self.actions),
            time_limit=self.limit,
            measure=self.map.measure if self.map.performance else RETURN,
        )
        self.notes = ("the world has no state of its own: the state is all observations",)
        if self.map.performance is None:
            self.notes += ("nobody wins in this world: returns count",)

    def _begin(self, key: Key[Array, ""]) -> tuple[dict[str, Array], Any]:
        obs, state = self.game.reset(key)
        return obs, jax.tree.map(jnp.asarray, state)  # some hold Python's numbers

    def _masks(self) -> Callable[[Any], dict[str, Array]] | None:
        """The game's function that gives the legal actions; None if all are legal."""
        for name in ("get_avail_actions", "get_legal_moves"):
            ask = getattr(self.game, name, None)
            try:
                if ask is not None and jax.eval_shape(ask, self.like) is not None:
                    return ask
            except NotImplementedError:
                continue
        return None

    def reset_env(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        obs, game = self._begin(key)
        state = (game, jnp.zeros((), jnp.int32), jnp.full(self.n, -1, jnp.int32))
        zero = jnp.zeros(())
        return state, self._show(state, obs, zero, jnp.ones(()), zero)

    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Bool[Array, ""]]:
        game, time, _ = state
        actions = dict(zip(self.agents, action, strict=True))
        obs, game, rewards, done, _ = self.game.step_env(key, game, actions)
        game = jax.tree.map(lambda new, old: new.astype(old.dtype), game, self.like)
        reward = self._shared(rewards)
        late = time + 1 >= self.limit
        now = Played(game, reward, done["__all__"] | late, late)
        ended = self.map.ended(now)
        told = self.map.performance(now) if self.map.performance else jnp.zeros(())
        discount, went = 1.0 - ended.astype(jnp.float32), jnp.where(ended, told, 0.0)
        state = (game, time + 1, action.astype(jnp.int32))
        return state, self._show(state, obs, reward, discount, went), now.last

    def _shared(self, rewards: dict[str, Array]) -> Float[Array, ""]:
        if "__all__" in rewards:
            return jnp.asarray(rewards["__all__"], jnp.float32)
        each = [jnp.asarray(rewards[a], jnp.float32) for a in self.agents]
        return jnp.mean(jnp.stack(each))

    def _show(
        self,
        state: EnvState,
        obs: dict[str, Array],
        reward: Float[Array, ""],
        discount: Float[Array, ""],
        performance: Float[Array, ""],
    ) -> TimeStep:
        game, time, last_action = state
        rows = [_filled(obs[a].astype(jnp.float32), self.width) for a in self.agents]
        table = jnp.stack(rows)
        local = LocalView(
            obs=table,
            legal=self._legal(game),
            last_action=last_action,
            alive=jnp.ones(self.n, bool),
        )
        return TimeStep(
            local=local,
            state=table.reshape(-1),
            reward=reward,
            discount=discount,
            first=time == 0,
            performance=performance,
        )

    def _legal(self, game: Any) -> Bool[Array, "n u"]:
        own = jnp.arange(max(self.actions)) < jnp.array(self.actions)[:, None]
        if self.masks is None:
            return own
        masks = self.masks(game)
        width = max(self.actions)
        told = jnp.stack([_filled(masks[a], width) for a in self.agents])
        return own & (told > 0)


def _filled(x: Array, width: int) -> Float[Array, " width"]:
    """``x`` as one row of this width, padded with zeros."""
    row = x.reshape(-1)
    return jnp.pad(row, (0, width - row.size))
