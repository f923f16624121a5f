import jax
import jax.numpy as jnp
import numpy as np

from ptde.ops.select import epsilon_greedy, greedy, take

Q = jnp.array([[5.0, 1.0, 2.0], [-3.0, -2.0, -9.0]])
LEGAL = jnp.array([[False, True, True], [True, False, True]])


def test_greedy_takes_the_best_legal_action():
    assert greedy(Q, LEGAL).tolist() == [2, 0]


def test_take():
    assert take(Q, jnp.array([0, 2])).tolist() == [5.0, -9.0]


def test_epsilon_0_is_greedy(getkey):
    assert epsilon_greedy(Q, LEGAL, 0.0, key=getkey()).tolist() == [2, 0]


def test_epsilon_1_is_uniform_over_legal_actions(getkey):
    draw = jax.vmap(lambda k: epsilon_greedy(Q, LEGAL, 1.0, key=k))
    actions = np.asarray(draw(jax.random.split(getkey(), 4000)))
    for agent, legal in enumerate(([1, 2], [0, 2])):
        counts = np.bincount(actions[:, agent], minlength=3)
        assert counts[[a for a in range(3) if a not in legal]].sum() == 0
        np.testing.assert_allclose(counts[legal] / 4000, 0.5, atol=0.05)


def test_each_agent_explores_on_its_own(getkey):
    q = jnp.tile(jnp.array([0.0, 1.0]), (2, 1))
    legal = jnp.ones((2, 2), bool)
    draw = jax.vmap(lambda k: epsilon_greedy(q, legal, 0.5, key=k))
    actions = np.asarray(draw(jax.random.split(getkey(), 4000)))
    np.testing.assert_allclose(actions.mean(0), 0.75, atol=0.05)
    assert (actions[:, 0] != actions[:, 1]).mean() > 0.3
