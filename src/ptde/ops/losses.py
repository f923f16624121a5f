"""Losses, over any leading axes."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from ptde.ops.masks import masked_mean


def td_loss(td_error: Float[Array, "*b"], valid: Bool[Array, "*b"]) -> Float[Array, ""]:
    """Half the mean squared error over valid transitions (Paper Eq. 7)."""
    return masked_mean(0.5 * jnp.square(td_error), valid)


def distillation_loss(
    student_z: Float[Array, "*b z"],
    teacher_z: Float[Array, "*b z"],
    valid: Bool[Array, "*b"],
) -> Float[Array, ""]:
    """Mean squared distance between the student's z and the teacher's (Paper Eq. 6)."""
    distance = jnp.sum(jnp.square(student_z - teacher_z), axis=-1)
    return masked_mean(distance, valid)


def clipped_surrogate(
    ratio: Float[Array, "*b"], advantage: Float[Array, "*b"], clip: float
) -> Float[Array, "*b"]:
    """PPO's clipped surrogate, to be maximised (Schulman et al. 2017, Eq. 7)."""
    near = jnp.clip(ratio, 1.0 - clip, 1.0 + clip)
    return jnp.minimum(ratio * advantage, near * advantage)


def clipped_value_loss(
    value: Float[Array, "*b"],
    old: Float[Array, "*b"],
    target: Float[Array, "*b"],
    clip: float,
    delta: float,
) -> Float[Array, "*b"]:
    """The larger Huber loss of two: of the value, and of the value kept near ``old``."""
    near = old + jnp.clip(value - old, -clip, clip)
    return jnp.maximum(
        optax.losses.huber_loss(value, target, delta=delta),
        optax.losses.huber_loss(near, target, delta=delta),
    )
