"""Speed of training: steps/s of each configuration, and where its time goes.

    python benchmarks/throughput.py [--map 3s_vs_5z] [--observation native] [--updates 1]
    python benchmarks/throughput.py --data LETOR_FILE      (learning to rank)

All configurations are compiled first, then timed in turns, so that a disturbance of the
machine hits all of them: read the ratios. Prints a table and writes JSON.
"""

import json
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from rich.table import Table

from ptde import Run, build
from ptde.cli.devices import prepare_devices
from ptde.config import SmaxConfig
from ptde.jobs.progress import console
from ptde.ops.keys import new_key
from ptde.rollout.base import initial
from ptde.rollout.collect import collect, start
from ptde.rollout.devices import Division
from ptde.rollout.jax_runner import compiled_period, state_axes

CONFIGURATIONS = {
    "qmix": {"info": "none"},
    "vdn": {"info": "none", "mixer": "vdn"},
    "qplex": {"info": "none", "mixer": "qplex"},
    "qmix_giu": {"info": "giu"},
    "qmix_csrl": {"info": "csrl"},
    "qmix_gip": {"info": "gip"},
    "qmix_gip, state encoder": {"info": "gip", "encoder": True},
}


@dataclass(frozen=True)
class Bench:
    """Options; their defaults are the work that JaxMARL's qmix_rnn was measured on."""

    map: str = "3s_vs_5z"
    """The map of SMAX."""
    observation: Literal["native", "smac"] = "native"
    """The agents' observation."""
    data: str = ""
    """A LETOR file, to measure learning to rank on it instead of battles."""
    updates: int = 1
    """Updates per collection."""
    encoder: int = 16
    """Width of the state encoder in its configuration."""
    only: tuple[str, ...] = tuple(CONFIGURATIONS)
    """Configurations to measure."""
    rounds: int = 5
    """Times that each configuration is measured; the median counts."""
    devices: int = 1
    """Devices over which each configuration is divided: cores, where there is no GPU."""
    json: Path = Path("benchmarks/throughput.json")
    """File to write."""


def dot_flops(jaxpr) -> float:
    """Floating-point operations of a program's matrix products, all passes of loops."""
    total = 0.0
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contract, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            inner = np.prod([shape[i] for i in contract])
            total += 2 * inner * np.prod(equation.outvars[0].aval.shape)
            continue
        times = equation.params.get("length", 1)
        for value in equation.params.values():
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                total += times * dot_flops(inner)
    return float(total)


def seconds(function, *args) -> float:
    """Wall time of one call, in seconds."""
    began = time.perf_counter()
    jax.block_until_ready(function(*args))
    return time.perf_counter() - began


