"""How to run a run or a comparison again: its command, or its plan."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from ptde.config import Run, flag
from ptde.folder import Goal
from ptde.methods import on_probe
from ptde.options import flatten, put
from ptde.unread import is_read


def changed(run: Run) -> dict[str, Any]:
    """The options that differ from their world's defaults, by dotted name."""
    plain = flatten(Run(world=run.world))
    values = flatten(run)
    return {n: v for n, v in values.items() if n == "world" or v != plain[n]}


def command(run: Run, goal: Goal, devices: int) -> str:
    """The command that makes the same run, with every option that it needs.

    Args:
        run: the config.
        goal: how far it goes.
        devices: those over which it was divided, which decide the order of sums.
    """
    words = ["ptde", "run" if goal == "run" else "teach"]
    needed = {n: v for n, v in changed(run).items() if is_read(run, n)}
    for name, value in needed.items():
        option, _, given = flag(name, value).partition(" ")
        words += [option, shlex.quote(given)] if given or value == "" else [option]
    return " ".join([*words, "--devices", str(devices)])


def plan(runs: Sequence[Run], methods: Sequence[str]) -> str:
    """A plan file with the methods, maps, seeds and budgets of these runs.

    Under ``[run]`` are the options that are the same in all runs that read them, except
    those that the methods set by themselves.
    """
    first = min(run.seed for run in runs)
    last = max(run.seed + run.seeds for run in runs)
    steps = {run.map: run.steps for run in runs}
    lines = [
        f"methods = {json.dumps(list(methods))}",
        f"maps = {json.dumps(list(steps))}",
        f"seeds = {json.dumps(list(range(first, last)))}",
        "[steps]",
        *(f"{json.dumps(name)} = {count}" for name, count in steps.items()),
        "[run]",
    ]
    for name, value in _typed(runs, methods).items():
        word = flag(name).removeprefix("--").replace("-", "_")
        key = json.dumps(word) if "." in word else word
        lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines)


_OF_PLAN = ("map", "steps", "seed", "seeds")
"""Options that a plan has entries of its own for."""


def _typed(runs: Sequence[Run], methods: Sequence[str]) -> dict[str, Any]:
    """The options that a plan's ``[run]`` must give, by dotted name."""
    common: dict[str, Any] = {}
    names = dict.fromkeys(name for run in runs for name in changed(run))
    for name in [name for name in names if name not in _OF_PLAN]:
        values = [flatten(run)[name] for run in runs if is_read(run, name)]
        if values and all(value == values[0] for value in values):
            common[name] = values[0]
    start = Run(world=runs[0].world)
    base = put(start, common)

    def needed(name: str) -> bool:
        """Whether some method that reads the option has another value without it."""
        for method in methods:
            alone = flatten(on_probe(method, start))[name]
            if is_read(on_probe(method, base), name) and alone != common[name]:
                return True
        return False

    return {n: v for n, v in common.items() if n == "world" or needed(n)}
