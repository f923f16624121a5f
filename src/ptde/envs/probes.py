"""Probe worlds: tiny games with a known optimum, each of which asks one question.

==================  ==========================================================  =======
name                what a team must do                                         optimum
==================  ==========================================================  =======
``constant``        nothing: the reward is 1                                     1
``delayed``         nothing: 0, then 1 two steps later                           1
``memory``          repeat a cue that was shown at the first step alone          1
``state``           play the bit that only the state holds: without it, chance   1
``personal``        play the bit of the state that one's own key points to:      1
                    the same information for all cannot do it
``recoverable``     as ``state``, but the bit was also shown locally: a          1
                    student can learn it
``fallen``          nothing: the second agent dies with the first step, the      1
                    reward is 1 three steps later
``barred``          play 1, which pays at each of three steps, at the first and  2
                    the third: at the second it is illegal
``cut``             nothing: each of three steps brings 1, and time is up; a     3
                    discount of 1/2 makes each of them worth 2
``detour``          all play 1 for six steps, for nothing; each of the other     6
                    six then has 1, where playing 0 has 0.1 at once
==================  ==========================================================  =======

``state`` is also the unrecoverable world: a student's retention must drop to chance there.
But for ``detour``, the reward is the share of agents that play right; an episode is won if
all do, at its last step.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.envs.base import AbstractEnv, EnvState
from ptde.types import EnvSpec, LocalView, TimeStep

PROBES = (
    "constant",
    "delayed",
    "memory",
    "state",
    "personal",
    "recoverable",
    "fallen",
    "barred",
    "cut",
    "detour",
)
KEYS = 4
"""Bits in the state of ``personal``."""
WAY = 6
"""Joint steps of ``detour`` that bring nothing."""
LENGTHS = {"delayed": 3, "memory": 3, "fallen": 4, "barred": 3, "cut": 3, "detour": 2 * WAY}
"""Joint steps of an episode; 1 where none are named."""
HIDDEN = ("memory", "constant", "delayed", "fallen", "barred", "cut", "detour")
"""The worlds whose state is blank."""


class Probe(AbstractEnv):
    """Two agents with two actions; the state is ``KEYS`` bits, the keys point into it."""

    def __init__(self, name: str):
        self.name = name
        self.length = LENGTHS.get(name, 1)
        self.spec = EnvSpec(
            name=f"probe/{name}",
            n_agents=2,
            obs_dim=KEYS + 1,
            state_dim=KEYS,
            n_actions=2,
            time_limit=self.length,
        )

    def reset_env(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        key_bits, key_keys = jax.random.split(key)
        bits = jax.random.bernoulli(key_bits, shape=(KEYS,)).astype(jnp.int32)
        keys = jnp.zeros(2, jnp.int32)
        if self.name == "personal":
            keys = jax.random.randint(key_keys, (2,), 0, KEYS)
        zero = jnp.zeros((), jnp.int32)
        state = (bits, keys, zero, zero)
        nobody = jnp.full((2,), -1, jnp.int32)
        return state, self._show(state, nobody, jnp.zeros(()), jnp.zeros((), bool))

    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Array]:
        bits, keys, time, way = state
        state = (bits, keys, time + 1, way + ((way == time) & (action == 1).all()))
        last = time + 1 >= self.length
        right = (action == bits[keys]).astype(jnp.float32)
        if self.name in ("constant", "delayed", "fallen"):
            right = jnp.ones(2)
        reward = jnp.where(last, right.mean(), 0.0)
        if self.name == "barred":
            reward = (action == 1).mean()
        if self.name == "cut":
            reward = jnp.ones(())
        if self.name == "detour":
            reward = jnp.where(way >= WAY, 1.0, 0.1 * (action == 0).mean())
        return state, self._show(state, action, reward, last), last

    def _show(
        self,
        state: EnvState,
        action: Int[Array, " n"],
        reward: Float[Array, ""],
        last: Array,
    ) -> TimeStep:
        bits, keys, time, way = state
        shown = self.name == "recoverable" or (self.name == "memory") & (time == 0)
        cue = jnp.where(shown, 2.0 * bits[keys] - 1.0, 0.0)
        if self.name == "detour":
            cue = jnp.full(2, jnp.minimum(way, WAY) / WAY)
        barred = (self.name == "barred") & (time == 1)
        dead = (self.name == "fallen") & (time > 0) & (jnp.arange(2) == 1)
        return TimeStep(
            local=LocalView(
                obs=jnp.concatenate([jax.nn.one_hot(keys, KEYS), cue[:, None]], -1),
                legal=jnp.ones((2, 2), bool).at[:, 1].set(~barred),
                last_action=action.astype(jnp.int32),
                alive=~dead,
            ),
            state=jnp.where(self.name in HIDDEN, 0.0, 2.0 * bits - 1.0),
            reward=reward,
            discount=1.0 - (last & (self.name != "cut")).astype(jnp.float32),
            first=time == 0,
            performance=jnp.where(last & (reward >= 1.0), 1.0, 0.0),
        )
