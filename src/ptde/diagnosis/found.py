"""What a diagnosis found: for a file, a page and a person."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ptde.diagnosis.gap import Part, Reached
from ptde.folder import DIAGNOSIS
from ptde.jobs.progress import console
from ptde.rollout.evaluate import Returns
from ptde.types import RETURN

FILE, PICTURE = DIAGNOSIS


@dataclass(frozen=True)
class Rung:
    """What a team of the ladder reaches."""

    team: str
    lacks: str
    """What a student lacks; empty for other teams."""
    performance: float
    """Mean over seeds and episodes of what counts in the world, such as a win rate."""
    chance: float
    """Half the width of the performance's 95 % interval."""
    mean_return: float
    lost: float | None
    """Share of episodes that ended before the time limit and were not won; None in worlds
    where an episode is more or less won.
    """
    timed_out: float | None
    """Share of episodes that the time limit ended, and that were not won."""
    seconds: float | None
    """Wall time of the fit; None for a team of the run itself."""

    @classmethod
    def of(
        cls,
        team: str,
        returns: Returns,
        measure: str,
        limit: int,
        lacks: str,
        seconds: float | None,
    ) -> "Rung":
        """The rung of a team with Returns [seeds, episodes], by what counts in its world
        (``counted``) and the world's time limit.
        """
        reached = reached_in(returns, measure)
        size, chance = Part.of(reached)
        late = np.asarray(returns.length) >= limit
        split = measure != RETURN and bool(np.isin(reached, (0, 1)).all())
        return cls(
            team=team,
            lacks=lacks,
            performance=size,
            chance=chance,
            mean_return=float(returns.reward.mean()),
            lost=float(((reached < 1) & ~late).mean()) if split else None,
            timed_out=float(((reached < 1) & late).mean()) if split else None,
            seconds=seconds,
        )


def reached_in(returns: Returns, measure: str) -> Reached:
    """What counts, in double precision, so that the parts of a gap add up to the gap."""
    reached = returns.reward if measure == RETURN else returns.performance
    return np.asarray(reached, np.float64)


@dataclass(frozen=True)
class Diagnosis:
    """All that a diagnosis found, and where it was written."""

    summary: str
    measure: str
    episodes: int
    """Episodes of each team, all seeds together."""
    gap: Part
    parts: Mapping[str, Part]
    ladder: tuple[Rung, ...]
    decisions: tuple[Mapping[str, Any], ...]
    takeover: tuple[Mapping[str, Any], ...]
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """What ``diagnosis.json`` holds."""
        whole = {"gap": self.gap, **self.parts}
        return {
            "summary": self.summary,
            "measure": self.measure,
            "episodes": self.episodes,
            "parts": [{"part": name, **x._asdict()} for name, x in whole.items()],
            "ladder": [asdict(rung) for rung in self.ladder],
            "decisions": [dict(row) for row in self.decisions],
            "takeover": [dict(row) for row in self.takeover],
        }

    def tables(self) -> list[Table]:
        """The tables for a person to read."""
        beside = [] if self.measure == RETURN else ["return", "lost", "time-out"]
        head = ["lacks", self.measure, "+-", *beside, "fitted in"]
        ladder = _table(f"the ladder, {self.episodes} episodes each", ["team", *head])
        for r in self.ladder:
            seconds = "" if r.seconds is None else f"{r.seconds:.0f} s"
            numbers = [r.performance, r.chance, r.mean_return, r.lost, r.timed_out]
            shown = map(_number, numbers[: 2 + len(beside)])
            ladder.add_row(r.team, r.lacks, *shown, seconds)
        gap = _table("the gap, part by part", ["part", self.measure, "+-"])
        for name, part in {**self.parts, "all": self.gap}.items():
            gap.add_row(name, *map(_number, part))
        own = _table(
            "the student's decisions, beside its teacher's",
            ["on whose battles", "same action", "regret", "R2 of values"],
        )
        for row in self.decisions:
            own.add_row(*map(_number, row.values()))
        if not self.takeover:
            return [ladder, gap, own]
        taken = _table(
            "teams of both",
            ["students", "overruled above", "teacher decides", self.measure, "+-"],
        )
        for row in self.takeover:
            taken.add_row(*map(_number, row.values()))
        return [ladder, gap, own, taken]

    def show(self) -> None:
        """Prints the tables, the sentence and the paths."""
        out = console()
        for table in self.tables():
            out.print(table)
        out.print(self.summary, markup=False)
        for name in (FILE, PICTURE):
            out.print(f"{self.folder / name}", markup=False, soft_wrap=True)


def _table(title: str, names: list[str]) -> Table:
    table = Table(title=title, title_justify="left")
    for i, name in enumerate(names):
        table.add_column(name, justify="right" if i else "left")
    return table


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
