"""Shards: the runs of a plan divided among programs that do not know of one another.

The division follows from the plan alone, never from what is there or finished: programs
that start at different times, on different machines, take different runs, and all together
take every one.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.compare.plan import Cell
from ptde.files import LOCK, Held, locked
from ptde.jobs.progress import console

Unit = tuple[str, str, int]
"""A run of one seed: map, name of the run, seed."""

PATIENCE = 120.0
"""Seconds; a server of NFS keeps a lock of a machine that is gone for 90, mostly."""


@dataclass(frozen=True)
class Shard:
    """One part of a plan's runs."""

    number: int
    """Which part it is, counted from 1."""
    count: int
    """How many parts there are."""

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard of a text ``i/n``, with 1 <= i <= n. ValueError says what to type."""
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found:
            raise ValueError(
                f"--shard {text!r} is no part of a plan: type --shard 1/4 for the first of "
                "four, up to --shard 4/4"
            )
        number, count = int(found[1]), int(found[2])
        if count < 1:
            raise ValueError(f"--shard {text}: there is at least one shard, --shard 1/1")
        if number < 1:
            raise ValueError(
                f"--shard {text}: shards are counted from 1, so type --shard 1/{count} to "
                f"--shard {count}/{count}; of an array from 0: --shard "
                f"$((SLURM_ARRAY_TASK_ID + 1))/{count}"
            )
        if number > count:
            raise ValueError(
                f"--shard {text}: of {count} shards the last is --shard {count}/{count}"
            )
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def kept(
        self, whole: Cell, apart: Iterable[Cell], division: dict[Unit, int]
    ) -> list[Cell]:
        """The runs of a cell that are this shard's.

        Args:
            whole: the cell with all its seeds.
            apart: its runs; one of several seeds, which an earlier comparison began,
                belongs to the shard of its first.
            division: the number of each unit's shard.
        """
        first, seeds = whole.run.seed, whole.run.seeds
        mine = []
        for cell in apart:
            seed = first + (cell.run.seed - first) % seeds  # one of another plan's, too
            if division[whole.map, whole.name, seed] == self.number:
                mine.append(cell)
        return mine


def divided(cells: Sequence[Cell], count: int) -> dict[Unit, int]:
    """The number, from 1 on, of the shard of each seed of each cell.

    The longest run goes first, and each to the shard that has the fewest joint steps; of
    several, to the first. No shard then has more than another by more than one run.

    Args:
        cells: the cells of a plan, with all their seeds.
        count: number of shards, >= 1.
    """
    runs = [
        (joint_steps(cell), (cell.map, cell.name, seed))
        for cell in cells
        for seed in range(cell.run.seed, cell.run.seed + cell.run.seeds)
    ]
    loads, shards = [0] * count, {}
    for steps, unit in sorted(runs, key=lambda run: -run[0]):  # a stable sort
        least = loads.index(min(loads))
        loads[least] += steps
        shards[unit] = least + 1
    return shards


def joint_steps(cell: Cell) -> int:
    """The joint steps of all stages of a cell's goal, for one seed."""
    run, stages = cell.run, cell.run.stages
    steps = sum(stages) if cell.goal == "run" else stages.teach
    return steps + (stages.teach if run.baseline else 0)


def outwait(folders: Iterable[Path], seconds: float = PATIENCE) -> None:
    """Waits until no process trains in run folders, for at most some seconds in all.

    A queue starts a job again as soon as its machine is gone, while the disk's server may
    hold its locks for longer, or while the job still saves.
    """
    until = time.monotonic() + seconds
    for folder in folders:
        said = False
        while True:
            try:
                with locked(folder / LOCK):
                    break
            except Held as held:
                if time.monotonic() > until:
                    return
                if not said:
                    text = f"{folder} is locked by process {held}: waiting for its end"
                    console().print(text, soft_wrap=True, markup=False)
                said = True
                time.sleep(1)
