"""Interfaces of information modules and of students."""

from abc import abstractmethod
from typing import TypeAlias, final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ptde.nn.linear import MLP
from ptde.ops.keys import row_keys
from ptde.types import Info, Rollout

Carry: TypeAlias = PyTree[Array]
"""Memory within an episode; all zeros at its start. Leaves are ``[B, ...]``."""


class AbstractRecurrentInfo(eqx.Module):
    """A teacher's view of the global state for each agent, z_i. It may have a memory."""

    z_dim: eqx.AbstractVar[int]
    """Width of z."""
    stochastic: eqx.AbstractVar[bool]
    """Whether z is drawn from a distribution."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of episodes in ``copies`` copies of the world."""

    @abstractmethod
    def step(
        self,
        carry: Carry,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[Carry, Info]:
        """One step of an episode; arguments as in ``AbstractInfo.__call__``."""

    @abstractmethod
    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        """All steps of segments that start with an episode; ``first`` starts more."""

    @final
    def draw(
        self, shape: tuple[int, ...], *, key: Key[Array, ""]
    ) -> Float[Array, "..."] | None:
        """Noise for agents in an array of ``shape`` (``(B, n)``, say); None if unused."""
        if not self.stochastic:
            return None
        each = (*shape[1:], self.z_dim)
        return jax.vmap(lambda k: jax.random.normal(k, each))(row_keys(key, shape[0]))

    def sent(
        self, before: Carry, after: Carry, alike: Int[Array, " B"]
    ) -> Int[Array, " B"]:
        """Number of messages to agents in one step; ``alike`` is one to each of them."""
        return alike if self.z_dim else jnp.zeros_like(alike)

    def auxiliary(self, batch: Rollout, info: Info) -> Float[Array, ""]:
        """The module's own loss, added to the learner's; ``info`` has the T acted steps."""
        return jnp.zeros(())


class AbstractInfo(AbstractRecurrentInfo):
    """A module without memory: ``__call__`` gives z of a step from that step alone."""

    @abstractmethod
    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        """The information that each agent gets: z and its mean.

        Args:
            local: O_i of every agent.
            state: the global state.
            noise: standard normal, makes z a sample; None sets z to its mean.
        """

    @final
    def start(self, copies: int, n_agents: int) -> Carry:
        return ()

    @final
    def step(
        self,
        carry: Carry,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[Carry, Info]:
        return carry, self(local, state, noise=noise)

    @final
    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        return self(local, state, noise=noise)


class AbstractStudent(eqx.Module):
    """Makes z' from local information: its methods take no state."""

    @abstractmethod
    def start(self, copies: int, n_agents: int) -> Carry:
        """The carry at the start of episodes in ``copies`` copies of the world."""

    @abstractmethod
    def step(
        self, carry: Carry, local: Float[Array, "B n d"]
    ) -> tuple[Carry, Float[Array, "B n z"]]:
        """One step of an episode: z'_i of every agent (Paper Eq. 5)."""

    @abstractmethod
    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n z"]:
        """All z' of segments that start with an episode; ``first`` starts more."""


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
        self,
        h: Float[Array, "*b m h"],
        *,
        agents: int,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        """Each agent's z, from an encoding of its own (m = n) or of the team (m = 1)."""
        each = (*h.shape[:-2], agents, self.mean.layers[-1].bias.size)
        mean = jnp.broadcast_to(self.mean(h), each)
        if noise is None:
            return Info(z=mean, mean=mean)
        return Info(z=mean + self.deviation(h) * noise, mean=mean)

    def deviation(self, h: Float[Array, "*b m h"]) -> Float[Array, "*b m z"]:
        """The standard deviation of z: the root of a variance of at least ``floor``."""
        # exp(4): a wider z is noise alone, and a runaway head must not reach infinity.
        log_variance = jnp.minimum(self.log_variance(h), 4.0)
        return jnp.maximum(jnp.exp(0.5 * log_variance), self.floor**0.5)
