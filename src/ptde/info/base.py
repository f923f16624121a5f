"""What an information module and a student are."""

from abc import abstractmethod

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.nn.linear import MLP
from ptde.types import Info


class AbstractInfo(eqx.Module):
    """A view of the global state for each agent: used in stage 1, by the teacher."""

    z_dim: eqx.AbstractVar[int]
    """Width of z."""

    @abstractmethod
    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        key: Key[Array, ""] | None,
    ) -> Info:
        """What each agent is told.

        Args:
            local: O_i of every agent.
            state: the global state.
            key: draws z from its distribution; None sets z to its mean.
        """


class AbstractStudent(eqx.Module):
    """Makes z from local information: there is no state to look at."""

    @abstractmethod
    def __call__(self, local: Float[Array, "*b n d"]) -> Float[Array, "*b n z"]:
        """z'_i of every agent (Paper Eq. 5)."""


class DistributionGenerator(eqx.Module):
    """The blue module of Paper Fig. 1 (b): a diagonal Gaussian from an encoding.

    Two heads h -> h -> z with a LeakyReLU between. The second gives the log of the
    *variance*, which is not allowed below ``floor``.
    """

    mean: MLP
    log_variance: MLP
    floor: float = eqx.field(static=True)

    def __init__(
        self, in_dim: int, z_dim: int, floor: float = 0.01, *, key: Key[Array, ""]
    ):
        key_mean, key_variance = jax.random.split(key)
        widths = (in_dim, z_dim, z_dim)
        self.mean = MLP(widths, jax.nn.leaky_relu, key=key_mean)
        self.log_variance = MLP(widths, jax.nn.leaky_relu, key=key_variance)
        self.floor = floor

    def __call__(
        self, h: Float[Array, "*b m h"], *, agents: int, key: Key[Array, ""] | None
    ) -> Info:
        """Each agent's z, from an encoding of its own (m = n) or of the team (m = 1)."""
        each = (*h.shape[:-2], agents, self.mean.layers[-1].bias.size)
        mean = jnp.broadcast_to(self.mean(h), each)
        if key is None:
            return Info(z=mean, mean=mean)
        noise = jax.random.normal(key, each)
        return Info(z=mean + jnp.sqrt(self.variance(h)) * noise, mean=mean)

    def variance(self, h: Float[Array, "*b m h"]) -> Float[Array, "*b m z"]:
        """The variance of z, at least ``floor``."""
        # exp(4): a wider z is noise alone, and a runaway head must not reach infinity.
        log_variance = jnp.minimum(self.log_variance(h), 4.0)
        return jnp.maximum(jnp.exp(log_variance), self.floor)
