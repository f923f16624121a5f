"""A student of your own: an MLP on the last few steps' O_i, without a recurrence.

python examples/my_student.py [STEPS]
ptde run --student.network my_student:Window,steps=8       (in this folder)
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp

from ptde import preset, run
from ptde.distill.config import DistillConfig
from ptde.distill.students import STUDENTS
from ptde.info import AbstractStudent
from ptde.nn.linear import MLP


class Window(AbstractStudent):
    """Makes z'_i from O_i of this and the last steps, with zeros before the episode."""

    steps: int = eqx.field(static=True)
    local: int = eqx.field(static=True)
    mlp: MLP

    def __init__(self, local, z, hidden, *, key, steps=4):
        self.steps, self.local = steps, local
        self.mlp = MLP((steps * local, hidden, z), jax.nn.relu, key=key)

    def start(self, copies, n_agents):
        return jnp.zeros((copies, n_agents, (self.steps - 1) * self.local))

    def step(self, carry, local):
        seen = jnp.concatenate([carry, local], axis=-1)
        return seen[..., self.local :], self.mlp(seen)

    def unroll(self, local, first):
        def one(carry, now):
            seen, begins = now
            carry = jnp.where(begins[:, None, None], 0.0, carry)
            return self.step(carry, seen)

        copies, _, n_agents, _ = local.shape
        in_time = jnp.moveaxis(local, 1, 0), jnp.moveaxis(first, 1, 0)
        _, z = jax.lax.scan(one, self.start(copies, n_agents), in_time)
        return jnp.moveaxis(z, 0, 1)


STUDENTS["window"] = Window

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    student = DistillConfig(network="window")
    run(preset("demo", student=student, steps=steps, baseline=False)).show()
