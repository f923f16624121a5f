"""Speed of training: steps/s of each configuration, and where its time goes.

    python benchmarks/throughput.py [--map 3s_vs_5z] [--observation native] [--updates 1]
    python benchmarks/throughput.py --data LETOR_FILE      (learning to rank)

All configurations are compiled first, then timed in turns, so that a disturbance of the
machine hits all of them: read the ratios. Prints a table and writes JSON.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from cases import Case, machine, matmul_rate, with_updates
from rich.table import Table

from ptde import Run
from ptde.cli.devices import prepare_devices
from ptde.config import SmaxConfig
from ptde.jobs.progress import console

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


def run_of(name: str, bench: Bench) -> Run:
    """The run of a configuration."""
    options = dict(CONFIGURATIONS[name])
    encoder = bench.encoder if options.pop("encoder", False) else 0
    # The clock and the segments of JaxMARL's script, whatever a map's own are.
    smax = SmaxConfig(observation=bench.observation, time_limit=100)
    run = Run(map=bench.map, segment=128, smax=smax)
    if bench.data:
        run = Run(world="ranking")
        run = replace(run, ranking=replace(run.ranking, data=bench.data))
    return replace(
        with_updates(run, bench.updates),
        info_config=replace(run.info_config, state_encoder=encoder),
        test_every=4 * run.envs * run.segment,
        steps=10**9,
        **options,
    )


def report(case: Case, matmul_rate: float) -> dict[str, float | str]:
    """The medians, in the units of the table."""
    steps = case.run.envs * case.run.segment
    return {
        "configuration": case.name,
        "steps_per_second": case.steps_per_second,
        "collect_steps_per_second": steps / case.median("collect"),
        "update_ms": 1e3 * case.median("update"),
        "compile_seconds": case.compile_seconds,
        "memory_gb": case.memory / 1e9,
        "update_gflop": case.flops / 1e9,
        "share_of_matmul_rate": case.flops / case.median("update") / matmul_rate,
    }


def main() -> None:
    """Measures all configurations, prints the table and writes JSON."""
    bench = tyro.cli(Bench)
    prepare_devices(bench.devices)
    cases = []
    for name in bench.only:
        print(f"compiling {name}", flush=True)
        cases.append(Case(name, run_of(name, bench)))
    rates = []
    for _ in range(bench.rounds):
        rates.append(matmul_rate())
        for case in cases:
            case.measure()
    rate = float(np.median(rates))
    rows = [report(case, rate) for case in cases]
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
        **machine(),
        "matmul_gflops": rate / 1e9,
    }
    bench.json.write_text(json.dumps({**about, "rows": rows}, indent=1))
    print(bench.json)


if __name__ == "__main__":
    main()
