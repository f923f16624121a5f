"""A linear layer whose weights are generated, evaluated without ever building them.

The generated layer is ``y_i = s W(O_i) + b(O_i)``, with ``W(O_i) = sum_k g_ik M_k + M_0``
linear in the hypernetwork's hidden units ``g_i = relu(A O_i + a)``. So

    s W(O_i) = sum_k g_ik (s M_k) + s M_0,

and ``s M_k`` does not depend on the agent: one matrix product per state serves them all.
It is the same function of the same parameters, with the same gradients, at a fraction of
the arithmetic and memory: 128 episodes of 3s5z_vs_3s7z take 0.36 GB instead of 10.9.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.nn.init import uniform
from ptde.nn.linear import Linear


class HyperLinear(eqx.Module):
    """The agent-hyper network and the layer that it generates (Paper Fig. 2)."""

    hidden: Linear
    weight: Float[Array, "s k z"]
    """M_1 .. M_K: the last layer of the weight branch."""
    weight_0: Float[Array, "s z"]
    """M_0: the bias of that layer."""
    bias: Linear

    def __init__(
        self, local: int, state: int, out: int, hidden: int, *, key: Key[Array, ""]
    ):
        keys = jax.random.split(key, 4)
        self.hidden = Linear(local, hidden, key=keys[0])
        self.weight = uniform((state, hidden, out), hidden, key=keys[1])
        self.weight_0 = uniform((state, out), hidden, key=keys[2])
        self.bias = Linear(local, out, key=keys[3])

    def __call__(
        self, local: Float[Array, "*b n d"], state: Float[Array, "*b s"]
    ) -> Float[Array, "*b n z"]:
        """y_i = s W(O_i) + b(O_i) of every agent."""
        *batch, n_agents, _ = local.shape
        units = jax.nn.relu(self.hidden(local))
        states = state.reshape(-1, state.shape[-1])
        y = _generated_product(
            units.reshape(-1, n_agents, units.shape[-1]), states, self.weight
        )
        y = y + (states @ self.weight_0)[:, None]
        return y.reshape(*batch, n_agents, -1) + self.bias(local)

    def materialised(
        self, local: Float[Array, "*b n d"], state: Float[Array, "*b s"]
    ) -> Float[Array, "*b n z"]:
        """The output of ``__call__`` with every agent's W(O_i) built: for tests."""
        units = jax.nn.relu(self.hidden(local))
        weight = jnp.einsum("...nk,skz->...nsz", units, self.weight) + self.weight_0
        return jnp.einsum("...s,...nsz->...nz", state, weight) + self.bias(local)


def _block_rows(rows: int) -> int:
    """Number of states that are multiplied at once: on a CPU, as many as its caches hold.

    About half a thousand states make ``s M`` 8 MB instead of 70; the pass is twice as fast.
    """
    blocks = max(1, round(rows / 512)) if jax.default_backend() == "cpu" else 1
    return -(-rows // blocks)


def _blocks(x: Array, size: int) -> Array:
    """Rows in blocks of ``size``, the last one filled up with zeros."""
    filled = -len(x) % size
    x = jnp.pad(x, ((0, filled),) + ((0, 0),) * (x.ndim - 1))
    return x.reshape(-1, size, *x.shape[1:])


@jax.custom_vjp
def _generated_product(units, state, weight):
    """sum_k units[r n k] (state[r s] weight[s k z]) -> [r n z]."""
    size = _block_rows(len(state))
    flat = weight.reshape(len(weight), -1)

    def block(args):
        units, state = args
        shared = (state @ flat).reshape(-1, *weight.shape[1:])
        return jnp.einsum("rnk,rkz->rnz", units, shared)

    if size == len(state):
        return block((units, state))
    y = jax.lax.map(block, (_blocks(units, size), _blocks(state, size)))
    return y.reshape(-1, *y.shape[2:])[: len(state)]


def _generated_product_forward(units, state, weight):
    return _generated_product(units, state, weight), (units, state, weight)


def _generated_product_backward(saved, dy):
    # ``state M`` is computed again block by block: cheaper than to write and read it. It is
    # laid out [z k], so that the sum over z runs along whole rows of it.
    units, state, weight = saved
    size = _block_rows(len(state))
    flat = weight.reshape(len(weight), -1)
    turned = weight.swapaxes(1, 2)
    flat_turned = turned.reshape(len(weight), -1)

    def block(d_flat, args):
        units, state, dy = args
        shared = (state @ flat_turned).reshape(-1, *turned.shape[1:])
        d_units = jnp.einsum("rnz,rzk->rnk", dy, shared)
        d_shared = jnp.einsum("rnk,rnz->rkz", units, dy).reshape(len(state), -1)
        d_state = d_shared @ flat.T
        return d_flat + state.T @ d_shared, (d_units, d_state)

    blocks = (_blocks(units, size), _blocks(state, size), _blocks(dy, size))
    d_flat, (d_units, d_state) = jax.lax.scan(block, jnp.zeros_like(flat), blocks)
    d_units = d_units.reshape(-1, *d_units.shape[2:])[: len(state)]
    d_state = d_state.reshape(-1, d_state.shape[-1])[: len(state)]
    return d_units, d_state, d_flat.reshape(weight.shape)


_generated_product.defvjp(_generated_product_forward, _generated_product_backward)
