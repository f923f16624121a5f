"""A learner of your own: IPPO (de Witt et al. 2020), whose critic is local to each agent.

python examples/my_learner.py [STEPS]
ptde run --algo my_learner:ippo,epochs=5       (in this folder)
"""

import sys
from dataclasses import replace

import jax

from ptde import preset, run
from ptde.agents.actor import RecurrentTorso
from ptde.agents.base import AbstractCritic
from ptde.algos.mappo import MappoLearner
from ptde.algos.registry import ALGOS, Algo, mappo_models
from ptde.nn.linear import Linear, orthogonal
from ptde.ops.local import local_information


class LocalCritic(AbstractCritic):
    """V of the history of O_i; MAPPO's critic reads the state instead."""

    torso: RecurrentTorso
    head: Linear

    def __init__(self, local, hidden, *, key):
        key_torso, key_head = jax.random.split(key)
        self.torso = RecurrentTorso(local, hidden, key=key_torso)
        self.head = orthogonal(hidden, 1, 1.0, key=key_head)

    def __call__(self, steps):
        h = self.torso.unroll(local_information(steps.local), steps.first)
        return self.head(self.torso.norms[3](h))[..., 0]


def ippo(run, spec, epochs=0, lr=5e-4):
    """Independent PPO: MAPPO's loss, actor and schedule with a critic for each agent."""

    def models(key):
        key_actor, key_critic = jax.random.split(key)
        actor, _ = mappo_models(run, spec, key=key_actor)
        return actor, LocalCritic(spec.local_dim, run.hidden, key=key_critic)

    config = replace(run.mappo, lr=lr, epochs=epochs).on(run.map)
    return MappoLearner(models, config)


ALGOS["ippo"] = Algo(ippo, segment=400)

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 400_000
    run(preset("demo", algo="ippo", steps=steps, baseline=False)).show()
