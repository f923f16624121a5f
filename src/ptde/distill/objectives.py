"""Losses of a student: its distance from the teacher, in z or in the values that follow.

Q_i is affine in z, so with the same h the second is a distance in z as well, seen through
the head: only those directions of z count that change how the actions compare.
"""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ptde.agents.base import AbstractNetwork
from ptde.ops.losses import distillation_loss
from ptde.ops.masks import masked_mean
from ptde.ops.select import masked


class Labelled(eqx.Module):
    """Segments of local information, with the teacher's z and h at each step."""

    local: Float[Array, "*b T n d"]
    """O_i."""
    first: Bool[Array, "*b T"]
    legal: Bool[Array, "*b T n u"]
    counts: Bool[Array, "*b T n"]
    """Whether the agent's step is learnt from: it is alive, and acts."""
    z: Float[Array, "*b T n z"]
    """The *mean* of the teacher's z: its best fit is that of samples, without noise."""
    h: Float[Array, "*b T n h"]
    """The hidden state of the teacher's network, which a student does not change."""


class AbstractObjective(eqx.Module):
    """A loss between a student's z and the teacher's."""

    @abstractmethod
    def __call__(
        self, z: Float[Array, "B T n z"], seen: Labelled, network: AbstractNetwork
    ) -> Float[Array, ""]:
        """The loss of the student's ``z``; the network is the teacher's, frozen."""


class ZObjective(AbstractObjective):
    """Paper Eq. 6: the squared distance of the student's z from the teacher's."""

    def __call__(
        self, z: Float[Array, "B T n z"], seen: Labelled, network: AbstractNetwork
    ) -> Float[Array, ""]:
        return distillation_loss(z, seen.z, seen.counts)


class QObjective(AbstractObjective):
    """The distance of the action values and of the policies that they imply (and of z).

        sum_u (A' - A)^2 / (legal actions x var A) + policy KL(pi || pi') + z-share of z

    with A = Q - its mean over the legal actions, pi = softmax(Q / t), t = 0.1 std A; where
    the network gives logits, t = 1. All terms are free of the scale of rewards and z. After
    Czarnecki et al. 2019, whose comparison of losses says that the details matter.
    """

    policy: float = eqx.field(static=True, default=0.5)
    """Weight of the Kullback-Leibler divergence."""
    share: float = eqx.field(static=True, default=0.1)
    """Weight of the squared distance of z over z's variance."""

    def __call__(
        self, z: Float[Array, "B T n z"], seen: Labelled, network: AbstractNetwork
    ) -> Float[Array, ""]:
        network = jax.lax.stop_gradient(network)
        q, q_student = network.values(seen.h, seen.z), network.values(seen.h, z)
        legal, counts = seen.legal, seen.counts
        number = jnp.sum(legal, axis=-1)
        a, a_student = centred(q, legal), centred(q_student, legal)
        spread = variance_of(q, legal, counts)
        distance = jnp.sum(jnp.square(a_student - a), axis=-1) / number
        t = sharpness(network, q, legal, counts)
        apart = divergence(q / t, q_student / t, legal)
        variance = distillation_loss(average(seen.z, counts), seen.z, counts)
        return (
            masked_mean(distance, counts) / (spread + 1e-8)
            + self.policy * masked_mean(apart, counts)
            + self.share * distillation_loss(z, seen.z, counts) / (variance + 1e-8)
        )


def average(z: Float[Array, "*b z"], counts: Bool[Array, "*b"]) -> Float[Array, "*b z"]:
    """The mean of z over the entries that count, in z's shape."""
    mean = jax.vmap(masked_mean, (-1, None))(z, counts)
    return jnp.broadcast_to(mean, z.shape)


def variance_of(
    q: Float[Array, "*b u"], legal: Bool[Array, "*b u"], counts: Bool[Array, "*b"]
) -> Float[Array, ""]:
    """The variance of Q over the legal actions, as a mean over the entries that count."""
    a = centred(q, legal)
    return masked_mean(jnp.sum(a * a, axis=-1) / jnp.sum(legal, axis=-1), counts)


def sharpness(
    network: AbstractNetwork,
    q: Float[Array, "*b u"],
    legal: Bool[Array, "*b u"],
    counts: Bool[Array, "*b"],
) -> Float[Array, ""] | float:
    """The temperature at which values become a policy; 1 where they are logits."""
    if network.logits:
        return 1.0
    return 0.1 * jnp.sqrt(variance_of(q, legal, counts)) + 1e-8


def divergence(
    wanted: Float[Array, "*b u"], given: Float[Array, "*b u"], legal: Bool[Array, "*b u"]
) -> Float[Array, "*b"]:
    """KL(softmax(wanted) || softmax(given)) over the legal actions."""
    log_p = jax.nn.log_softmax(masked(wanted, legal))
    log_p_given = jax.nn.log_softmax(masked(given, legal))
    return jnp.sum(jnp.exp(log_p) * jnp.where(legal, log_p - log_p_given, 0.0), axis=-1)


def centred(q: Float[Array, "*b u"], legal: Bool[Array, "*b u"]) -> Float[Array, "*b u"]:
    """Q less its mean over the legal actions; 0 where an action is not legal."""
    mean = jnp.sum(jnp.where(legal, q, 0.0), axis=-1, keepdims=True)
    mean = mean / jnp.maximum(jnp.sum(legal, axis=-1, keepdims=True), 1)
    return jnp.where(legal, q - mean, 0.0)


OBJECTIVES: dict[str, Callable[[], AbstractObjective]] = {
    "z": ZObjective,
    "q": QObjective,
}
"""Objectives by name."""
