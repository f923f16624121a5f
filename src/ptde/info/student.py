"""The student: produces z from local information alone (Paper Sec. 3.3, Fig. 4, Eq. 5)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.info.base import AbstractStudent
from ptde.nn.linear import MLP


class Student(AbstractStudent):
    """The paper's: a memoryless MLP on O_i, three linear layers (ReLU, then LeakyReLU)."""

    mlp: MLP

    def __init__(self, local: int, z: int, hidden: int = 64, *, key: Key[Array, ""]):
        widths = (local, hidden, hidden, z)
        self.mlp = MLP(widths, (jax.nn.relu, jax.nn.leaky_relu), key=key)

    def __call__(self, local: Float[Array, "*b n d"]) -> Float[Array, "*b n z"]:
        return self.mlp(local)


class NoStudent(AbstractStudent):
    """z' of width 0, for teams whose network needs none."""

    def __call__(self, local: Float[Array, "*b n d"]) -> Float[Array, "*b n z"]:
        return jnp.zeros((*local.shape[:-1], 0))
