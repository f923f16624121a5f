"""Teams of every kind with random weights, and what they do in JAX."""

import importlib.util
from itertools import count

import jax
import jax.numpy as jnp
import numpy as np

from ptde.agents import localise
from ptde.agents.actor import ActorNetwork
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import Team
from ptde.distill.students import GruStudent, MlpStudent, NoStudent
from ptde.envs.base import AbstractEnv
from ptde.envs.ranking import Ranking, make_lists
from ptde.envs.ranking.synthetic import synthetic
from ptde.envs.settings import RankingConfig
from ptde.rollout.collect import collect, start
from ptde.types import EnvSpec, LocalView, TimeStep

STUDENTS = {"mlp": MlpStudent, "gru": GruStudent}
NETWORKS = {"value": UtilityNetwork, "mappo": ActorNetwork}
KINDS = [
    ("value", "mlp"),
    ("value", "gru"),
    ("value", "none"),
    ("mappo", "mlp"),
    ("mappo", "gru"),
    ("mappo", "none"),
]
"""Who learnt, and the student; none is a team without information."""


class Noise(AbstractEnv):
    """Agents that see noise and may not do everything, for four steps."""

    def __init__(self, n=3):
        self.spec = EnvSpec("test/noise", n, 5, 2, n_actions=4, time_limit=4)

    def reset_env(self, *, key):
        time = jnp.zeros((), jnp.int32)
        return time, self._show(time, jnp.full(self.spec.n_agents, -1), key=key)

    def step_env(self, state, action, *, key):
        time = state + 1
        return time, self._show(time, action, key=key), time == 4

    def _show(self, time, action, *, key):
        n, (key_obs, key_legal) = self.spec.n_agents, jax.random.split(key)
        legal = jax.random.bernoulli(key_legal, 0.6, (n, 4)).at[:, 0].set(True)
        local = LocalView(
            obs=jax.random.normal(key_obs, (n, 5)),
            legal=legal,
            last_action=action.astype(jnp.int32),
            alive=jnp.ones(n, bool),
        )
        zero, one = jnp.zeros(()), jnp.ones(())
        return TimeStep(local, jnp.zeros(2), zero, one, first=time == 0, performance=zero)


def lists():
    """A world that ranks."""
    data = make_lists("made", [synthetic(40, 5, features=6, seed=0)], 4, 0, 0.8, 0)
    return Ranking(data, RankingConfig(docs=4, k=4))


def team(spec, algo, student, seed=0, hidden=6, z=4):
    """A team whose values differ, and whose biases are no zeros."""
    key_network, key_student = jax.random.split(jax.random.key(seed))
    width = z if student in STUDENTS else 0
    network = NETWORKS[algo](spec.local_dim, width, spec.n_actions, hidden, key=key_network)
    made = Team(network, NoStudent())
    if width:
        own = STUDENTS[student](spec.local_dim, z, hidden=5, key=key_student)
        made = Team(network, own)
    leaves, structure = jax.tree.flatten(made)
    keys = jax.random.split(jax.random.key(seed + 1), len(leaves))
    scale = lambda x: 0.6 if x.ndim > 1 else 0.1
    moved = [
        x + scale(x) * jax.random.normal(k, x.shape)
        for k, x in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, moved)


def recorded(team, env, steps, copies=1):
    """What a team saw and did: LocalView and ``first`` [copies, steps, ...], actions."""
    policy = localise(team.policy())
    key = jax.random.key(3)

    def play(policy):
        cursor = start(policy, env, copies, key=key)
        return collect(policy, env, cursor, steps, key=key)[1]

    rollout = jax.tree.map(np.asarray, jax.jit(play)(policy))
    seen = jax.tree.map(lambda x: x[:, :-1], (rollout.steps.local, rollout.steps.first))
    return *seen, rollout.action


def differences(player, seen, first, action):
    """Steps at which a player does otherwise than it was recorded of the first copy."""
    wrong = 0
    for t in range(action.shape[1]):
        if first[0, t]:
            player.reset()
        chosen = player.act(seen.obs[0, t], seen.legal[0, t])
        wrong += bool((chosen != action[0, t]).any())
    return wrong


_numbers = count()


def exported_player(folder):
    """The module ``player.py`` of an exported folder, as a stranger would import it."""
    name = f"exported_player_{next(_numbers)}"
    spec = importlib.util.spec_from_file_location(name, folder / "player.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def played_by_jax(data, player):
    """A player whose step is the exported StableHLO."""
    call = jax.export.deserialize(bytearray(data)).call

    def step(obs, legal):
        given = (obs[None], legal[None], player.last_action[None], player.memory[None])
        typed = zip(given, (jnp.float32, bool, jnp.int32, jnp.float32), strict=True)
        action, memory = call(*(jnp.asarray(x, kind) for x, kind in typed))
        return np.asarray(action)[0], np.asarray(memory)[0]

    player.step = step
    return player
