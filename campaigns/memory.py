"""Does a long training keep its memory? RSS over time, and a picture.

    python -m campaigns.memory --minutes 120 [--world processes] [--picture docs/memory.png]

Trains small networks, with a test every 20,000 joint steps and a save at every fifth, as a
run has by default: 173 million joint steps are a day's at 2,000 a second. Flat: after the
first quarter, the line through the samples rises by less than 2% of what the process has.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil
import tyro

from campaigns.common import TINY, WORLDS, finish, last_words, ptde
from ptde.jobs.record import Record


@dataclass(frozen=True)
class Memory:
    """What is measured, and how long."""

    minutes: float = 120.0
    world: Literal["jax", "processes"] = "jax"
    seed: int = 0
    every: float = 5.0
    """Seconds between two samples."""
    steps: int = 173_000_000
    """Joint steps after which it ends, if there is time."""
    tests: int = 20_000
    """Joint steps between tests; every fifth is saved."""
    envs: int = 1024
    """Copies of the world."""
    picture: Path | None = None
    out: Path = Path("runs/campaigns/memory.json")


def resident(process: psutil.Process) -> tuple[float, float]:
    """Megabytes of a process, and of those that it started."""
    sizes = [process.memory_info().rss]
    for child in process.children(recursive=True):
        try:
            sizes.append(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return sizes[0] / 1e6, sum(sizes[1:]) / 1e6


def rise(hours: np.ndarray, sizes: np.ndarray) -> tuple[float, float]:
    """Of the samples after the first quarter: MB an hour, and MB in all."""
    late = hours >= hours[-1] / 4
    slope = float(np.polyfit(hours[late], sizes[late], 1)[0])
    return slope, slope * float(hours[-1] - hours[late][0])


def draw(path: Path, hours: np.ndarray, table: np.ndarray, title: str) -> None:
    """RSS over hours, the training's and its worlds'."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    axes.plot(hours, table[:, 0], label="training")
    if table[:, 1].any():
        axes.plot(hours, table[:, 1], label="its worlds' processes")
    axes.set(xlabel="hours", ylabel="resident memory, MB", title=title, ylim=(0, None))
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(options: Memory) -> int:
    """Trains, samples, draws."""
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp())
    run, log = folder / "run", folder / "log.txt"
    often = ["--test-every", str(options.tests), "--checkpoint-every"]
    often += [str(5 * options.tests), "--steps", str(options.steps), "--seed"]
    often += [str(options.seed), "--student.share", "0", "--finetune.share", "0"]
    words = ["teach", *WORLDS[options.world], *TINY, *often]
    copies = ["--envs", str(options.envs), "--buffer", str(2 * options.envs)]
    process = ptde([*words, *copies, "--out", str(run)], log)
    record = Record(run / "teacher" / "record.jsonl")
    samples: list[tuple[float, float, float]] = []
    while time.monotonic() - began < 60 * options.minutes and process.poll() is None:
        time.sleep(options.every)
        if process.poll() is None and record.path.exists():
            sizes = resident(psutil.Process(process.pid))
            samples.append(((time.monotonic() - began) / 3600, *sizes))
            if len(samples) % 60 == 0:
                told = ", ".join(f"{x:.1f}" for x in samples[-1])
                print(f"hours, MB, MB of worlds: {told}", flush=True)
    process.terminate()
    status = process.wait(600)
    table = np.array(samples)
    slope, grown = rise(table[:, 0], table[:, 1])
    worlds_slope, worlds_grown = rise(table[:, 0], table[:, 2])
    steps = record.rows()[-1]["steps"]
    if options.picture is not None:
        title = f"{steps / 1e6:,.1f} million joint steps, {options.world}"
        draw(options.picture, table[:, 0], table[:, 1:], title)
    result = {
        "joint_steps": steps,
        "hours": round(float(table[-1, 0]), 3),
        "tests": len(record.rows()),
        "samples": len(samples),
        "mb_first_median_last": [
            round(float(x), 1) for x in (table[0, 1], np.median(table[:, 1]), table[-1, 1])
        ],
        "mb_an_hour": round(slope, 2),
        "mb_grown": round(grown, 2),
        "worlds_mb_an_hour": round(worlds_slope, 2),
        "status": status,
        "said": "" if status in (0, 130) else last_words(log),
        "good": bool(
            status in (0, 130)
            and grown < 0.02 * table[-1, 1]
            and worlds_grown <= 0.02 * table[-1, 2]
        ),
    }
    return finish("memory", options, result, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Memory)))
