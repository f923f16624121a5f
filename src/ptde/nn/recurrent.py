"""The gated recurrent unit, and the only scan over time with resets in the code.

Only ``h W_h`` depends on the previous step. Everything else is computed for all steps at
once: the inputs' projection before the scan, and the gradients of both weight matrices
after it, which is why the backward pass is written out below. The gates travel as separate
arrays because XLA's CPU backend does not vectorise slices of a sliced scan input: this
alone took the forward pass of 129 steps of 96 rows from 18 to 7 ms (2 cores, JAX 0.10).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ptde.nn.init import uniform
from ptde.nn.linear import Linear, orthogonal_weight


class GRU(eqx.Module):
    """GRU of Cho et al. 2014 in PyTorch's form: the reset gate acts on ``h W_h + b_h``."""

    project: Linear
    """W_x and b_x: the inputs' part of all three gates, [i, 3h]."""
    weight_h: Float[Array, "h 3h"]
    bias_h: Float[Array, " 3h"]

    def __init__(self, in_dim: int, hidden: int, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 3)
        self.project = Linear(in_dim, 3 * hidden, fan_in=hidden, key=keys[0])
        self.weight_h = uniform((hidden, 3 * hidden), hidden, key=keys[1])
        self.bias_h = uniform((3 * hidden,), hidden, key=keys[2])

    @property
    def hidden(self) -> int:
        """Width of the hidden state."""
        return self.weight_h.shape[-2]

    def step(
        self, h: Float[Array, "*b h"], x: Float[Array, "*b i"]
    ) -> Float[Array, "*b h"]:
        """The next hidden state, over any leading axes."""
        gates_x = _split(self.project(x))
        return _cell(h, gates_x, self.weight_h, self.bias_h)[0]

    def unroll(
        self, x: Float[Array, "T rows i"], first: Bool[Array, "T rows"]
    ) -> Float[Array, "T rows h"]:
        """Hidden states of T steps from zero; ``first`` sets it to zero before a step."""
        gates_x = self.project(x)
        keep = (~first)[..., None].astype(x.dtype)
        return _unroll(gates_x, keep, self.weight_h, self.bias_h)


def orthogonal_gru(in_dim: int, hidden: int, *, key: Key[Array, ""]) -> GRU:
    """A GRU whose weights start orthogonal and whose biases start at zero, as in MAPPO."""
    key_new, key_x, key_h = jax.random.split(key, 3)
    rnn = GRU(in_dim, hidden, key=key_new)
    weight_x = orthogonal_weight(in_dim, 3 * hidden, 1.0, key=key_x)
    weight_h = orthogonal_weight(hidden, 3 * hidden, 1.0, key=key_h)
    none = jnp.zeros(3 * hidden)
    start = (weight_x, none, weight_h, none)
    parts = lambda r: (r.project.weight, r.project.bias, r.weight_h, r.bias_h)
    return eqx.tree_at(parts, rnn, start)


def unroll_rows(
    rnn: GRU, x: Float[Array, "B T n i"], first: Bool[Array, "B T"]
) -> Float[Array, "B T n h"]:
    """Hidden states of every agent of B segments, zero at the start and each ``first``."""
    batch, time, n_agents, _ = x.shape
    x = x.transpose(1, 0, 2, 3).reshape(time, batch * n_agents, -1)
    h = rnn.unroll(x, jnp.repeat(first.T, n_agents, axis=1))
    return h.reshape(time, batch, n_agents, -1).transpose(1, 0, 2, 3)


def _split(gates: Array) -> tuple[Array, Array, Array]:
    reset, update, new = jnp.split(gates, 3, axis=-1)
    return reset, update, new


def _sigmoid(x: Array) -> Array:
    return 0.5 * jnp.tanh(0.5 * x) + 0.5  # one fast instruction sequence on a CPU


def _cell(h, gates_x, weight_h, bias_h):
    x_r, x_u, x_n = gates_x
    h_r, h_u, h_n = _split(h @ weight_h + bias_h)
    r = _sigmoid(x_r + h_r)
    u = _sigmoid(x_u + h_u)
    n = jnp.tanh(x_n + r * h_n)
    return (1.0 - u) * n + u * h, (r, u, n, h_n)


@jax.custom_vjp
def _unroll(gates_x, keep, weight_h, bias_h):
    def forward(h, step):
        gates, keep = step
        h, _ = _cell(h * keep, gates, weight_h, bias_h)
        return h, h

    gates_x = _split(gates_x)
    start = jnp.zeros_like(gates_x[0][0])
    return jax.lax.scan(forward, start, (gates_x, keep))[1]


def _unroll_forward(gates_x, keep, weight_h, bias_h):
    def forward(h, step):
        gates, keep = step
        h, inner = _cell(h * keep, gates, weight_h, bias_h)
        return h, (h, *inner)

    gates_x = _split(gates_x)
    start = jnp.zeros_like(gates_x[0][0])
    _, (h, r, u, n, h_n) = jax.lax.scan(forward, start, (gates_x, keep))
    h_tm1 = jnp.concatenate([start[None], h[:-1]]) * keep
    return h, (h_tm1, r, u, n, h_n, keep, weight_h)


def _unroll_backward(saved, dh):
    h_tm1, r, u, n, h_n, keep, weight_h = saved
    # Derivatives of h_t by each gate's pre-activation, for all steps at once.
    slope_x_n = (1.0 - u) * (1.0 - n * n)
    slope_r = slope_x_n * h_n * r * (1.0 - r)
    slope_u = (h_tm1 - n) * u * (1.0 - u)
    slope_n = slope_x_n * r
    w_r, w_u, w_n = (w.T for w in _split(weight_h))

    def backward(carry, step):
        dh, slope_r, slope_u, slope_n, u, keep = step
        dh = dh + carry
        carry = dh * u + (dh * slope_r) @ w_r + (dh * slope_u) @ w_u
        carry = carry + (dh * slope_n) @ w_n
        return carry * keep, dh

    _, dh = jax.lax.scan(
        backward,
        jnp.zeros_like(dh[0]),
        (dh, slope_r, slope_u, slope_n, u, keep),
        reverse=True,
    )
    d_r, d_u, d_x_n = dh * slope_r, dh * slope_u, dh * slope_x_n
    d_gates_x = jnp.concatenate([d_r, d_u, d_x_n], axis=-1)
    d_gates_h = jnp.concatenate([d_r, d_u, dh * slope_n], axis=-1)
    rows = d_gates_h.reshape(-1, d_gates_h.shape[-1])
    d_weight_h = h_tm1.reshape(-1, h_tm1.shape[-1]).T @ rows
    return d_gates_x, None, d_weight_h, rows.sum(0)


_unroll.defvjp(_unroll_forward, _unroll_backward)
