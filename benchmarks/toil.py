"""A world that does nothing but take time."""

import time

import numpy as np

from ptde.processes import ProcessStep


class Toil:
    """Three agents with 115 numbers each, and steps that keep a core busy."""

    time_limit = 100

    def __init__(self, milliseconds: float = 1.5):
        self.busy = milliseconds / 1e3

    def reset(self, seed):
        self.draw, self.time = np.random.default_rng(seed), 0
        return self._show()

    def step(self, action):
        until = time.perf_counter() + self.busy
        while time.perf_counter() < until:
            pass
        self.time += 1
        return self._show(ended=self.time == self.time_limit)

    def _show(self, **more):
        obs = self.draw.random((3, 115), np.float32)
        return ProcessStep(obs, obs.ravel(), np.ones((3, 19), bool), **more)
