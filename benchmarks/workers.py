"""Speed of worlds in processes of their own: joint steps per second of all copies.

    python benchmarks/workers.py [--world football --map academy_3_vs_1_with_keeper]

For 1, 2, 4 and 8 copies: the game alone (that many processes which step it at random,
without a team), collecting in lock-step, collecting as copies are ready (``--quorum`` 0.5),
and training with and without ``--overlap``; in turns, several rounds, the median of each.
Prints a table and writes JSON.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import tyro

from ptde import build
from ptde.config import Run
from ptde.envs.process import ProcessWorld
from ptde.envs.settings import ProcessConfig
from ptde.ops.keys import new_key
from ptde.rollout.collect import rollout_shapes
from ptde.rollout.copies import LocalCopies
from ptde.rollout.process_runner import iterations

ALONE = """
import sys, time, json
import numpy as np
from ptde.processes.adapters.adapt import make
from ptde.processes.protocol import standard
target, kwargs, limit, seconds = json.loads(sys.argv[1])
env, draw = make(target, kwargs, 0), np.random.default_rng(0)
step, count, seed, t = standard(env.reset(0)), 0, 0, 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    if step.ended or step.cut or t == limit:
        seed, t = seed + 1, 0
        step = standard(env.reset(seed))
    lots = draw.random(step.legal.shape) * step.legal
    step, count, t = standard(env.step(lots.argmax(1))), count + 1, t + 1
print(count / seconds)
"""


@dataclass(frozen=True)
class Workers:
    """Options: the world, and the length of the measurements."""

    world: str = "football"
    map: str = "academy_3_vs_1_with_keeper"
    copies: list[int] = field(default_factory=lambda: [1, 2, 4, 8])
    rounds: int = 3
    """Rounds of each measurement, in turns."""
    seconds: float = 5.0
    """Seconds of the measurement of the game alone."""
    out: Path = Path("workers.json")


def alone(world: ProcessWorld, seconds: float) -> float:
    """Steps per second of the game in as many processes, each by itself."""
    maker = world.maker
    kwargs = json.loads(maker.kwargs)
    arguments = json.dumps([maker.target, kwargs, world.spec.time_limit, seconds])
    words = [sys.executable, "-c", ALONE, arguments]
    running = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(world.copies)
    ]
    return sum(float(p.communicate()[0].split()[-1]) for p in running)


def world_of(run: Run, **options: Any) -> ProcessWorld:
    """The run's world, with other options of its processes."""
    world = build.world(replace(run, processes=ProcessConfig(**options)))
    if not isinstance(world, ProcessWorld):
        raise ValueError("benchmarks/throughput.py measures worlds in JAX")
    return world


def collecting(run: Run, world: ProcessWorld) -> Callable[[], float]:
    """Steps per second of one segment."""
    copies, segment = LocalCopies(world), build.segment_of(run, world.spec)
    algo = build.learner(run, world.spec)
    example = rollout_shapes(world, run.envs, segment)
    policy = algo.behave(algo.init(example, key=new_key(0)))

    def measure() -> float:
        began = time.monotonic()
        copies.collect(policy, segment, key=new_key(1))
        return run.envs * segment / (time.monotonic() - began)

    return measure


def training(run: Run, world: ProcessWorld, times: int = 3) -> Callable[[], float]:
    """Steps per second of collecting and learning."""
    copies, segment = LocalCopies(world), build.segment_of(run, world.spec)
    algo = build.learner(run, world.spec)
    example = rollout_shapes(world, run.envs, segment)
    learner = jax.jit(lambda key: algo.init(example, key=key))(new_key(0))
    iterate = iterations(algo, copies, segment)
    state = {"learner": learner}

    def measure() -> float:
        began = time.monotonic()
        state["learner"], _ = iterate(state["learner"], new_key(2), 0, times)
        return times * run.envs * segment / (time.monotonic() - began)

    return measure


def main(bench: Workers) -> None:
    """Measures all of this, prints the table and writes JSON."""
    rows = []
    for copies in bench.copies:
        run = Run(world=bench.world, map=bench.map, envs=copies)
        # Few updates: this measures the games, not the learner.
        small = replace(run.value, buffer=32, batch=min(32, copies), updates=2)
        run = replace(run, value=small)
        worlds = [world_of(run), world_of(run, quorum=0.5), world_of(run, overlap=True)]
        measures = {
            "alone": lambda w=worlds[0]: alone(w, bench.seconds),
            "lock-step": collecting(run, worlds[0]),
            "as ready": collecting(run, worlds[1]),
            "training": training(run, worlds[0]),
            "overlapping": training(run, worlds[2]),
        }
        for name, measure in measures.items():
            if name != "alone":
                measure()  # compiles
        found: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(bench.rounds):
            for name, measure in measures.items():
                found[name].append(measure())
        for world in worlds:
            world.close()
        rows.append(
            {"copies": copies} | {k: statistics.median(v) for k, v in found.items()}
        )
        cells = [f"{k} {v:,.0f}" for k, v in rows[-1].items()]
        print("  ".join(cells), flush=True)
    about = {"world": bench.world, "map": bench.map, "steps per second": rows}
    bench.out.write_text(json.dumps(about, indent=1))
    print(bench.out)


if __name__ == "__main__":
    main(tyro.cli(Workers))
