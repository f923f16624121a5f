"""GIP: Global Information Personalization (Paper Sec. 3.2, Fig. 2, Eq. 1-3).

The agent's local information O_i generates the layer that reads the global state, so every
agent reads the same state with weights of its own:

    Agent-Hyper Network            O_i -> W(O_i), b(O_i)
    Agent-Personalization Network  h_i = ELU(s W(O_i) + b(O_i))
    Distribution Generator         z_i ~ N(mean(h_i), variance(h_i))
"""

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo, DistributionGenerator
from ptde.info.sizes import InfoSizes
from ptde.nn.hyper import HyperLinear
from ptde.nn.linear import Linear
from ptde.types import EnvSpec, Info


class GIP(AbstractInfo):
    """Personalised global information: every agent's z_i has a distribution of its own."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    encoder: Linear | None
    """Not in the paper, off by default: a narrower state makes a cheaper layer."""
    personalization: HyperLinear
    generator: DistributionGenerator

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        self.z_dim = sizes.z
        self.stochastic = sizes.stochastic
        key_encoder, key_hyper, key_generator = jax.random.split(key, 3)
        width = sizes.state_encoder or spec.state_dim
        self.encoder = (
            Linear(spec.state_dim, width, key=key_encoder) if sizes.state_encoder else None
        )
        self.personalization = HyperLinear(
            spec.local_dim, width, sizes.z, sizes.hyper_hidden, key=key_hyper
        )
        self.generator = DistributionGenerator(
            sizes.z, sizes.z, sizes.variance_floor, key=key_generator
        )

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        if self.encoder is not None:
            state = jax.nn.relu(self.encoder(state))
        h = jax.nn.elu(self.personalization(local, state))
        return self.generator(h, agents=local.shape[-2], noise=noise)
