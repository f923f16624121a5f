"""A mixer of your own: a weighted sum whose positive weights come from the state.

python examples/my_mixer.py [STEPS]
ptde run --mixer my_mixer:WeightedSum       (in this folder)
"""

import sys

import jax
import jax.numpy as jnp

from ptde import preset, run
from ptde.mixers import MIXERS, AbstractMixer
from ptde.nn.linear import MLP, Linear


class WeightedSum(AbstractMixer):
    """Q_tot = sum_i softplus(w_i(s)) Q_i + v(s): monotonic, as QMIX without its layer."""

    weights: MLP
    value: Linear

    def __init__(self, spec, sizes, *, key):
        key_weights, key_value = jax.random.split(key)
        widths = (spec.state_dim, sizes.hypernet_hidden, spec.n_agents)
        self.weights = MLP(widths, key=key_weights)
        self.value = Linear(spec.state_dim, 1, key=key_value)

    def __call__(self, utilities, state):
        weights = jax.nn.softplus(self.weights(state))
        return jnp.sum(weights * utilities.chosen, axis=-1) + self.value(state)[..., 0]


MIXERS["weighted"] = WeightedSum

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    run(preset("demo", mixer="weighted", steps=steps, baseline=False)).show()
