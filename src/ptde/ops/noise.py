"""Noise for sampled information."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key


def coarse_normal(shape: tuple[int, ...], *, key: Key[Array, ""]) -> Float[Array, "..."]:
    """Standard normal noise from 16 random bits a number: within +-4.3, steps of 4e-5.

    Random bits are the cost of noise on a CPU; half as many take half the time, and noise
    that is added to z in training needs no more.
    """
    *lead, last = shape
    bits = jax.random.bits(key, (*lead, -(-last // 2)), jnp.uint32)

    def normal(half):
        uniform = (half.astype(jnp.float32) + 0.5) * 2.0**-15 - 1.0
        return 2.0**0.5 * jax.lax.erf_inv(uniform)

    # Halves side by side on the last axis: laid end to end, XLA's CPU backend computes them
    # anew inside whatever uses them, in three times the time.
    halves = (normal(bits & 0xFFFF), normal(bits >> 16))
    return jnp.concatenate(halves, axis=-1)[..., :last]
