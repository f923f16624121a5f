"""One table and one picture of many runs, seeds of the same method together.

    python benchmarks/summary.py runs/* [--picture curves.png]

Prints Markdown: mean win rate over seeds, Student's 95 % interval, PRR, wall time.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import tyro

from ptde.config import Run, load_run
from ptde.report.statistics import rate_interval, retention
from ptde.run.record import Record


@dataclass(frozen=True)
class Summary:
    """Which runs, and where to draw them."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders; those without a result are left out aloud."""
    picture: Path | None = None
    """PNG of the learning curves to write."""
    title: str = ""
    """Of the picture."""


@dataclass(frozen=True)
class Finished:
    """One run's config, result and record of stage 1."""

    run: Run
    result: dict
    rows: list[dict]

    def rate(self, role: str) -> list[float]:
        """Win rates of a role's seeds."""
        return self.result[role]["seeds"] if role in self.result else []


def read(folder: Path) -> Finished | None:
    """The run, or None if it has not finished."""
    if not (folder / "result.json").exists():
        print(f"{folder} has no result yet: left out\n")
        return None
    result = json.loads((folder / "result.json").read_text())
    rows = Record(folder / "teacher" / "record.jsonl").rows()
    return Finished(load_run(folder)[0], result, rows)


def label(run: Run) -> str:
    """What runs have in common that belong together."""
    steps = run.schedule().steps_after(run.schedule().periods)
    return f"{run.map} | {run.smax.observation} | {steps / 1e6:.2g}M | {run.method}"


def interval(values: list[float]) -> str:
    """Mean and interval; one seed has none."""
    if len(values) < 2:
        return f"{values[0]:.3f} (one seed)"
    low, high = rate_interval(values)
    return f"{np.mean(values):.3f} [{low:.2f}, {high:.2f}]"


def table(groups: dict[str, list[Finished]]) -> str:
    """Markdown, one row a method."""
    lines = [
        "| map | seen | steps | method | stage 1 | student | PRR | seeds | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, runs in groups.items():
        teacher = [x for run in runs for x in run.rate("teacher")]
        student = [x for run in runs for x in run.rate("student")]
        prr = retention(np.mean(student), np.mean(teacher)) if student else None
        minutes = np.mean([run.result["seconds"] for run in runs]) / 60
        lines.append(
            f"| {name} | {interval(teacher)} | {interval(student) if student else ''} | "
            f"{'' if prr is None else f'{prr:.0%}'} | "
            f"{', '.join(f'{x:.2f}' for x in teacher)} | {minutes:.0f} |"
        )
    return "\n".join(lines)


def draw(groups: dict[str, list[Finished]], path: Path, title: str) -> None:
    """Stage 1's test win rates: mean of the seeds, and their range."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for name, runs in groups.items():
        length = min(len(run.rows) for run in runs)
        steps = [row["steps"] for row in runs[0].rows[:length]]
        rates = np.array(
            [np.mean([r["win_rate"] for r in run.rows[:length]], axis=1) for run in runs]
        )
        kernel = np.ones(5) / 5
        smooth = np.array([np.convolve(rate, kernel, "valid") for rate in rates])
        line = axis.plot(steps[4:], smooth.mean(0), label=name.split(" | ")[-1])[0]
        axis.fill_between(
            steps[4:], smooth.min(0), smooth.max(0), alpha=0.15, color=line.get_color()
        )
    axis.set(xlabel="joint steps", ylabel="test win rate", ylim=(-0.02, 1.02), title=title)
    axis.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=""))
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main() -> None:
    """Reads, groups, prints, draws."""
    summary = tyro.cli(Summary)
    groups: dict[str, list[Finished]] = defaultdict(list)
    for folder in summary.runs:
        finished = read(folder)
        if finished is not None:
            groups[label(finished.run)].append(finished)
    print(table(groups))
    if summary.picture is not None:
        draw(groups, summary.picture, summary.title)
        print(summary.picture)


if __name__ == "__main__":
    main()
