import jax
import jax.numpy as jnp
import numpy as np

from ptde.nn.recurrent import GRU

T, ROWS, IN, HIDDEN = 7, 4, 5, 6


def setup(getkey):
    gru = GRU(IN, HIDDEN, key=getkey())
    x = jax.random.normal(getkey(), (T, ROWS, IN))
    first = jax.random.bernoulli(getkey(), 0.3, (T, ROWS))
    return gru, x, first


def by_steps(gru, x, first):
    """The same by the plain definition, differentiated by JAX alone."""

    def step(h, now):
        x, first = now
        h = gru.step(jnp.where(first[:, None], 0.0, h), x)
        return h, h

    return jax.lax.scan(step, jnp.zeros((ROWS, HIDDEN)), (x, first))[1]


def test_one_step_is_pytorchs_equation(getkey):
    gru, x, _ = setup(getkey)
    h = jax.random.normal(getkey(), (ROWS, HIDDEN))
    gi = np.asarray(x[0] @ gru.project.weight + gru.project.bias)
    gh = np.asarray(h @ gru.weight_h + gru.bias_h)
    sigmoid = lambda a: 1 / (1 + np.exp(-a))
    ir, iz, inn = np.split(gi, 3, -1)
    hr, hz, hn = np.split(gh, 3, -1)
    r, z = sigmoid(ir + hr), sigmoid(iz + hz)
    n = np.tanh(inn + r * hn)
    expected = (1 - z) * n + z * np.asarray(h)
    np.testing.assert_allclose(gru.step(h, x[0]), expected, atol=1e-6)


def test_unroll_is_the_steps_one_by_one(getkey):
    gru, x, first = setup(getkey)
    np.testing.assert_allclose(gru.unroll(x, first), by_steps(gru, x, first), atol=1e-6)


def test_the_gradient_written_out_is_the_gradient(getkey):
    gru, x, first = setup(getkey)
    weight = jax.random.normal(getkey(), (T, ROWS, HIDDEN))
    loss = lambda unroll: lambda gru, x: jnp.sum(weight * unroll(gru, x, first))
    ours = jax.grad(loss(GRU.unroll), argnums=(0, 1))(gru, x)
    plain = jax.grad(loss(by_steps), argnums=(0, 1))(gru, x)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(plain), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_nothing_passes_a_first_step(getkey):
    gru, x, _ = setup(getkey)
    first = jnp.zeros((T, ROWS), bool).at[4].set(True)
    h = gru.unroll(x, first)
    changed = gru.unroll(x.at[:4].add(1.0), first)
    np.testing.assert_array_equal(h[4:], changed[4:])
    assert jnp.abs(h[3] - changed[3]).max() > 1e-3
