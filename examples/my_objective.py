"""A distillation objective of your own: to imitate the teacher's actions, not its values.

python examples/my_objective.py [STEPS]
ptde run --student.objective my_objective:Imitation,smooth=0.1       (in this folder)
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp

from ptde import preset, run
from ptde.distill.config import DistillConfig
from ptde.distill.objectives import OBJECTIVES, AbstractObjective
from ptde.ops.masks import masked_mean
from ptde.ops.select import greedy, masked, take


class Imitation(AbstractObjective):
    """The cross-entropy of the student's policy with the teacher's greedy action."""

    smooth: float = eqx.field(static=True, default=0.0)

    def __call__(self, z, seen, network):
        network = jax.lax.stop_gradient(network)
        action = greedy(network.values(seen.h, seen.z), seen.legal)
        log_p = jax.nn.log_softmax(masked(network.values(seen.h, z), seen.legal))
        legal = jnp.maximum(seen.legal.sum(-1), 1)
        even = -jnp.where(seen.legal, log_p, 0.0).sum(-1) / legal
        right = -take(log_p, action)
        return masked_mean((1 - self.smooth) * right + self.smooth * even, seen.counts)


OBJECTIVES["imitation"] = Imitation

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    student = DistillConfig(objective="imitation")
    run(preset("demo", student=student, steps=steps, baseline=False)).show()
