"""Choosing among action values under a mask of legal actions."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.ops.keys import row_uniform


def masked(q: Float[Array, "*b u"], legal: Bool[Array, "*b u"]) -> Float[Array, "*b u"]:
    """The action values, with the lowest finite float for illegal actions."""
    return jnp.where(legal, q, jnp.finfo(q.dtype).min)


def greedy(q: Float[Array, "*b u"], legal: Bool[Array, "*b u"]) -> Int[Array, "*b"]:
    """The legal action of the greatest value; among equals, the first."""
    return jnp.argmax(masked(q, legal), axis=-1).astype(jnp.int32)


def epsilon_greedy(
    q: Float[Array, "*b u"],
    legal: Bool[Array, "*b u"],
    epsilon: Float[Array, ""] | float,
    *,
    key: Key[Array, ""],
) -> Int[Array, "*b"]:
    """The greedy action or, with probability epsilon for each agent, a random legal one."""
    # One draw for both: the first number says whether to explore, the others which action.
    each = (*q.shape[1:-1], 1 + q.shape[-1])
    noise = row_uniform(key, len(q), each)
    explore, noise = noise[..., 0] < epsilon, noise[..., 1:]
    uniform = jnp.argmax(jnp.where(legal, noise, -1.0), axis=-1).astype(jnp.int32)
    return jnp.where(explore, uniform, greedy(q, legal))


def take(q: Float[Array, "*b u"], action: Int[Array, "*b"]) -> Float[Array, "*b"]:
    """The values of the given actions."""
    # A sum over a mask vectorises better than a gather over so few actions.
    chosen = jax.nn.one_hot(action, q.shape[-1], dtype=bool)
    return jnp.sum(jnp.where(chosen, q, 0.0), axis=-1)


def log_probability(
    logits: Float[Array, "*b u"], action: Int[Array, "*b"]
) -> Float[Array, "*b"]:
    """Log pi(action) of a softmax policy; logits of illegal actions are already masked."""
    return take(jax.nn.log_softmax(logits), action)
