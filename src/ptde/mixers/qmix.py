"""QMIX: monotonic value function factorisation (Rashid et al. 2018).

Q_tot = ELU(q |W1(s)| + b1(s)) |W2(s)| + b2(s): no weight on an agent's value is negative,
so Q_tot never falls when a Q_i rises.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.mixers.base import AbstractMixer, MixerSizes
from ptde.nn.linear import MLP, Linear
from ptde.types import EnvSpec, Utilities


class QMIX(AbstractMixer):
    """A two-layer network whose positive weights are generated from the state."""

    weight_1: MLP
    bias_1: Linear
    weight_2: MLP
    bias_2: MLP

    def __init__(self, spec: EnvSpec, sizes: MixerSizes, *, key: Key[Array, ""]):
        k1, k2, k3, k4 = jax.random.split(key, 4)
        state, hidden, embed = spec.state_dim, sizes.hypernet_hidden, sizes.embed
        self.weight_1 = MLP((state, hidden, spec.n_agents * embed), key=k1)
        self.bias_1 = Linear(state, embed, key=k2)
        self.weight_2 = MLP((state, hidden, embed), key=k3)
        self.bias_2 = MLP((state, embed, 1), key=k4)

    def __call__(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b"]:
        q = utilities.chosen
        weight_1 = jnp.abs(self.weight_1(state)).reshape(*q.shape, -1)
        # A sum over so few agents is cheaper written out than as a batch of tiny products.
        hidden = jax.nn.elu(jnp.sum(q[..., None] * weight_1, -2) + self.bias_1(state))
        weight_2 = jnp.abs(self.weight_2(state))
        return jnp.sum(hidden * weight_2, axis=-1) + self.bias_2(state)[..., 0]
