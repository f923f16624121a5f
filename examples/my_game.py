"""A world that is a program of its own: any Python, and any library, in two methods.

ptde check my_game:Meet                  checks the world (in this folder)
ptde run env:my_game:Meet --steps 60_000 --processes.kwargs '{"size": 7}'
python examples/my_game.py [STEPS]       (in any folder)
"""

import sys

import numpy as np

from ptde import Run, run
from ptde.processes import ProcessStep

AGENTS = 2


class Meet:
    """Agents on a line must meet at a place that only the state shows."""

    time_limit = 8

    def __init__(self, size=5):
        self.size = size

    def reset(self, seed):
        draw = np.random.default_rng(seed)
        self.place = draw.integers(self.size, size=AGENTS)
        self.goal = draw.integers(self.size)
        return self.show()

    def step(self, action):
        self.place = np.clip(self.place + action - 1, 0, self.size - 1)
        met = bool((self.place == self.goal).all())
        return self.show(reward=float(met), ended=met, won=float(met))

    def show(self, **happened):
        where = np.eye(self.size)[self.place]  # one's own place, and nothing of the goal
        state = np.concatenate([where.ravel(), np.eye(self.size)[self.goal]])
        return ProcessStep(where, state, np.ones((AGENTS, 3)), **happened)


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
    run(Run(world="processes", map="my_game:Meet", steps=steps)).show()
