"""CSRL: Commander-Soldiers RL (Chen et al., IJCNN 2022), as the paper's authors ran it.

Each soldier's guidance network is generated from its local information and reads the state
at every step (T = 1): GIP without the distribution generator, so z is deterministic.
"""

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo
from ptde.info.sizes import InfoSizes
from ptde.nn.hyper import HyperLinear
from ptde.types import EnvSpec, Info


class CSRL(AbstractInfo):
    """z_i = ELU(s W(O_i) + b(O_i))."""

    stochastic = False
    z_dim: int = eqx.field(static=True)
    guidance: HyperLinear

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        self.z_dim = sizes.z
        self.guidance = HyperLinear(
            spec.local_dim, spec.state_dim, sizes.z, sizes.hyper_hidden, key=key
        )

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        z = jax.nn.elu(self.guidance(local, state))
        return Info(z=z, mean=z)