class Case:
    """One configuration, compiled."""

    def __init__(self, name: str, bench: Bench):
        options = dict(CONFIGURATIONS[name])
        encoder = bench.encoder if options.pop("encoder", False) else 0
        # The clock and the segments of JaxMARL's script, whatever a map's own are.
        smax = SmaxConfig(observation=bench.observation, time_limit=100)
        run = Run(map=bench.map, segment=128, smax=smax)
        if bench.data:
            run = Run(world="ranking")
            run = replace(run, ranking=replace(run.ranking, data=bench.data))
        self.run = replace(
            run,
            info_config=replace(run.info_config, state_encoder=encoder),
            value=replace(run.value, updates=bench.updates),
            test_every=4 * run.envs * run.segment,
            steps=10**9,
            **options,
        )
        self.name, self.env = name, build.world(self.run)
        self.algo, schedule = (
            build.learner(self.run, self.env.spec),
            build.schedule(self.run, self.env.spec),
        )
        self.iterations = schedule.iterations
        self.per_period = schedule.iterations * schedule.per_iteration
        begin = jax.jit(lambda key: initial(self.algo, self.env, schedule, key=key))
        state = begin(new_key(0))
        self.state = jax.tree.map(lambda x: x[None], state)
        began = time.perf_counter()
        division = Division.of(1, self.algo.parts(self.run.envs))
        program = compiled_period(self.algo, self.env, schedule, 1, division)
        self.state = division.place(self.state, state_axes(self.algo, self.state))
        self.period = program.lower(self.state, self.iterations).compile()
        self.compile_seconds = time.perf_counter() - began
        memory = self.period.memory_analysis()
        self.memory = (
            memory.temp_size_in_bytes
            + memory.argument_size_in_bytes
            + memory.output_size_in_bytes
            - memory.alias_size_in_bytes
        )
        for _ in range(3):  # until the replay holds a batch
            self.state, _ = self.period(self.state, self.iterations)
        self.collect = jax.jit(self._collect).lower(self._learner()).compile()
        self.learn = jax.jit(self._learn).lower(self._learner()).compile()
        self.flops = dot_flops(jax.make_jaxpr(self._learn)(self._learner()).jaxpr)
        self.times: dict[str, list[float]] = {"period": [], "collect": [], "update": []}

    def _learner(self):
        return jax.tree.map(lambda x: x[0], self.state.learner)

    def _collect(self, learner):
        policy = self.algo.behave(learner)
        key = new_key(1)
        begun = start(policy, self.env, self.run.envs, key=key)
        return collect(policy, self.env, begun, self.run.segment, key=key)[1]

    def _learn(self, learner):
        key = new_key(1)
        batch = learner.replay.sample(key=key)
        return self.algo.learn(learner.learnt, learner.target, batch, key=key)

    def measure(self) -> None:
        """Times one period, one collection and one update."""
        began = time.perf_counter()
        self.state, metrics = self.period(self.state, self.iterations)
        jax.block_until_ready(metrics)
        self.times["period"].append(time.perf_counter() - began)
        learner = self._learner()
        self.times["collect"].append(seconds(self.collect, learner))
        self.times["update"].append(seconds(self.learn, learner))

    def report(self, matmul_rate: float) -> dict[str, float | str]:
        """The medians, in the units of the table."""
        median = {name: float(np.median(t)) for name, t in self.times.items()}
        steps = self.run.envs * self.run.segment
        return {
            "configuration": self.name,
            "steps_per_second": self.per_period / median["period"],
            "collect_steps_per_second": steps / median["collect"],
            "update_ms": 1e3 * median["update"],
            "compile_seconds": self.compile_seconds,
            "memory_gb": self.memory / 1e9,
            "update_gflop": self.flops / 1e9,
            "share_of_matmul_rate": self.flops / median["update"] / matmul_rate,
        }


def matmul_rate(size: int = 1024, times: int = 10) -> float:
    """The machine's rate in a large float32 matrix product, in operations per second."""
    a = jnp.ones((size, size))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    best = min(seconds(product, a, a) for _ in range(times))
    return 2 * size**3 / best


def main() -> None:
    """Measures all configurations, prints the table and writes JSON."""
    bench = tyro.cli(Bench)
    prepare_devices(bench.devices)
    cases = []
    for name in bench.only:
        print(f"compiling {name}", flush=True)
        cases.append(Case(name, bench))
    rates = []
    for _ in range(bench.rounds):
        rates.append(matmul_rate())
        for case in cases:
            case.measure()
    rate = float(np.median(rates))
    rows = [case.report(rate) for case in cases]
    for row in rows:
        row["relative"] = row["steps_per_second"] / rows[0]["steps_per_second"]
    what = bench.data or f"{bench.map}, {bench.observation}"
    title = f"{what}, {bench.updates} update(s), {bench.devices} device(s)"
    table = Table(title=title)
    columns = (
        ("configuration", "{}"),
        ("steps_per_second", "{:,.0f}"),
        ("relative", "{:.2f}"),
        ("collect_steps_per_second", "{:,.0f}"),
        ("update_ms", "{:.0f}"),
        ("compile_seconds", "{:.0f}"),
        ("memory_gb", "{:.2f}"),
        ("share_of_matmul_rate", "{:.0%}"),
    )
    for name, _ in columns:
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(*(form.format(row[name]) for name, form in columns))
    console().print(table)
    console().print(f"matrix product: {rate / 1e9:.0f} GFLOP/s")
    about = {
        "map": bench.map,
        "observation": bench.observation,
        "updates": bench.updates,
        "devices": bench.devices,
        "machine": platform.processor() or platform.machine(),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "matmul_gflops": rate / 1e9,
    }
    bench.json.write_text(json.dumps({**about, "rows": rows}, indent=1))
    print(bench.json)


if __name__ == "__main__":
    main()
