"""No information: plain VDN, QMIX and QPLEX, whose agents never see the state."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo
from ptde.info.sizes import InfoSizes
from ptde.types import EnvSpec, Info


class NoInfo(AbstractInfo):
    """z of width 0."""

    z_dim = 0
    stochastic = False

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        """Makes nothing: the module has no parameters."""

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        z = jnp.zeros((*local.shape[:-1], 0))
        return Info(z=z, mean=z)
