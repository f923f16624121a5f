"""All teams of a diagnosis on the same battles."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from ptde.config import Run
from ptde.diagnosis.decisions import Pair
from ptde.diagnosis.found import Rung, reached_in
from ptde.diagnosis.gap import Part, Reached
from ptde.diagnosis.takeover import Takeover
from ptde.envs.base import AbstractWorld
from ptde.report.measure import counted
from ptde.rollout.base import Model
from ptde.rollout.evaluate import Returns
from ptde.rollout.runner import runner_of
from ptde.rollout.seeds import Stream, stream_keys

REGRETS = (0.5, 1.0, 2.0)
"""Standard deviations of the teacher's values above which it overrules a student."""
MIXED = 4
"""Teams of so many students, at most, are tested beside those of all and of none."""


class Tested:
    """The ladder as it grows: every team meets the beginnings of the final evaluation."""

    def __init__(self, run: Run, env: AbstractWorld, episodes: int):
        self.env = env
        self.keys = stream_keys(Stream.EVALUATION, run.seed, run.seeds)
        sample = run.z_test == "sample"
        self.test = runner_of(env).test(
            episodes, run.seeds, at_once=run.test_episodes, sample_z=sample
        )
        self.ladder: list[Rung] = []
        self.reached: dict[str, Reached] = {}
        self.measure = env.spec.measure
        """What counts: returns where the first team, the teacher, wins no episode."""

    def add(
        self, team: str, model: Model, lacks: str = "", seconds: float | None = None
    ) -> Rung:
        """Tests a team, and puts it below those that were tested before."""
        returns = self.test(model, self.keys)
        if not self.ladder:
            self.measure = counted(self.measure, [float(returns.performance.max())])
        limit = self.env.spec.time_limit
        rung = Rung.of(team, returns, self.measure, limit, lacks, seconds)
        self.ladder.append(rung)
        self.reached[team] = reached_in(returns, self.measure)
        return rung

    def lost(self, before: str, after: str) -> Reached:
        """What the second of two teams does not reach of what the first does."""
        return self.reached[before] - self.reached[after]

    def takeover(self, pair: Pair, deviation: float) -> list[dict[str, Any]]:
        """Teams of which the student plays a part, and its teacher the rest.

        Args:
            pair: both, with a leading axis of seeds.
            deviation: of the teacher's values over the legal actions.
        """
        n = self.env.spec.n_agents
        count = min(MIXED, n - 1)
        some = sorted({round(n * (i + 1) / (count + 1)) for i in range(count)})
        rows: list[tuple[int, float | None, float]] = [(k, None, jnp.inf) for k in some]
        rows += [(n, t, t * deviation) for t in REGRETS]
        return [
            {"students": k, "overruled_above": t, **self._shared(pair, k, regret)}
            for k, t, regret in rows
        ]

    def _shared(self, pair: Pair, students: int, regret: float) -> dict[str, float]:
        seeds = len(self.keys)
        policy = Takeover(
            *pair,
            students=jnp.full(seeds, students, jnp.int32),
            regret=jnp.full(seeds, regret, jnp.float32),
        )
        returns = self.test(policy, self.keys)
        reached = Part.of(reached_in(returns, self.measure))
        return {
            "teacher_decides": share_told(returns, self.env.spec.n_agents),
            "performance": reached.size,
            "chance": reached.chance,
        }


def share_told(returns: Returns, n_agents: int) -> float:
    """Share of the agents' steps that somebody else had a say in."""
    steps: Array = returns.length.sum() * n_agents
    return float(returns.messages.sum() / steps)
