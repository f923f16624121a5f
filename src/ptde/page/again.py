"""How to run something again: the command of a run, the plan of a comparison."""

import json
import shlex
from collections.abc import Sequence
from typing import Any

from ptde.config import Run
from ptde.folder import Goal
from ptde.options import flatten
from ptde.unread import flag


def changed(run: Run) -> dict[str, Any]:
    """The options that are not at their world's defaults, by dotted name."""
    plain = flatten(Run(world=run.world))
    values = flatten(run)
    return {n: v for n, v in values.items() if n == "world" or v != plain[n]}


def command(run: Run, goal: Goal) -> str:
    """What makes the same run: `ptde run` with every option that it needs."""
    words = ["ptde", "run" if goal == "run" else "teach"]
    for name, value in changed(run).items():
        option, _, given = flag(name, value).partition(" ")
        words += [option, shlex.quote(given)] if given or value == "" else [option]
    return " ".join(words)


def plan(runs: Sequence[Run], methods: Sequence[str]) -> str:
    """A plan file with the methods, maps, seeds and budgets of these runs.

    Under ``[run]`` stand the options that all of them have in common; the others are what
    the methods set.
    """
    common = changed(runs[0]).items()
    for run in runs[1:]:
        mine = changed(run)
        common = [(n, v) for n, v in common if n in mine and mine[n] == v]  # type: ignore
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
    for name, value in common:
        if name in ("map", "steps", "seed", "seeds"):
            continue
        typed = flag(name).removeprefix("--").replace("-", "_")
        key = json.dumps(typed) if "." in typed else typed
        lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines)
