"""Speed of football's engine, and whether two builds of it play the same game.

    python benchmarks/engine.py [--engines default FOLDER ...]

Plays random actions at fixed seeds in a process of its own for each measurement; the builds
take turns. An engine is a folder that comes first where Python looks for packages (an
unpacked wheel), or "default", the installed one. Prints the CPU time of a step (the
engine's own and all of it) and of a reset, each a median, the ratio to the first build, and
a digest of every raw observation: equal digests are equal games. Writes JSON. To be pinned:
``taskset -c 0``.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import tyro

from ptde.processes.games.football import ACTIONS, Football


@dataclass(frozen=True)
class Engine:
    """Options: what is played, how often, and the builds that are compared."""

    map: str = "academy_3_vs_1_with_keeper"
    engines: list[str] = field(default_factory=lambda: ["default"])
    steps: int = 1500
    """Steps of one measurement."""
    rounds: int = 5
    out: Path = Path("engine.json")


class Watch:
    """The CPU time of calls, summed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose calls are timed."""

        def call(*args: Any) -> Any:
            began = process_time()
            found = function(*args)
            self.seconds += process_time() - began
            return found

        return call


def raw_bytes(raw: dict[str, Any]) -> bytes:
    """Every number of a raw observation, in a definite order."""
    return b"".join(np.asarray(raw[key]).tobytes() for key in sorted(raw))


def play(name: str, steps: int) -> dict[str, Any]:
    """Plays so many steps; a measurement."""
    from gfootball_engine import GameEnv

    whole, inner, again = Watch(), Watch(), Watch()
    GameEnv.step = inner.timed(GameEnv.step)
    game = Football(name)
    step_of, reset_of = whole.timed(game.step), again.timed(game.reset)
    game.reset(0)  # the first is slow: it loads what all later ones share
    digest, draw = sha256(), np.random.default_rng(0)
    engine, resets, ended = 0.0, 0, True
    for _ in range(steps):
        if ended:
            resets += 1
            reset_of(resets)
            digest.update(raw_bytes(game.raw))
        before = inner.seconds
        ended = step_of(draw.integers(ACTIONS, size=game.n)).ended
        engine += inner.seconds - before
        digest.update(raw_bytes(game.raw))
    return {
        "engine, ms a step": 1e3 * engine / steps,
        "whole, ms a step": 1e3 * whole.seconds / steps,
        "ms a reset": 1e3 * again.seconds / resets,
        "steps/s, resets included": steps / (whole.seconds + again.seconds),
        "digest": digest.hexdigest()[:16],
    }


def measured(engine: str, name: str, steps: int) -> dict[str, Any]:
    """``play`` in a process of its own, with this build of the engine."""
    paths = [os.environ.get("PYTHONPATH", "")]
    if engine != "default":
        paths.insert(0, str(Path(engine).resolve()))
    words = [sys.executable, __file__, "--play", name, str(steps)]
    surrounding = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    answer = subprocess.run(
        words, env=surrounding, capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def main(bench: Engine) -> None:
    """Measures the builds in turns, prints the table and writes JSON."""
    found: list[list[dict[str, Any]]] = [[] for _ in bench.engines]
    for _ in range(bench.rounds):
        for engine, rounds in zip(bench.engines, found, strict=True):
            rounds.append(measured(engine, bench.map, bench.steps))
    rows = []
    for engine, rounds in zip(bench.engines, found, strict=True):
        row: dict[str, Any] = {"build": engine}
        for key in rounds[0]:
            if key != "digest":
                row[key] = round(statistics.median(r[key] for r in rounds), 3)
        row["digests"] = sorted({r["digest"] for r in rounds})
        rows.append(row)
        row["as fast as the first"] = round(
            rows[0]["whole, ms a step"] / row["whole, ms a step"], 3
        )
        print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    digests = {digest for row in rows for digest in row["digests"]}
    print("the same game" if len(digests) == 1 else "the games differ")
    about = {"map": bench.map, "steps": bench.steps, "rounds": bench.rounds}
    about |= {"same game": len(digests) == 1, "builds": rows}
    bench.out.write_text(json.dumps(about, indent=1))
    print(bench.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--play"]:
        print(json.dumps(play(sys.argv[2], int(sys.argv[3]))))
    else:
        main(tyro.cli(Engine))
