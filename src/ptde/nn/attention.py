"""Attention over a set of entities."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


class Attention(eqx.Module):
    """Heads of full width whose outputs are averaged (COPA, Liu et al. 2021)."""

    query: Float[Array, "heads h h"]
    key: Float[Array, "heads h h"]
    value: Float[Array, "heads h h"]

    def __init__(self, width: int, heads: int, *, key: Key[Array, ""]):
        shape = (heads, width, width)
        keys = jax.random.split(key, 3)
        scale = width**-0.5  # the published code draws from N(0, 1), which saturates
        self.query, self.key, self.value = (
            scale * jax.random.normal(k, shape) for k in keys
        )

    def __call__(
        self, asks: Float[Array, "*b q h"], context: Float[Array, "*b e h"]
    ) -> Float[Array, "*b q h"]:
        """For each query of ``asks``, the attended values of the entities ``context``."""
        query = jnp.einsum("...qi,kij->...kqj", asks, self.query)
        key = jnp.einsum("...ei,kij->...kej", context, self.key)
        value = jnp.einsum("...ei,kij->...kej", context, self.value)
        scores = jnp.einsum("...kqj,...kej->...kqe", query, key) / asks.shape[-1] ** 0.5
        weights = jax.nn.softmax(scores, axis=-1)
        return jnp.mean(jnp.einsum("...kqe,...kej->...kqj", weights, value), axis=-3)
