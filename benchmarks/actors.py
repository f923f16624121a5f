"""Speed of worlds in processes on Ray actors, next to the same copies without Ray.

    python benchmarks/actors.py [--world football --map academy_3_vs_1_with_keeper]

Collects whole segments, in turns, several rounds: first in processes of this machine, then
with 1, 2 and 4 actors on it, which share the same number of copies. On one machine actors
can only cost: what they cost is the question. The usual world, ``benchmarks/toil.py``,
takes as long for a step as a small game does. Prints medians and ratios, and writes JSON.
"""

import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import ray
import tyro
from cases import machine

from ptde import Run, build
from ptde.envs.process import ProcessWorld
from ptde.ops.keys import new_key
from ptde.rollout.actors import copies_of, use_actors
from ptde.rollout.collect import rollout_shapes
from ptde.rollout.copies import AbstractCopies


@dataclass(frozen=True)
class Options:
    """Options."""

    world: str = "processes"
    map: str = "benchmarks.toil:Toil"
    copies: int = 8
    """Copies of the world, in all."""
    actors: tuple[int, ...] = (1, 2, 4)
    rounds: int = 5
    """Rounds of each measurement, in turns."""
    json: Path = Path("benchmarks/actors.json")
    """File to write."""


def collecting(run: Run, copies: AbstractCopies) -> Callable[[], float]:
    """Joint steps per second of one segment of all copies."""
    world, segment = copies.world, build.segment_of(run, copies.world.spec)
    algo = build.learner(run, world.spec)
    example = rollout_shapes(world, run.envs, segment)
    policy = algo.behave(algo.init(example, key=new_key(0)))

    def measure() -> float:
        began = time.monotonic()
        copies.collect(policy, segment, key=new_key(1))
        return run.envs * segment / (time.monotonic() - began)

    return measure


def main(bench: Options) -> None:
    """Measures, prints the table and writes JSON."""
    run = Run(world=bench.world, map=bench.map, envs=bench.copies)
    small = replace(run.value, buffer=4 * run.envs, batch=run.envs)
    run = replace(run, value=small)
    with ExitStack() as left:
        ray.init(num_cpus=sum(bench.actors), log_to_driver=False, logging_level="ERROR")
        left.callback(ray.shutdown)
        measures = {}
        for number in (0, *bench.actors):
            world = build.world(run)
            assert isinstance(world, ProcessWorld), "benchmarks/throughput.py is for JAX's"
            if number:
                left.enter_context(use_actors(number, "local"))
            copies = copies_of(world)
            name = f"{number} actors" if number else "no Ray"
            measures[name] = collecting(run, copies)
            measures[name]()  # compiles, and starts the processes
            left.callback(world.close)
        found: dict[str, list[float]] = {name: [] for name in measures}
        for _ in range(bench.rounds):
            for name, measure in measures.items():
                found[name].append(measure())
    medians = {name: statistics.median(rates) for name, rates in found.items()}
    for name, rate in medians.items():
        ratio = statistics.median(
            mine / local for mine, local in zip(found[name], found["no Ray"], strict=True)
        )
        print(f"{name:<9}  {rate:7,.0f} steps/s  {ratio:.2f} of those without Ray")
    about = {"world": f"{bench.world}/{bench.map}", "copies": bench.copies, **machine()}
    bench.json.write_text(json.dumps({**about, "steps per second": found}, indent=1))
    print(bench.json)


if __name__ == "__main__":
    main(tyro.cli(Options))
