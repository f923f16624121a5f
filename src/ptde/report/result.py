"""The result of a run: ``result.json`` and the table on the screen."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ptde.files import read_object, shell
from ptde.report.measure import counted
from ptde.report.palette import ROLES
from ptde.report.statistics import retention, t_interval, win_interval
from ptde.rollout.evaluate import Returns
from ptde.types import RETURN, WINS

NONE_WON = "No episode was won: returns count."


@dataclass(frozen=True)
class Score:
    """The results of one role's test episodes."""

    performance: float
    """Mean of the world's measure (``EnvSpec.measure``)."""
    low: float
    """Lower end of the performance's 95 % interval: over the episodes of one seed, else
    over seeds."""
    high: float
    mean_return: float
    length: float
    """Mean joint steps of an episode."""
    episodes: int
    """Episodes of all seeds together."""
    seeds: list[float]
    """Performance of each seed."""
    returns: list[float]
    """Mean return of each seed."""
    score: float | None
    """Mean final score, such as a goal difference, in worlds that keep one."""
    communication: float
    """Share of agent-steps with a message on the global state to the agent: 1 is
    centralised execution at every step, 0 is decentralised."""

    @classmethod
    def of(cls, returns: Returns, n_agents: int) -> "Score":
        """The score of test episodes, ``Returns`` [seeds, episodes]."""
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

    def shown(self, measure: str) -> tuple[str, str]:
        """The measure that counts (``counted``) and its 95 % interval, as text. A return
        of a single seed has no interval.
        """
        if measure != RETURN:
            return f"{self.performance:.3f}", f"{self.low:.3f} - {self.high:.3f}"
        spread = t_interval(self.returns) if len(self.returns) > 1 else ()
        return f"{self.mean_return:.2f}", " to ".join(f"{x:.2f}" for x in spread)

    def to_json(self) -> dict[str, Any]:
        """Plain data; ``return`` and ``win_rate`` are the mean return and performance."""
        data = {"win_rate": self.performance, **asdict(self)}
        del data["performance"]
        data["return"] = data.pop("mean_return")
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Score":
        """The score from ``to_json``'s data. TypeError if a field is missing."""
        data = dict(data)
        performance, mean_return = data.pop("win_rate"), data.pop("return")
        return cls(performance=performance, mean_return=mean_return, **data)


def load_result(folder: Path) -> dict[str, Any]:
    """The contents of a run's ``result.json``; empty until the run has ended.

    Raises:
        ValueError: ``result.json`` is damaged; the message names the field.
    """
    path = folder / "result.json"
    if not path.is_file():
        return {}
    advice = f"`ptde evaluate {shell(folder)}` writes it anew"
    try:
        found = read_object(path)
        for name in ROLES:
            _check_score(name, found.get(name, SCORE))
        for name, kind in (("steps", int), ("measure", str), ("prr", float)):
            value = found.get(name, kind())
            if not isinstance(value, kind) and value is not None:
                raise ValueError(f"field {name!r} is {value!r:.40}")
    except ValueError as error:
        text = str(error) if str(path) in str(error) else f"{path} is damaged: {error}"
        raise ValueError(f"{text}. {advice}") from None
    return found


SCORE = {
    "win_rate": 0.0,
    "low": 0.0,
    "high": 0.0,
    "return": 0.0,
    "episodes": 0,
    "seeds": [],
}
"""Fields that a role's entry must have, with values of their types."""


def _check_score(role: str, score: Any) -> None:
    if not isinstance(score, dict):
        raise ValueError(f"field {role!r} is {score!r:.40}, not names and values")
    for name, like in SCORE.items():
        kinds = (int, float) if isinstance(like, int | float) else (list,)
        if not isinstance(score.get(name), kinds):
            raise ValueError(f"field '{role}.{name}' is {score.get(name)!r:.40}")
    returns, read = score.get("returns") or [], score.get("communication", 0.0)
    if not isinstance(returns, list):
        raise ValueError(f"field '{role}.returns' is {returns!r:.40}")
    if not isinstance(read, int | float):
        raise ValueError(f"field '{role}.communication' is {read!r:.40}")
    numbers = [*score["seeds"], *returns]
    if not all(isinstance(x, int | float) for x in numbers):
        raise ValueError(f"field '{role}.seeds' holds something that is no number")


@dataclass(frozen=True)
class Result:
    """The results of all roles of a run."""

    world: str
    method: str
    steps: int
    """Joint steps of all stages."""
    seconds: float
    """Wall time of all stages, without the evaluation."""
    scores: dict[str, Score] = field(default_factory=dict)
    centralised: bool = True
    """Whether the teacher reads the global state when it acts."""
    measure: str = WINS
    """The name of the performance in this world."""

    @classmethod
    def from_json(cls, data: Mapping[str, Any], centralised: bool) -> "Result":
        """The result from ``load_result``. KeyError or TypeError if it lacks a field."""
        return cls(
            world=data["world"],
            method=data["method"],
            steps=data["steps"],
            seconds=data["seconds"],
            scores={r: Score.from_json(data[r]) for r in ROLES if r in data},
            centralised=centralised,
            measure=data["measure"],
        )

    @property
    def prr(self) -> float | None:
        """The PRR (``retention``) of the last decentralised team; None without one."""
        team = self.scores.get("finetuned", self.scores.get("student"))
        if team is None or "teacher" not in self.scores:
            return None
        return retention(team.performance, self.scores["teacher"].performance)

    def to_json(self) -> dict[str, Any]:
        """The contents of ``result.json``."""
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
        """The results as a table for the terminal."""
        measure = counted(self.measure, (s.performance for s in self.scores.values()))
        prr = "" if self.prr is None else f"   PRR {self.prr:.1%}"
        table = Table(
            title=f"{self.method} on {self.world}, {self.steps:,} steps{prr}",
            title_justify="left",
            caption=NONE_WON if measure != self.measure else None,
            caption_justify="left",
        )
        for name in ("role", "execution", "state read"):
            table.add_column(name)
        scored = any(score.score is not None for score in self.scores.values())
        points = ("score",) if scored else ()
        returns = () if measure == RETURN else ("return",)
        for name in (measure, "95 % interval", *points, *returns, "episodes"):
            table.add_column(name, justify="right")
        for role, score in self.scores.items():
            central = role == "teacher" and self.centralised
            table.add_row(
                role,
                "centralised" if central else "decentralised",
                f"{score.communication:.0%} of steps" if score.communication else "",
                *score.shown(measure),
                *([f"{score.score:+.3f}"] if score.score is not None else []),
                *([f"{score.mean_return:.2f}"] if returns else []),
                f"{score.episodes}",
            )
        return table
