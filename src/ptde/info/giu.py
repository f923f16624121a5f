"""GIU: Global Information Unification (Paper Sec. 3.1, Fig. 1 (b)).

The naive use of global information: one encoding of the state, the same for every agent.
Only the noise differs between agents. As in the authors' code the first layer has no
activation of its own (the paper's figure calls it an MLP).
"""

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo, DistributionGenerator
from ptde.info.sizes import InfoSizes
from ptde.nn.linear import Linear
from ptde.types import EnvSpec, Info


class GIU(AbstractInfo):
    """Unified global information: every agent's z_i comes from one distribution."""

    z_dim: int = eqx.field(static=True)
    stochastic: bool = eqx.field(static=True)
    encoder: Linear
    generator: DistributionGenerator

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        self.z_dim = sizes.z
        self.stochastic = sizes.stochastic
        key_encoder, key_generator = jax.random.split(key)
        width = sizes.giu_hidden or sizes.z
        self.encoder = Linear(spec.state_dim, width, key=key_encoder)
        self.generator = DistributionGenerator(
            width, sizes.z, sizes.variance_floor, key=key_generator
        )

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        h = self.encoder(state)[..., None, :]  # once for the team
        return self.generator(h, agents=local.shape[-2], noise=noise)
