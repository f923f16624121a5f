"""A world in a process for campaigns: easy to learn, and broken as often as it is told."""

import os
import time
from pathlib import Path

import numpy as np

from ptde.processes import ProcessStep

HOW = ("crash", "die", "hang", "nan", "nonsense")


class Signs:
    """Each of two agents sees one of three signs, and must choose the action of its name.

    The team wins an episode in which all chose well in at least three of its four steps.

    Args:
        faults: probability that an episode goes wrong, in its second step.
        log: a file that gets a letter for each fault, the first of its name in ``HOW``.
        hangs: share of the faults that hang; the other kinds are as likely as one another.
    """

    time_limit = 4

    def __init__(self, faults: float = 0.0, log: str = "", hangs: float = 0.05):
        self.faults, self.log, self.hangs = faults, Path(log), hangs

    def reset(self, seed: int) -> ProcessStep:
        """Begins the episode of a seed."""
        self.draw = np.random.default_rng(seed)
        self.time, self.good, self.fault = 0, 0, ""
        if self.draw.random() < self.faults:
            others = [how for how in HOW if how != "hang"]
            hangs = self.draw.random() < self.hangs
            self.fault = "hang" if hangs else others[self.draw.integers(len(others))]
        return self._show()

    def step(self, action: np.ndarray) -> ProcessStep:
        """Rewards each agent that chose its sign."""
        right = action == self.signs
        self.time, self.good = self.time + 1, self.good + bool(right.all())
        step = self._show()
        step.reward = float(right.mean())
        step.ended = self.time == self.time_limit
        step.won = float(step.ended and self.good >= 3)
        if self.time == 2 and self.fault:
            self._fail(step)
        return step

    def _show(self) -> ProcessStep:
        self.signs = self.draw.integers(3, size=2)
        seen = np.eye(3)[self.signs]
        return ProcessStep(seen, seen.reshape(-1), np.ones((2, 3), bool))

    def _fail(self, step: ProcessStep) -> None:
        with open(self.log, "a") as log:  # one write of one letter: copies share the file
            log.write({"nonsense": "s"}.get(self.fault, self.fault[0]))
        match self.fault:
            case "crash":
                raise RuntimeError("the game is gone")
            case "die":
                os._exit(7)
            case "hang":
                time.sleep(1000)
            case "nan":
                step.obs = np.full((2, 3), np.nan)
            case "nonsense":
                step.state = np.ones(17)
