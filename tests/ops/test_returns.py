import doctest

import jax
import jax.numpy as jnp
import numpy as np

from ptde.ops import returns
from ptde.ops.returns import lambda_returns


def random_trajectory(getkey, length=12):
    r, v = jax.random.normal(getkey(), (2, length))
    discount = 0.9 * jax.random.bernoulli(getkey(), 0.8, (length,))
    return r, discount, v


def test_by_hand():
    # G_1 = 3 + 0.5 * 4 = 5;  G_0 = 1 + 0.5 * (0.75 * 2 + 0.25 * 5) = 2.375
    g = lambda_returns(
        jnp.array([1.0, 3.0]), jnp.full(2, 0.5), jnp.array([2.0, 4.0]), jnp.full(2, 0.25)
    )
    np.testing.assert_allclose(g, [2.375, 5.0])


def test_against_a_naive_loop(getkey):
    r, discount, v = random_trajectory(getkey)
    trace = jax.random.uniform(getkey(), r.shape)
    expected, g = [], v[-1]
    for t in reversed(range(len(r))):
        g = r[t] + discount[t] * ((1 - trace[t]) * v[t] + trace[t] * g)
        expected.insert(0, g)
    np.testing.assert_allclose(
        lambda_returns(r, discount, v, trace), jnp.stack(expected), rtol=1e-5
    )


def test_lambda_0_is_one_step(getkey):
    r, discount, v = random_trajectory(getkey)
    g = lambda_returns(r, discount, v, jnp.zeros_like(r))
    np.testing.assert_allclose(g, r + discount * v, rtol=1e-6)


def test_lambda_1_of_an_ended_episode_is_monte_carlo(getkey):
    r, _, v = random_trajectory(getkey)
    discount = jnp.full_like(r, 0.9).at[-1].set(0.0)
    g = lambda_returns(r, discount, v, jnp.ones_like(r))
    expected = sum(0.9**k * r[k] for k in range(len(r)))
    np.testing.assert_allclose(g[0], expected, rtol=1e-5)


def test_nothing_passes_a_cut_trace(getkey):
    r, _, v = random_trajectory(getkey)
    discount, trace = jnp.full_like(r, 0.9), jnp.ones_like(r).at[5].set(0.0)
    g = lambda_returns(r, discount, v, trace)
    changed = lambda_returns(r.at[6:].add(100.0), discount, v.at[6:].add(9.0), trace)
    np.testing.assert_array_equal(g[:6], changed[:6])


def test_doctests():
    assert doctest.testmod(returns).failed == 0
