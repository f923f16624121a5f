"""What the benchmarks of speed measure: a run's programs, compiled and timed apart."""

import platform
import time
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ptde import Run, build
from ptde.envs.base import AbstractEnv
from ptde.ops.keys import new_key
from ptde.rollout.base import initial
from ptde.rollout.collect import collect, start
from ptde.rollout.devices import Division
from ptde.rollout.jax_runner import compiled_period, state_axes


def with_updates(run: Run, number: int) -> Run:
    """The run with so many updates a collection: on 32 segments, as JaxMARL's script has
    them, or in a ranking world on its own number of lists.
    """
    batch = run.value.batch if run.world == "ranking" else 32
    return replace(run, value=replace(run.value, updates=number, batch=batch))


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
    """Stage 1 of a run, compiled: its period, and its first seed's two halves of it."""

    def __init__(self, name: str, run: Run, env: AbstractEnv | None = None):
        """Compiles the programs, and plays until the replay holds a batch.

        Args:
            name: what it is called.
            run: the run; ``steps`` should be far beyond what is measured.
            env: its world, if it is not the one of its name.
        """
        self.name, self.run = name, run
        self.env: Any = env or build.world(run)
        spec, seeds = self.env.spec, run.seeds
        self.algo, schedule = build.learner(run, spec), build.schedule(run, spec)
        self.segment, self.iterations = schedule.segment, schedule.iterations
        self.per_period = seeds * schedule.iterations * schedule.per_iteration
        begin = lambda key: initial(self.algo, self.env, schedule, key=key)
        self.state = jax.jit(jax.vmap(begin))(jax.random.split(new_key(0), seeds))
        began = time.perf_counter()
        division = Division.of(seeds, self.algo.parts(run.envs))
        program = compiled_period(self.algo, self.env, schedule, seeds, division)
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
        for _ in range(3):
            self.state, _ = self.period(self.state, self.iterations)
        self.collect = jax.jit(self._collect).lower(self._learner()).compile()
        self.learn = jax.jit(self._learn).lower(self._learner()).compile()
        self.collect_flops, self.flops = (
            dot_flops(jax.make_jaxpr(half)(self._learner()).jaxpr)
            for half in (self._collect, self._learn)
        )
        self.times: dict[str, list[float]] = {"period": [], "collect": [], "update": []}

    def _learner(self):
        return jax.tree.map(lambda x: x[0], self.state.learner)

    def _collect(self, learner):
        policy = self.algo.behave(learner)
        key = new_key(1)
        begun = start(policy, self.env, self.run.envs, key=key)
        return collect(policy, self.env, begun, self.segment, key=key)[1]

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

    def median(self, what: str) -> float:
        """Median of the seconds of a period, a collection or an update."""
        return float(np.median(self.times[what]))

    @property
    def steps_per_second(self) -> float:
        """Joint steps of all seeds per second of a period."""
        return self.per_period / self.median("period")


def machine() -> dict[str, str]:
    """What it was measured on."""
    return {
        "machine": platform.processor() or platform.machine(),
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
    }


def matmul_rate(size: int = 1024, times: int = 10) -> float:
    """The machine's rate in a large float32 matrix product, in operations per second."""
    a = jnp.ones((size, size))
    product = jax.jit(jnp.matmul)
    product(a, a).block_until_ready()
    best = min(seconds(product, a, a) for _ in range(times))
    return 2 * size**3 / best
