"""How speed, memory and compilation grow with the size of the work.

    python benchmarks/growth.py [--method qmix_gip]
    python benchmarks/growth.py --only agents copies state seeds documents

One axis at a time, all else at its usual size: agents (maps of marines), copies of the
world, width of the state (a battle's, repeated), seeds in one program, documents of a list.
For each axis the exponent of what grows: the slope of its logarithm over that of the axis,
in the upper half. The arithmetic is that of the matrix products of a collection and an
update. At the end a training is started twice, with an empty and with a filled cache of
programs. Prints tables, writes JSON and a picture.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import tyro
from cases import Case, machine, matmul_rate, with_updates
from rich.table import Table

from ptde import Run, build
from ptde.cli.devices import prepare_devices
from ptde.envs.smax import Smax
from ptde.jobs.progress import console
from ptde.jobs.record import Record
from ptde.methods import run_of

MARINES = {3: "3m", 8: "8m", 10: "10m_vs_11m", 25: "25m", 27: "27m_vs_30m"}
"""Maps by their agents."""
SHOWN = {
    "seconds": ("seconds per iteration", "{:.3f}"),
    "update": ("seconds per update", "{:.3f}"),
    "collect": ("seconds per collection", "{:.3f}"),
    "gflop": ("GFLOP per iteration", "{:.1f}"),
    "memory": ("memory, GB", "{:.2f}"),
    "compile": ("compilation, s", "{:.0f}"),
}
"""What is measured at each point: its name in tables and the picture, and its form."""


@dataclass(frozen=True)
class Growth:
    """Options."""

    method: str = "qmix_gip"
    """The method, by the name that `ptde run --method` takes."""
    only: tuple[str, ...] = ("agents", "copies", "state", "seeds", "documents")
    """The axes."""
    copies: tuple[int, ...] = (8, 32, 128, 512)
    """Copies of the world."""
    widths: tuple[int, ...] = (1, 4, 16, 64)
    """How often the state is repeated."""
    seeds: tuple[int, ...] = (1, 2, 4, 8, 16)
    """Seeds in one program."""
    documents: tuple[int, ...] = (5, 10, 20, 40, 80)
    """Documents of a list."""
    rounds: int = 5
    """Times that each point is measured; the median counts."""
    devices: int = 1
    """Devices over which each point is divided: cores, where there is no GPU."""
    json: Path = Path("benchmarks/growth.json")
    """File to write."""
    picture: Path = Path("benchmarks/growth.png")
    """Picture to write."""
    start: bool = True
    """Also time the start of a training."""


class WideState(Smax):
    """A battle whose state is repeated, so that it is wider and tells nothing more."""

    def __init__(self, map_name: str, times: int):
        super().__init__(map_name)
        self.times = times
        self.spec = replace(self.spec, state_dim=times * self.spec.state_dim, entities=())

    def _state(self, units, last_action):
        return jnp.tile(super()._state(units, last_action), self.times)


def points(axis: str, growth: Growth) -> Iterator[tuple[int, Case]]:
    """The points of an axis, each compiled: its value and the case."""

    def case(name: str, run: Run, env=None) -> Case:
        print(f"compiling {axis} {name}", flush=True)
        run = with_updates(replace(run, steps=2**31 - 1), 1)
        run = run_of(growth.method, run)
        env = env or build.world(run)
        collection = run.envs * build.segment_of(run, env.spec)
        return Case(name, replace(run, test_every=2 * collection), env)

    usual = Run(map="3s_vs_5z")
    if axis == "agents":
        for n, name in MARINES.items():
            yield n, case(name, Run(map=name))
    elif axis == "copies":
        for n in growth.copies:
            yield n, case(str(n), replace(usual, envs=n))
    elif axis == "state":
        for times in growth.widths:
            env = WideState(usual.map, times)
            yield env.spec.state_dim, case(str(env.spec.state_dim), usual, env)
    elif axis == "seeds":
        for n in growth.seeds:
            yield n, case(str(n), replace(usual, seeds=n))
    elif axis == "documents":
        for n in growth.documents:
            run = Run(world="ranking", map="synthetic")
            yield n, case(str(n), replace(run, ranking=replace(run.ranking, docs=n)))
    else:
        raise SystemExit(f"--only {axis}: type agents, copies, state, seeds or documents")


def measured(axis: str, growth: Growth) -> list[dict[str, float]]:
    """The rows of an axis, whose points were measured in turns."""
    held = list(points(axis, growth))
    for _ in range(growth.rounds):
        for _, case in held:
            case.measure()
    return [
        {
            axis: value,
            "steps_per_second": case.steps_per_second,
            "seconds": case.median("period") / case.iterations,
            "update": case.median("update"),
            "collect": case.median("collect"),
            "gflop": case.run.seeds * (case.flops + case.collect_flops) / 1e9,
            "memory": case.memory / 1e9,
            "compile": case.compile_seconds,
        }
        for value, case in held
    ]


def shown(axis: str) -> list[str]:
    """What is shown of an axis: a collection and an update are those of one seed."""
    return [what for what in SHOWN if axis != "seeds" or what not in ("collect", "update")]


def exponent(axis: str, rows: list[dict[str, float]], what: str) -> float:
    """The slope of what grows, over the upper half of the axis, in logarithms."""
    upper = rows[(len(rows) - 1) // 2 :]
    x, y = (np.log([row[name] for row in upper]) for name in (axis, what))
    return float(np.polyfit(x, y, 1)[0])


def started(growth: Growth) -> dict[str, float]:
    """Seconds from the command to a training's first test, without and with programs kept
    from before.
    """
    with tempfile.TemporaryDirectory() as place:
        environ = {**os.environ, "XDG_CACHE_HOME": place}
        times = {}
        for name in ("first", "again"):
            out = Path(place) / name
            words = f"-m ptde teach --method {growth.method} --map 3s_vs_5z --steps 20480"
            words += f" --test-every 8192 --devices {growth.devices} --out {out}"
            began = time.perf_counter()
            process = subprocess.Popen([sys.executable, *words.split()], env=environ)
            record = Record(out / "teacher" / "record.jsonl")
            while process.poll() is None and not record.rows():
                time.sleep(0.05)
            times[name] = time.perf_counter() - began
            if process.wait():
                raise SystemExit(f"ptde {words} failed")
        return times


def draw(found: dict[str, list[dict[str, float]]], path: Path) -> None:
    """A panel for each axis: everything in multiples of its first point."""
    import matplotlib.pyplot as plt

    across = min(3, len(found))
    down = -(-len(found) // across)
    figure, panels = plt.subplots(
        down, across, figsize=(4 * across, 3.6 * down), layout="constrained", squeeze=False
    )
    for panel in panels.flat[len(found) :]:
        panel.set_axis_off()
    for panel, (axis, rows) in zip(panels.flat, found.items(), strict=False):
        x = [row[axis] for row in rows]
        for what in shown(axis):
            y = [row[what] / rows[0][what] for row in rows]
            label = f"{SHOWN[what][0]}: {exponent(axis, rows, what):.2f}"
            dash = "--" if what == "gflop" else "-"
            color = f"C{[*SHOWN].index(what)}"
            panel.loglog(x, y, dash, c=color, marker="o", ms=3, label=label)
        close = {b for a, b in pairwise(x) if b < 1.1 * a}  # its label would cover another
        names = ["" if n in close else f"{n:g}" for n in x]
        panel.set(xlabel=axis, xticks=x, xticklabels=names)
        panel.minorticks_off()
        panel.legend(fontsize=7, title="exponent", title_fontsize=7)
    for panel in panels[:, 0]:
        panel.set_ylabel("multiple of the first point")
    figure.savefig(path, dpi=120)


def table(axis: str, rows: list[dict[str, float]]) -> Table:
    """An axis, with the exponents in the last row."""
    made = Table(title=axis)
    forms = {axis: "{:g}", "steps_per_second": "{:,.0f}"}
    forms |= {what: SHOWN[what][1] for what in shown(axis)}
    for name in (axis, "steps/s", *(SHOWN[what][0] for what in shown(axis))):
        made.add_column(name, justify="right")
    for row in rows:
        made.add_row(*(form.format(row[what]) for what, form in forms.items()))
    grown = [what for what in forms if what != axis]
    made.add_row("exponent", *(f"{exponent(axis, rows, what):.2f}" for what in grown))
    return made


def main() -> None:
    """Measures all axes, prints the tables, writes JSON and the picture."""
    growth = tyro.cli(Growth)
    prepare_devices(growth.devices)
    found = {}
    for axis in growth.only:
        found[axis] = measured(axis, growth)
        console().print(table(axis, found[axis]))
    about = {
        "method": growth.method,
        "devices": growth.devices,
        **machine(),
        "matmul_gflops": matmul_rate() / 1e9,
    }
    start = started(growth) if growth.start else {}
    if start:
        first, again = start["first"], start["again"]
        print(f"start to the first test: {first:.1f} s, again {again:.1f} s")
    growth.json.write_text(json.dumps({**about, "start": start, **found}, indent=1))
    draw(found, growth.picture)
    print(growth.json, growth.picture)


if __name__ == "__main__":
    main()
