"""VDN: value decomposition networks (Sunehag et al. 2018)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.mixers.base import AbstractMixer, MixerSizes
from ptde.types import EnvSpec, Utilities


class VDN(AbstractMixer):
    """Q_tot = sum_i Q_i."""

    def __init__(self, spec: EnvSpec, sizes: MixerSizes, *, key: Key[Array, ""]):
        pass

    def __call__(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b"]:
        return jnp.sum(utilities.chosen, axis=-1)
