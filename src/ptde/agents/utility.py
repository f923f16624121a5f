"""The agents' network: local history and information in, action values out."""

from typing import ClassVar

import jax
from jaxtyping import Array, Bool, Float, Key

from ptde.agents.base import AbstractNetwork, informed
from ptde.nn.linear import Linear
from ptde.nn.recurrent import GRU, unroll_rows


class UtilityNetwork(AbstractNetwork):
    """Linear, ReLU, GRU; then the head, which is one linear layer.

    With information (z wider than 0) the hidden state passes another linear layer and ReLU
    to become h_o, and the head reads [h_o ; z] (Paper Fig. 1 (a) and 3 (a)): Q_i is affine
    in z. Without it the head reads the hidden state, as in PyMARL2's plain agents.
    All agents share the network.
    """

    logits: ClassVar[bool] = False
    encoder: Linear
    rnn: GRU
    bridge: Linear | None
    head: Linear

    def __init__(
        self, local: int, z: int, actions: int, hidden: int = 64, *, key: Key[Array, ""]
    ):
        keys = jax.random.split(key, 4)
        self.encoder = Linear(local, hidden, key=keys[0])
        self.rnn = GRU(hidden, hidden, key=keys[1])
        self.bridge = Linear(hidden, hidden, key=keys[2]) if z else None
        self.head = Linear(hidden + z, actions, key=keys[3])

    @property
    def hidden(self) -> int:
        """Width of the hidden state."""
        return self.rnn.hidden

    @property
    def z_dim(self) -> int:
        """Width of the z that it takes; 0 without information."""
        return len(self.head.weight) - self.hidden

    def step(
        self, h: Float[Array, "*b n h"], local: Float[Array, "*b n d"]
    ) -> Float[Array, "*b n h"]:
        """The hidden state after one more step of local information."""
        return self.rnn.step(h, jax.nn.relu(self.encoder(local)))

    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n h"]:
        """Hidden states of segments: zero at their start and at every ``first``."""
        return unroll_rows(self.rnn, jax.nn.relu(self.encoder(local)), first)

    def values(
        self, h: Float[Array, "*b n h"], z: Float[Array, "*b n z"]
    ) -> Float[Array, "*b n u"]:
        """Q_i of every action."""
        return informed(self.bridge, self.head, h, z)
