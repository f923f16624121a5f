"""A loss that keeps a student near its teacher while it learns from rewards.

GPO and MAGPO (2025), too, keep the policy that is executed near one that sees the state.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from ptde.agents.team import Teacher
from ptde.distill.objectives import divergence, sharpness
from ptde.ops.masks import masked_mean, without_last
from ptde.types import Rollout


class Leash(eqx.Module):
    """A weight on the Kullback-Leibler divergence of the student's policy from its frozen
    teacher's: of the softmax of logits, or of action values over a tenth of their spread.
    """

    teacher: Teacher
    weight: float = eqx.field(static=True)

    def __call__(
        self,
        values: Float[Array, "B T n u"],
        batch: Rollout,
        counts: Bool[Array, "B T n"],
    ) -> Float[Array, ""]:
        """The loss of a student's values or logits, over the steps where ``counts``."""
        steps = without_last(batch.steps)
        legal = steps.local.legal
        wanted = jax.lax.stop_gradient(self.teacher.unroll(steps)[0])
        t = sharpness(self.teacher.network, wanted, legal, counts)
        apart = divergence(wanted / t, values / t, legal)
        return self.weight * masked_mean(apart, counts)


def only(trains: Any, gradient: PyTree) -> PyTree:
    """The gradient, with zeros for the parts that shall not learn.

    Args:
        trains: a tree of bools for parts of the gradient; True is all.
        gradient: a model's gradient.
    """
    if trains is True:
        return gradient
    return jax.tree.map(
        lambda learns, part: part if learns else jax.tree.map(jnp.zeros_like, part),
        trains,
        gradient,
    )
