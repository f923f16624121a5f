"""An information module of your own: each agent attends to the units of the state.

python examples/my_info.py [STEPS]
ptde run --info my_info:Attention,parts=4       (in this folder)
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp

from ptde import preset, run
from ptde.info import INFOS, AbstractInfo
from ptde.nn.linear import Linear
from ptde.types import Info


class Attention(AbstractInfo):
    """z_i = softmax(query(O_i) keys(s)) values(s), over `parts` pieces of the state."""

    stochastic = False
    z_dim: int = eqx.field(static=True)
    parts: int = eqx.field(static=True)
    query: Linear
    keys: Linear
    values: Linear

    def __init__(self, spec, sizes, *, key, parts=8):
        k1, k2, k3 = jax.random.split(key, 3)
        self.z_dim, self.parts = sizes.z, parts
        self.query = Linear(spec.local_dim, sizes.z, key=k1)
        self.keys = Linear(spec.state_dim, parts * sizes.z, key=k2)
        self.values = Linear(spec.state_dim, parts * sizes.z, key=k3)

    def __call__(self, local, state, *, noise):
        pieces = (*state.shape[:-1], self.parts, self.z_dim)
        query = self.query(local)
        keys = self.keys(state).reshape(pieces)
        values = self.values(state).reshape(pieces)
        score = jnp.einsum("...nz,...pz->...np", query, keys) / self.z_dim**0.5
        z = jnp.einsum("...np,...pz->...nz", jax.nn.softmax(score), values)
        return Info(z=z, mean=z)


INFOS["attention"] = Attention

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    run(preset("demo", info="attention", steps=steps, baseline=False)).show()
