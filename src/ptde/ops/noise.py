"""Noise for sampled information."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def coarse_normal(shape: tuple[int, ...], *, key: Key[Array, ""]) -> Float[Array, "..."]:
    """Standard normal noise from 16 random bits a number: within +-4.3, steps of 4e-5.

    Random bits are the cost of noise on a CPU; half as many take half the time, and noise
    that is added to z in training needs no more.
    """
    count = 1
    for size in shape:
        count *= size
    bits = jax.random.bits(key, (-(-count // 2),), jnp.uint32)
    halves = jnp.concatenate([bits & 0xFFFF, bits >> 16])[:count]
    uniform = (halves.astype(jnp.float32) + 0.5) * 2.0**-15 - 1.0
    return (2.0**0.5 * jax.lax.erf_inv(uniform)).reshape(shape)
