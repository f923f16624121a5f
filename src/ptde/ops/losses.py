"""Losses, over any leading axes."""

import jax.numpy as jnp
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
    """The squared distance of student's and teacher's z, meaned over rows (Paper Eq. 6)."""
    distance = jnp.sum(jnp.square(student_z - teacher_z), axis=-1)
    return masked_mean(distance, valid)
