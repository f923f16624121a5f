"""MAPPO's networks (Yu et al. 2022): an actor with information, a centralised critic."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ptde.agents.base import AbstractCritic, AbstractNetwork, informed
from ptde.nn.linear import LayerNorm, Linear, orthogonal
from ptde.nn.recurrent import GRU, orthogonal_gru, unroll_rows
from ptde.types import TimeStep


class RecurrentTorso(eqx.Module):
    """Layer norm, two normalised ReLU layers, GRU, and the norm that its readers apply."""

    layers: tuple[Linear, Linear]
    norms: tuple[LayerNorm, ...]
    rnn: GRU

    def __init__(self, in_dim: int, hidden: int, *, key: Key[Array, ""]):
        k1, k2, k3 = jax.random.split(key, 3)
        self.layers = (
            orthogonal(in_dim, hidden, 2.0**0.5, key=k1),
            orthogonal(hidden, hidden, 2.0**0.5, key=k2),
        )
        self.norms = (LayerNorm(in_dim), *(LayerNorm(hidden) for _ in range(3)))
        self.rnn = orthogonal_gru(hidden, hidden, key=k3)

    def encode(self, x: Float[Array, "*b i"]) -> Float[Array, "*b h"]:
        """The input of the GRU."""
        x = self.norms[0](x)
        for layer, norm in zip(self.layers, self.norms[1:3], strict=True):
            x = norm(jax.nn.relu(layer(x)))
        return x

    def unroll(
        self, x: Float[Array, "B T n i"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n h"]:
        """Hidden states of segments: zero at their start and at every ``first``."""
        return unroll_rows(self.rnn, self.encode(x), first)


class ActorNetwork(AbstractNetwork):
    """Logits from [h_o ; z] (Paper Fig. 3 (b)); without information, from h alone."""

    logits: ClassVar[bool] = True
    torso: RecurrentTorso
    bridge: Linear | None
    head: Linear

    def __init__(
        self, local: int, z: int, actions: int, hidden: int = 64, *, key: Key[Array, ""]
    ):
        k1, k2, k3 = jax.random.split(key, 3)
        self.torso = RecurrentTorso(local, hidden, key=k1)
        self.bridge = Linear(hidden, hidden, key=k2) if z else None
        self.head = orthogonal(hidden + z, actions, 0.01, key=k3)

    @property
    def hidden(self) -> int:
        """Width of the hidden state."""
        return self.torso.rnn.hidden

    @property
    def z_dim(self) -> int:
        """Width of the z that it takes; 0 without information."""
        return len(self.head.weight) - self.hidden

    def step(
        self, h: Float[Array, "*b n h"], local: Float[Array, "*b n d"]
    ) -> Float[Array, "*b n h"]:
        """The hidden state after one more step of local information."""
        return self.torso.rnn.step(h, self.torso.encode(local))

    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n h"]:
        """Hidden states of segments: zero at their start and at every ``first``."""
        return self.torso.unroll(local, first)

    def values(
        self, h: Float[Array, "*b n h"], z: Float[Array, "*b n z"]
    ) -> Float[Array, "*b n u"]:
        """Logits of every action."""
        return informed(self.bridge, self.head, self.torso.norms[3](h), z)


class Critic(AbstractCritic):
    """V(s, i) of every agent, in units of the normalised return; the dead read s = 0."""

    torso: RecurrentTorso
    head: Linear

    def __init__(self, state: int, n_agents: int, hidden: int, *, key: Key[Array, ""]):
        k1, k2 = jax.random.split(key)
        self.torso = RecurrentTorso(state + n_agents, hidden, key=k1)
        self.head = orthogonal(hidden, 1, 1.0, key=k2)

    def __call__(self, steps: TimeStep) -> Float[Array, "B T n"]:
        alive = steps.local.alive
        seen = jnp.where(alive[..., None], steps.state[..., None, :], 0.0)
        n_agents = alive.shape[-1]
        identity = jnp.broadcast_to(jnp.eye(n_agents), (*alive.shape, n_agents))
        h = self.torso.unroll(jnp.concatenate([seen, identity], axis=-1), steps.first)
        return self.head(self.torso.norms[3](h))[..., 0]
