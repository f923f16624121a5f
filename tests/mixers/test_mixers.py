import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.mixers import MIXERS, MixerSizes
from ptde.types import EnvSpec, Utilities

SPEC = EnvSpec("test", n_agents=3, obs_dim=8, state_dim=6, n_actions=3, time_limit=9)


def joint_values(mixer, q, state):
    """Q_tot of each of the 27 joint actions, for the agents' values q [3, 3]."""
    actions = jnp.array(list(itertools.product(range(3), repeat=3)))
    chosen = q[jnp.arange(3), actions]
    greedy = jnp.broadcast_to(q.max(-1), chosen.shape)
    states = jnp.broadcast_to(state, (27, SPEC.state_dim))
    return actions, mixer(Utilities(chosen, greedy, actions), states)


@pytest.mark.parametrize("kind", MIXERS)
def test_the_best_joint_action_is_each_agents_best(getkey, kind):
    mixer = MIXERS[kind](SPEC, MixerSizes(embed=8, hypernet_hidden=8), key=getkey())
    for _ in range(10):
        q = jax.random.normal(getkey(), (3, 3))
        state = jax.random.normal(getkey(), (SPEC.state_dim,))
        actions, total = joint_values(mixer, q, state)
        best = actions[jnp.argmax(total)]
        np.testing.assert_array_equal(best, q.argmax(-1))


@pytest.mark.parametrize("kind", ["vdn", "qmix"])
def test_the_team_never_loses_by_an_agents_gain(getkey, kind):
    mixer = MIXERS[kind](SPEC, MixerSizes(), key=getkey())
    q, state = jax.random.normal(getkey(), (50, 3)), jax.random.normal(getkey(), (50, 6))
    action = jnp.zeros((50, 3), jnp.int32)
    slope = jax.grad(lambda q: mixer(Utilities(q, q, action), state).sum())(q)
    assert slope.min() >= 0


def test_vdn_is_the_sum(getkey):
    q = jax.random.normal(getkey(), (4, 3))
    mixer = MIXERS["vdn"](SPEC, MixerSizes(), key=getkey())
    total = mixer(Utilities(q, q, jnp.zeros((4, 3), jnp.int32)), jnp.zeros((4, 6)))
    np.testing.assert_allclose(total, q.sum(-1), rtol=1e-6)


def test_qmix_is_its_equation(getkey):
    mixer = MIXERS["qmix"](SPEC, MixerSizes(embed=4), key=getkey())
    q, state = jax.random.normal(getkey(), (3,)), jax.random.normal(getkey(), (6,))
    total = mixer(Utilities(q, q, jnp.zeros(3, jnp.int32)), state)
    w1 = jnp.abs(mixer.weight_1(state)).reshape(3, 4)
    hidden = jax.nn.elu(q @ w1 + mixer.bias_1(state))
    expected = hidden @ jnp.abs(mixer.weight_2(state)) + mixer.bias_2(state)[0]
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_qplex_of_greedy_actions_is_the_sum_of_transformed_values(getkey):
    mixer = MIXERS["qplex"](SPEC, MixerSizes(), key=getkey())
    q, state = jax.random.normal(getkey(), (5, 3)), jax.random.normal(getkey(), (5, 6))
    total = mixer(Utilities(q, q, jnp.ones((5, 3), jnp.int32)), state)
    expected = jnp.abs(mixer.weight(state)) * q + mixer.value(state)
    np.testing.assert_allclose(total, expected.sum(-1), rtol=1e-4, atol=1e-5)


def test_qplex_agents_learn_as_if_every_importance_were_one(getkey):
    """The advantages are stopped: q~_i = w_i Q_i + v_i alone carries gradient to Q_i."""
    mixer = MIXERS["qplex"](SPEC, MixerSizes(), key=getkey())
    q, state = jax.random.normal(getkey(), (5, 3)), jax.random.normal(getkey(), (5, 6))
    best = q + jax.random.uniform(getkey(), (5, 3), minval=0.5, maxval=2.0)
    action = jnp.ones((5, 3), jnp.int32)

    def total(mixer, q, best):
        return jnp.sum(mixer(Utilities(q, best, action), state))

    of_mixer, of_chosen, of_greedy = jax.grad(total, (0, 1, 2))(mixer, q, best)
    weight = jnp.abs(mixer.weight(state))
    np.testing.assert_allclose(of_chosen, weight, rtol=1e-6)
    np.testing.assert_array_equal(of_greedy, 0.0)
    # which is not what it would be without the stop ...
    importance = mixer.importance(Utilities(q, best, action), state)
    assert jnp.abs(importance - 1.0).min() > 1e-3
    # ... while the importances themselves learn from the advantages.
    for part in (of_mixer.keys, of_mixer.agents, of_mixer.actions):
        assert max(jnp.abs(x).max() for x in jax.tree.leaves(part)) > 0
    by_hand = jax.grad(
        lambda m: jnp.sum(
            m.importance(Utilities(q, best, action), state) * weight * (q - best)
        )
    )(mixer)
    for part in ("keys", "agents", "actions"):
        for ours, expected in zip(
            jax.tree.leaves(getattr(of_mixer, part)),
            jax.tree.leaves(getattr(by_hand, part)),
            strict=True,
        ):
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_qplex_importances_depend_on_the_joint_action(getkey):
    mixer = MIXERS["qplex"](SPEC, MixerSizes(), key=getkey())
    q = jnp.zeros((1, 3))
    state = jnp.ones((1, 6))
    a, b = (jnp.full((1, 3), i, jnp.int32) for i in (0, 2))
    first = mixer.importance(Utilities(q, q, a), state)
    second = mixer.importance(Utilities(q, q, b), state)
    assert first.min() > 0
    assert jnp.abs(first - second).max() > 1e-4


@pytest.mark.parametrize(
    ("agents", "state", "expected"),
    [(3, 68, 21_601), (5, 98, 31_521), (8, 244, 65_793)],
)
def test_parameter_counts_are_the_papers(getkey, agents, state, expected):
    spec = EnvSpec("sc2", agents, 9, state, 3, 250)
    mixer = MIXERS["qmix"](spec, MixerSizes(), key=getkey())
    assert sum(x.size for x in jax.tree.leaves(mixer)) == expected
