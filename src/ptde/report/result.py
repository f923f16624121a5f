"""The result of a run: ``result.json`` and the table on the screen."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.table import Table

from ptde.report.statistics import retention, win_interval
from ptde.rollout.evaluate import Returns


@dataclass(frozen=True)
class Score:
    """What one role reached in its test episodes."""

    performance: float
    """What the world measures (``EnvSpec.measure``)."""
    low: float
    """Of the 95 % interval of the performance: over episodes for one seed, else over seeds."""
    high: float
    mean_return: float
    length: float
    """Joint steps of an episode."""
    episodes: int
    """All seeds together."""
    seeds: list[float]
    """Performance of each seed."""
    returns: list[float]
    """Mean return of each seed."""
    score: float | None
    """Mean final score, such as a goal difference, in worlds that keep one."""
    communication: float
    """Share of agent-steps at which the agent was told something of the global state: 1
    centralised at every step, 0 decentralised."""

    @classmethod
    def of(cls, returns: Returns, n_agents: int) -> "Score":
        """From Returns [seeds, episodes]."""
        agent_steps = n_agents * int(returns.length.sum())
        reached = np.asarray(returns.performance)
        low, high = win_interval(reached)
        return cls(
            performance=float(reached.mean()),
            low=low,
            high=high,
            mean_return=float(returns.reward.mean()),
            length=float(returns.length.mean()),
            episodes=int(reached.size),
            seeds=[float(x) for x in reached.mean(axis=1)],
            returns=[float(x) for x in returns.reward.mean(axis=1)],
            score=None if returns.score is None else float(returns.score.mean()),
            communication=int(returns.messages.sum()) / max(agent_steps, 1),
        )

    def to_json(self) -> dict[str, Any]:
        """With the return under the name ``return``, and the performance as ``win_rate``."""
        data = {"win_rate": self.performance, **asdict(self)}
        del data["performance"]
        data["return"] = data.pop("mean_return")
        return data


@dataclass(frozen=True)
class Result:
    """All roles of a run."""

    world: str
    method: str
    steps: int
    """Joint steps of all stages."""
    seconds: float
    """Wall time of all stages, without the evaluation."""
    scores: dict[str, Score] = field(default_factory=dict)
    centralised: bool = True
    """The teacher reads the global state when it acts."""
    measure: str = "win rate"
    """What the performance is in this world."""

    @property
    def prr(self) -> float | None:
        """Performance of the last stage's decentralised team / teacher's."""
        team = self.scores.get("finetuned", self.scores.get("student"))
        if team is None or "teacher" not in self.scores:
            return None
        return retention(team.performance, self.scores["teacher"].performance)

    def to_json(self) -> dict[str, Any]:
        """What ``result.json`` holds."""
        return {
            **{role: score.to_json() for role, score in self.scores.items()},
            "prr": self.prr,
            "world": self.world,
            "measure": self.measure,
            "method": self.method,
            "steps": self.steps,
            "seconds": round(self.seconds, 1),
        }

    def table(self) -> Table:
        """What a person reads."""
        prr = "" if self.prr is None else f"   PRR {self.prr:.1%}"
        table = Table(
            title=f"{self.method} on {self.world}, {self.steps:,} steps{prr}",
            title_justify="left",
        )
        for name in ("role", "execution", "told"):
            table.add_column(name)
        scored = any(score.score is not None for score in self.scores.values())
        points = ("score",) if scored else ()
        for name in (self.measure, "95 % interval", *points, "return", "episodes"):
            table.add_column(name, justify="right")
        for role, score in self.scores.items():
            central = role == "teacher" and self.centralised
            table.add_row(
                role,
                "centralised" if central else "decentralised",
                f"{score.communication:.0%} of steps" if score.communication else "",
                f"{score.performance:.3f}",
                f"{score.low:.3f} - {score.high:.3f}",
                *([f"{score.score:+.3f}"] if score.score is not None else []),
                f"{score.mean_return:.2f}",
                f"{score.episodes}",
            )
        return table
