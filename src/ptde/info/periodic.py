"""Intermittent information: the centre reads the state, and sends, only every T steps.

CSRL's commander sends the state; the agents (its soldiers) read the last one sent through
their present local information. COPA's coach sends z itself, and may leave out a z that
has hardly changed (adaptive broadcast, Liu et al. 2021, Sec. 4.3).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ptde.info.base import AbstractInfo, AbstractRecurrentInfo
from ptde.types import Info, Rollout


class HeldState(eqx.Module):
    """The message that agents keep between two refreshes, and counts."""

    age: Int[Array, " B"]
    """Steps since the episode began."""
    message: Float[Array, "B ..."]
    """The last state sent, or the last z sent to every agent."""
    messages: Int[Array, " B"]
    """Messages sent in this episode so far, one for each agent at a refresh."""


class AbstractPeriodicInfo(AbstractRecurrentInfo):
    """A module without memory that is used only every ``period`` steps of an episode."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    inner: AbstractInfo
    period: int = eqx.field(static=True)

    def __init__(self, inner: AbstractInfo, period: int):
        self.z_dim, self.stochastic = inner.z_dim, inner.stochastic
        self.inner, self.period = inner, period

    def sent(
        self, before: HeldState, after: HeldState, alike: Int[Array, " B"]
    ) -> Int[Array, " B"]:
        return after.messages - before.messages

    def auxiliary(self, batch: Rollout, info: Info) -> Float[Array, ""]:
        return self.inner.auxiliary(batch, info)


class PeriodicInfo(AbstractPeriodicInfo):
    """Reads the state of the last refresh through the O_i of every step (CSRL)."""

    state_dim: int = eqx.field(static=True)

    def __init__(self, inner: AbstractInfo, state_dim: int, period: int):
        super().__init__(inner, period)
        self.state_dim = state_dim

    def start(self, copies: int, n_agents: int) -> HeldState:
        none = jnp.zeros(copies, jnp.int32)
        return HeldState(none, jnp.zeros((copies, self.state_dim)), none)

    def step(
        self,
        carry: HeldState,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[HeldState, Info]:
        refresh = carry.age % self.period == 0
        message = jnp.where(refresh[:, None], state, carry.message)
        sent = refresh.astype(jnp.int32) * local.shape[-2]
        info = self.inner(local, message, noise=noise)
        return HeldState(carry.age + 1, message, carry.messages + sent), info

    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        return self.inner(local, _at(state, last_refresh(first, self.period)), noise=noise)


class BroadcastInfo(AbstractPeriodicInfo):
    """Gives each agent the z of the last broadcast (COPA)."""

    threshold: float = eqx.field(static=True)
    """At execution (without noise) a z no farther than this from the last is not sent."""

    def __init__(self, inner: AbstractInfo, period: int, threshold: float = 0.0):
        super().__init__(inner, period)
        self.threshold = threshold

    def start(self, copies: int, n_agents: int) -> HeldState:
        none = jnp.zeros(copies, jnp.int32)
        return HeldState(none, jnp.zeros((copies, n_agents, self.z_dim)), none)

    def step(
        self,
        carry: HeldState,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[HeldState, Info]:
        refresh = carry.age % self.period == 0
        new = self.inner(local, state, noise=noise)
        far = jnp.ones(new.mean.shape[:-1], bool)
        if noise is None:
            far = jnp.linalg.norm(new.mean - carry.message, axis=-1) > self.threshold
        send = refresh[:, None] & (far | (carry.age == 0)[:, None])
        z = jnp.where(send[..., None], new.z, carry.message)
        sent = jnp.sum(send, axis=-1, dtype=jnp.int32)
        return HeldState(carry.age + 1, z, carry.messages + sent), Info(z=z, mean=z)

    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        refreshed = last_refresh(first, self.period)
        info = self.inner(local, state, noise=noise)
        return Info(z=_at(info.z, refreshed), mean=_at(info.mean, refreshed))


def last_refresh(first: Bool[Array, "B T"], period: int) -> Int[Array, "B T"]:
    """The time of the last refresh, at each time: every ``period`` steps from ``first``."""
    time = jnp.arange(first.shape[-1])
    began = jnp.maximum.accumulate(jnp.where(first, time, 0), axis=-1)
    return time - (time - began) % period


def _at(x: Float[Array, "B T ..."], time: Int[Array, "B T"]) -> Float[Array, "B T ..."]:
    return jnp.take_along_axis(x, time.reshape(*time.shape, *(1,) * (x.ndim - 2)), axis=1)
