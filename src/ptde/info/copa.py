"""COPA: coach-player multi-agent RL (Liu et al., ICML 2021), with this library's trainer.

A coach attends over the entities of the state and sends each agent a strategy z_i, which
the agent keeps until the next broadcast (``periodic.py``). A second network guesses z_i
from what the agent itself saw and did; the better it can, the more z_i says about what
follows (the variational objective). The paper's authors ran a simpler variant:
``copa_lite``.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo, AbstractRecurrentInfo
from ptde.info.giu import GIU
from ptde.info.periodic import BroadcastInfo
from ptde.info.sizes import InfoSizes
from ptde.nn.attention import Attention
from ptde.nn.linear import MLP, Linear
from ptde.ops.local import local_information
from ptde.ops.masks import masked_mean, valid_transitions, without_last
from ptde.types import EnvSpec, Info, Rollout


class COPA(AbstractInfo):
    """z_i ~ N(mean, variance) of an attention from agent i over all entities."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    entities: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    agents: int = eqx.field(static=True)
    actions: int = eqx.field(static=True)
    weight: float = eqx.field(static=True)
    encode_agent: Linear
    encode_other: Linear
    enter: Linear
    attention: Attention
    mean: Linear
    log_variance: Linear
    guess: MLP

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        keys = jax.random.split(key, 7)
        z = sizes.z
        self.z_dim, self.stochastic = z, sizes.stochastic
        self.agents, self.actions = spec.n_agents, spec.n_actions
        self.weight = sizes.variational
        self.entities = spec.entities or (
            *(() for _ in range(spec.n_agents)),
            tuple(range(spec.state_dim)),
        )
        own = max(len(e) for e in self.entities[: spec.n_agents])
        other = max((len(e) for e in self.entities[spec.n_agents :]), default=0)
        self.encode_agent = Linear(spec.local_dim + own, z, key=keys[0])
        self.encode_other = Linear(other, z, fan_in=max(other, 1), key=keys[1])
        self.enter = Linear(z, z, key=keys[6])
        self.attention = Attention(z, sizes.heads, key=keys[2])
        self.mean = Linear(z, z, key=keys[3])
        self.log_variance = Linear(z, z, key=keys[4])
        seen = spec.local_dim + spec.n_actions
        self.guess = MLP((seen, z, 2 * z), jax.nn.leaky_relu, key=keys[5])

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        own = _pick(state, self.entities[: self.agents])
        agents = self.encode_agent(jnp.concatenate([local, own], axis=-1))
        context = agents
        if len(self.entities) > self.agents:
            others = self.encode_other(_pick(state, self.entities[self.agents :]))
            context = jnp.concatenate([agents, others], axis=-2)
        enter = lambda x: self.enter(jax.nn.leaky_relu(x))
        h = self.attention(enter(agents), enter(context))
        mean = self.mean(h)
        if noise is None:
            return Info(z=mean, mean=mean)
        log_variance = jnp.clip(self.log_variance(h), -10.0, 0.0)
        return Info(z=mean + jnp.exp(0.5 * log_variance) * noise, mean=mean)

    def auxiliary(self, batch: Rollout, info: Info) -> Float[Array, ""]:
        """-log q(z_i | what agent i saw and did), over living agents and valid steps."""
        steps = without_last(batch.steps)
        done = jax.nn.one_hot(batch.action, self.actions)
        seen = jnp.concatenate([local_information(steps.local), done], axis=-1)
        mean, log_variance = jnp.split(self.guess(seen), 2, axis=-1)
        log_variance = jnp.clip(log_variance, -10.0, 4.0)
        error = (info.z - mean) ** 2 / jnp.exp(log_variance)
        nats = 0.5 * jnp.sum(error + log_variance + jnp.log(2 * jnp.pi), axis=-1)
        valid = valid_transitions(batch.steps.first)[..., None] & steps.local.alive
        return self.weight * masked_mean(jnp.clip(nats, 0.0, 1000.0), valid)


def coach(spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]) -> AbstractRecurrentInfo:
    """COPA that broadcasts every ``refresh`` steps each z that moved past ``threshold``.

    ValueError for a threshold without noise, by which training is told from execution.
    """
    if sizes.threshold and not sizes.stochastic:
        raise ValueError(
            "--threshold holds z back in execution alone, and with --no-stochastic it "
            "would in training, too: leave one of the two away"
        )
    module = COPA(spec, sizes, key=key)
    if sizes.refresh == 1 and not sizes.threshold:
        return module
    return BroadcastInfo(module, sizes.refresh, sizes.threshold)


class COPALite(AbstractInfo):
    """The variant that the paper's authors ran as COPA: GIU's layers, at every step."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    inner: GIU

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        self.inner = GIU(spec, sizes, key=key)
        self.z_dim, self.stochastic = self.inner.z_dim, self.inner.stochastic

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        return self.inner(local, state, noise=noise)


def _pick(
    state: Float[Array, "*b s"], entities: tuple[tuple[int, ...], ...]
) -> Float[Array, "*b e x"]:
    """The part of the state of each entity, all padded with zeros to the same width."""
    width = max(len(e) for e in entities)
    parts = []
    for places in entities:
        part = state[..., jnp.array(places, dtype=jnp.int32)]
        fill = [(0, 0)] * (state.ndim - 1) + [(0, width - len(places))]
        parts.append(jnp.pad(part, fill))
    return jnp.stack(parts, axis=-2)
