"""Runs what a comparison still lacks, and writes what it has."""

import json
import time
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from ptde.compare.outcome import Entries, gather, markdown, write
from ptde.compare.plan import Cell, Plan
from ptde.config import load_run
from ptde.methods import METHODS
from ptde.pipeline import resume, run
from ptde.run.progress import console


def compare(plan: Plan, out: Path) -> Entries:
    """Runs the cells that are missing or unfinished in ``out``, then writes the tables.

    Each cell is a run folder of its own, ``out/MAP/RUN``: a comparison that was stopped
    goes on where it stood, and one that is extended runs the new cells alone.

    Raises:
        ValueError: a cell cannot be run, or ``out`` holds a cell with other options.
        Interrupted: Ctrl-C; the same command goes on.
    """
    cells = plan.cells()
    for cell in cells:  # everything that can be wrong, before anything long starts
        _check(cell, out)
        cell.run.check_memory(cell.run.env())
    if plan.base.seeds < 2:
        console().print("one seed: no interval can be given; type --seeds 3 for intervals")
    todo = [cell for cell in cells if not _finished(out / cell.folder)]
    spent, behind = 0.0, 0
    for number, cell in enumerate(todo, 1):
        console().print(_overview(cells, out, cell, spent, behind, todo[number - 1 :]))
        began = time.monotonic()
        folder = out / cell.folder
        if (folder / "run.json").exists():
            resume(folder)
        else:
            run(cell.run, folder)
        spent += time.monotonic() - began
        behind += cell.run.steps * cell.run.seeds
    return collect(plan, out)


def collect(plan: Plan, out: Path) -> Entries:
    """The entries of the finished cells in ``out``; writes and shows the table."""
    folders = {
        name: [
            (where, out / where / METHODS[name].run)
            for where in plan.maps
            if _finished(out / where / METHODS[name].run)
        ]
        for name in plan.methods
    }
    entries = gather({name: runs for name, runs in folders.items() if runs})
    out.mkdir(parents=True, exist_ok=True)
    paths = write(entries, plan.maps, plan.base.world, out)
    console().print(markdown(entries, plan.maps), soft_wrap=True, markup=False)
    for path in paths:
        console().print(str(path), soft_wrap=True)
    return entries


def _finished(folder: Path) -> bool:
    return (folder / "result.json").exists()


def _check(cell: Cell, out: Path) -> None:
    folder = out / cell.folder
    if not (folder / "run.json").exists():
        return
    there, here = load_run(folder)[0].to_json(), cell.run.to_json()
    odd = [name for name in here if there.get(name) != here[name]]
    if odd:
        raise ValueError(
            f"{folder} was run with other options ({', '.join(odd)}): type another --out"
        )


def _overview(
    cells: list[Cell],
    out: Path,
    current: Cell,
    spent: float,
    behind: int,
    ahead: list[Cell],
) -> Table:
    """All cells at a glance, and the time left at the pace so far."""
    left = ""
    if behind:
        pace = spent / behind
        minutes = pace * sum(c.run.steps * c.run.seeds for c in ahead) / 60
        left = f", about {minutes:.0f} min left"
    done = len(cells) - len(ahead)
    table = Table(title=f"{done} of {len(cells)} runs done{left}", title_justify="left")
    maps = list(dict.fromkeys(cell.map for cell in cells))
    table.add_column("run")
    for where in maps:
        table.add_column(where, justify="right")
    for name in dict.fromkeys(cell.name for cell in cells):
        row = [name]
        for where in maps:
            cell = next((c for c in cells if (c.map, c.name) == (where, name)), None)
            row.append("" if cell is None else _state(cell, current, out))
        table.add_row(*row)
    return table


def _state(cell: Cell, current: Cell, out: Path) -> str:
    folder = out / cell.folder
    if _finished(folder):
        result = json.loads((folder / "result.json").read_text())
        return " / ".join(
            f"{result[role]['win_rate']:.2f}"
            for role in ("teacher", "student")
            if role in result
        )
    return "running" if cell is current else "waits"


def with_seeds(plan: Plan, seeds: int | None) -> Plan:
    """The plan with another number of seeds."""
    return plan if seeds is None else replace(plan, base=replace(plan.base, seeds=seeds))
