"""Intermittent information: the commander looks, and speaks, every T steps alone.

CSRL's commander sends the state every T steps; its soldiers read it through their present
local information. COPA's coach sends z itself, and may keep to itself what has hardly
changed (adaptive broadcast, method of Liu et al. 2021, Sec. 4.3).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ptde.info.base import AbstractInfo
from ptde.types import Info, Rollout


class HeldState(eqx.Module):
    """What stays between two refreshes."""

    age: Int[Array, " B"]
    """Steps since the episode began."""
    message: Float[Array, "B ..."]
    """The state, or every agent's z."""
    messages: Int[Array, " B"]
    """What was sent in this episode so far, one for each agent at a refresh."""


class PeriodicInfo(AbstractInfo):
    """An information module that sees the state every ``period`` steps of an episode."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    inner: AbstractInfo
    state_dim: int = eqx.field(static=True)
    period: int = eqx.field(static=True)
    threshold: float = eqx.field(static=True)
    """Of COPA at execution (without noise): a z nearer to the last one is not sent."""

    def __init__(
        self, inner: AbstractInfo, state_dim: int, period: int, threshold: float = 0.0
    ):
        self.z_dim, self.stochastic = inner.z_dim, inner.stochastic
        self.inner, self.state_dim = inner, state_dim
        self.period, self.threshold = period, threshold

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        return self.inner(local, state, noise=noise)

    def start(self, copies: int, n_agents: int) -> HeldState:
        shape = (n_agents, self.z_dim) if self.inner.held == "z" else (self.state_dim,)
        none = jnp.zeros(copies, jnp.int32)
        return HeldState(none, jnp.zeros((copies, *shape)), none)

    def step(
        self,
        carry: HeldState,
        local: Float[Array, "B n d"],
        state: Float[Array, "B s"],
        *,
        noise: Float[Array, "B n z"] | None,
    ) -> tuple[HeldState, Info]:
        refresh = carry.age % self.period == 0
        n_agents = local.shape[-2]
        if self.inner.held == "state":
            message = jnp.where(refresh[:, None], state, carry.message)
            info = self.inner(local, message, noise=noise)
            sent = refresh.astype(jnp.int32) * n_agents
        else:
            new = self.inner(local, state, noise=noise)
            far = jnp.ones(new.mean.shape[:-1], bool)
            if noise is None:
                far = jnp.linalg.norm(new.mean - carry.message, axis=-1) > self.threshold
            send = refresh[:, None] & (far | (carry.age == 0)[:, None])
            message = jnp.where(send[..., None], new.z, carry.message)
            info = Info(z=message, mean=message)
            sent = jnp.sum(send, axis=-1, dtype=jnp.int32)
        return HeldState(carry.age + 1, message, carry.messages + sent), info

    def unroll(
        self,
        local: Float[Array, "B T n d"],
        state: Float[Array, "B T s"],
        first: Bool[Array, "B T"],
        *,
        noise: Float[Array, "B T n z"] | None,
    ) -> Info:
        refreshed = last_refresh(first, self.period)
        if self.inner.held == "state":
            return self.inner(local, _at(state, refreshed), noise=noise)
        info = self.inner(local, state, noise=noise)
        return Info(z=_at(info.z, refreshed), mean=_at(info.mean, refreshed))

    def sent(
        self, before: HeldState, after: HeldState, alike: Int[Array, " B"]
    ) -> Int[Array, " B"]:
        return after.messages - before.messages

    def auxiliary(self, batch: Rollout, info: Info) -> Float[Array, ""]:
        return self.inner.auxiliary(batch, info)


def last_refresh(first: Bool[Array, "B T"], period: int) -> Int[Array, "B T"]:
    """When the last refresh was, at each time: every ``period`` steps from ``first`` on."""
    time = jnp.arange(first.shape[-1])
    began = jnp.maximum.accumulate(jnp.where(first, time, 0), axis=-1)
    return time - (time - began) % period


def _at(x: Float[Array, "B T ..."], time: Int[Array, "B T"]) -> Float[Array, "B T ..."]:
    return jnp.take_along_axis(x, time.reshape(*time.shape, *(1,) * (x.ndim - 2)), axis=1)
