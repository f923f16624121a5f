"""The raw state for every agent: a control without a network between state and head."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractInfo
from ptde.info.sizes import InfoSizes
from ptde.types import EnvSpec, Info


class RawState(AbstractInfo):
    """z_i = s: every agent reads the state as it is."""

    stochastic = False
    z_dim: int = eqx.field(static=True)

    def __init__(self, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]):
        self.z_dim = spec.state_dim

    def __call__(
        self,
        local: Float[Array, "*b n d"],
        state: Float[Array, "*b s"],
        *,
        noise: Float[Array, "*b n z"] | None,
    ) -> Info:
        z = jnp.broadcast_to(state[..., None, :], (*local.shape[:-1], self.z_dim))
        return Info(z=z, mean=z)
