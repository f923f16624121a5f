"""What every world must keep."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.envs import PROBES, Probe, SmaxConfig, make_env
from ptde.envs.jaxmarl import MAPS
from ptde.envs.ranking.lists import LIMIT
from ptde.envs.settings import RankingConfig


def worlds():
    for name in PROBES:
        yield pytest.param(lambda n=name: Probe(n), id=name)
    lists = {"ranking": RankingConfig(docs=4, lists=20)}
    yield pytest.param(lambda: make_env("ranking", "synthetic", lists), id="ranking")
    for observation in ("native", "smac"):
        options = {"smax": SmaxConfig(observation=observation, time_limit=12)}
        yield pytest.param(
            lambda o=options: make_env("smax", "3s_vs_5z", o), id=f"smax-{observation}"
        )

    for name in MAPS:
        yield pytest.param(lambda n=name: make_env("jaxmarl", n), id=name)


BOUNDS = {"ranking": LIMIT, "jaxmarl": 30.0}
"""How far a state's entries may lie from 0, where they are not scaled to [-1, 1]: ranking's
are standardised, JaxMARL's worlds show positions, and numbers of turns, as they are."""


@pytest.fixture(scope="module", params=list(worlds()))
def played(request):
    """A world, and random legal play in it: 40 steps, and the longest episode."""
    env = request.param()
    length = max(40, env.spec.time_limit + 2)

    @jax.jit
    def roll(key):
        def one(now, key):
            key_action, key_step = jax.random.split(key)
            legal = now[1].local.legal
            noise = jax.random.uniform(key_action, legal.shape)
            action = jnp.argmax(jnp.where(legal, noise, -1.0), -1).astype(jnp.int32)
            after = env.step(*now[:1], action, key=key_step)
            return after, (after[1], action)

        key_reset, key = jax.random.split(key)
        begun = env.reset(key=key_reset)
        return begun[1], *jax.lax.scan(one, begun, jax.random.split(key, length))[1]

    begun, steps, action = roll(jax.random.key(1))
    return env, begun, steps, action


def test_shapes(played):
    env, begun, steps, _ = played
    n, u = env.spec.n_agents, env.spec.n_actions
    assert begun.local.obs.shape == (n, env.spec.obs_dim)
    assert begun.local.legal.shape == (n, u)
    assert begun.state.shape == (env.spec.state_dim,)
    assert begun.local.last_action.dtype == jnp.int32
    assert jax.tree.structure(begun) == jax.tree.structure(steps)


def test_an_episode_begins(played):
    _, begun, _, _ = played
    assert begun.first
    assert not begun.performance
    assert begun.reward == 0
    assert begun.discount == 1
    assert (begun.local.last_action == -1).all()


def test_episodes_end_within_their_limit_and_begin_again(played):
    env, _, steps, _ = played
    first = np.flatnonzero(np.asarray(steps.first))
    lengths = np.diff(np.concatenate([[-1], first]))  # steps, the restart counted
    assert len(first) > 0
    assert lengths.max() <= env.spec.time_limit + 1


def test_a_restart_is_not_a_transition(played):
    _, _, steps, _ = played
    first = np.asarray(steps.first)
    assert (np.asarray(steps.reward)[first] == 0).all()
    assert (np.asarray(steps.discount)[first] == 1).all()
    assert (np.asarray(steps.local.last_action)[first] == -1).all()


def test_the_end_of_the_task_is_an_episodes_last_step(played):
    _, _, steps, _ = played
    ended = np.asarray(steps.discount[:-1]) == 0
    assert (np.asarray(steps.first[1:])[ended]).all()
    won = np.asarray(steps.performance)
    assert ((won >= 0) & (won <= 1)).all()
    assert not won[:-1][~np.asarray(steps.first[1:])].any()


def test_the_last_action_is_what_was_played(played):
    _, _, steps, action = played
    going = ~np.asarray(steps.first)
    np.testing.assert_array_equal(
        np.asarray(steps.local.last_action)[going], np.asarray(action)[going]
    )


def test_every_agent_always_has_a_legal_action_and_all_is_finite(played):
    env, _, steps, _ = played
    assert steps.local.legal.any(-1).all()
    for leaf in jax.tree.leaves(steps):
        assert jnp.isfinite(leaf).all()
    bound = BOUNDS.get(env.spec.name.partition("/")[0], 1.01)
    assert jnp.abs(steps.state).max() <= bound


def test_a_state_has_one_type_before_and_after_a_step(played):
    """Otherwise the training program compiles twice."""
    env, begun, _, _ = played
    key = jax.random.key(0)
    before = jax.eval_shape(lambda k: env.reset(key=k), key)
    state = before[0]
    action = begun.local.last_action
    after = jax.eval_shape(lambda s, k: env.step(s, action, key=k), state, key)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert not a.weak_type
        assert not b.weak_type
