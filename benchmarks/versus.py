"""ptde beside JaxMARL's own QMIX on the same work: speed, memory, and time to win.

    git clone https://github.com/FLAIROx/JaxMARL
    python -m venv jaxmarl
    jaxmarl/bin/pip install jaxmarl hydra-core flax flashbax six matplotlib
    python benchmarks/versus.py JaxMARL --python jaxmarl/bin/python
    python benchmarks/versus.py JaxMARL --python jaxmarl/bin/python --win

Speed: ``baselines/QLearning/qmix_rnn.py`` of the checkout, unmodified, and `ptde teach`, in
turns and each as a process of its own. Each runs twice a round, for fewer and for more
joint steps: the difference has neither start nor compilation in it. The work is equal: 8
battles of 128 steps, native observation, one update on 32 segments per collection, GRU 64,
mixer 32/64. With ``--win`` all learn, from an empty cache of programs, until they win 0.8
of their test battles, or for ten minutes; by StarCraft's clock and with a harmless edge of
the map, which JaxMARL's script is told, too, but each with its own observation. The student
of ``qmix_ptde`` has a budget of its own, since it begins when its teacher ends. Prints a
table and writes JSON.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Literal

import tyro
from rich.table import Table

from ptde.envs.smax import time_limit
from ptde.jobs.progress import console
from ptde.jobs.record import Record

SCRIPT = "baselines/QLearning/qmix_rnn.py"
SMALL = {
    "NUM_ENVS": 8,
    "NUM_STEPS": 128,
    "BUFFER_SIZE": 1000,
    "BUFFER_BATCH_SIZE": 32,
    "HIDDEN_SIZE": 64,
    "MIXER_EMBEDDING_DIM": 32,
    "MIXER_HYPERNET_HIDDEN_DIM": 64,
    "NUM_EPOCHS": 1,
    "LR": 0.001,
}
"""JaxMARL's options for the small configuration; its own defaults are the tuned one."""
EQUAL = """
    --observation native --time-limit 100 --segment 128 --envs 8 --batch 32 --buffer 1000
    --updates 1 --average 0 --hidden 64 --test-episodes 8
"""
"""ptde's options for the same work."""
RECIPE = "--steps 350_000 --student.steps 1000 --finetune.share 0"
"""ptde's options for a student that wins, on 3s_vs_5z."""
RECORDER = """
import json, os, time
def init(*_, **__): pass
def log(row):
    if "test_returned_won_episode" in row:
        seen = {"time": time.time(), "steps": int(row["env_step"]),
                "win_rate": float(row["test_returned_won_episode"])}
        with open(os.environ["VERSUS_LOG"], "a") as file:
            file.write(json.dumps(seen) + "\\n")
"""
"""A module named ``wandb``, which JaxMARL's script logs to."""
ENOUGH = 0.8


@dataclass(frozen=True)
class Versus:
    """Options: where JaxMARL is, what is measured, and how often."""

    checkout: tyro.conf.Positional[Path]
    """A checkout of JaxMARL."""
    python: Path = Path(sys.executable)
    """The Python of an environment in which its script runs."""
    map: str = "3s_vs_5z"
    methods: tuple[str, ...] = ("qmix", "qmix_gip")
    """Methods of ptde, with more options where there are any: "qmix_ptde --z 32"."""
    steps: tuple[int, int] = (65_536, 262_144)
    """Joint steps of the short and the long run."""
    rounds: int = 5
    win: bool = False
    """Measure the time to a test win rate of 0.8 instead of speed."""
    seeds: int = 3
    """Seeds of each team, with ``--win``."""
    minutes: float = 10.0
    """Minutes after which a team is stopped, with ``--win``."""
    json: Path = Path("benchmarks/versus.json")
    """File to write."""


@dataclass
class Team:
    """A team, and what was measured of it."""

    name: str
    words: list[str]
    """Its command, which lacks the joint steps."""
    jaxmarl: bool
    role: str = "teacher"
    """Whose tests count, with ``--win``."""
    rates: list[float] = field(default_factory=list)
    """Joint steps per second, one a round."""
    start: list[float] = field(default_factory=list)
    """Seconds of the short run beyond its joint steps: start and compilation."""
    memory: float = 0.0
    """Highest resident memory, in bytes."""
    wins: list["Learnt"] = field(default_factory=list)
    """How it learnt to win, one a seed."""


@dataclass(frozen=True)
class Learnt:
    """How one seed of a team learnt to win."""

    seconds: float | None
    """Until it won enough; None if it did not."""
    ended: Literal["won", "used up its joint steps", "was out of time"]
    best: float
    """The best test's win rate."""
    steps: int
    """Joint steps at the last test."""


def jaxmarl_words(options: Versus, changes: dict[str, object]) -> list[str]:
    """The command of JaxMARL's script; ``changes`` are options of its algorithm."""
    words = [str(options.python.absolute()), SCRIPT, "+alg=ql_rnn_smax", "SAVE_PATH=null"]
    changes = {"MAP_NAME": options.map, **changes}
    return words + [f"alg.{name}={value}" for name, value in changes.items()]


def ptde_words(
    options: Versus, method: str, words: list[str], goal: str = "teach"
) -> list[str]:
    """The command of ptde."""
    start = [sys.executable, "-m", "ptde", goal, "--map", options.map]
    return [*start, "--method", *method.split(), *words]


def environment(place: Path) -> dict[str, str]:
    """The environment of every process, with the stand-in for ``wandb`` first."""
    (place / "wandb.py").write_text(RECORDER)
    paths = [str(place), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "VERSUS_LOG": str(place / "log.jsonl"),
        "JAX_COMPILATION_CACHE_DIR": str(place / "programs"),  # a round compiles once
    }


def said_wrong(words: list[str], said: IO[bytes]) -> SystemExit:
    """That a command failed, with the end of what it printed."""
    said.seek(0)
    return SystemExit(f"{' '.join(words)}\n{said.read()[-3000:].decode()}")


def timed(words: list[str], cwd: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Seconds and the highest resident memory, in bytes, of a whole command."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(words, cwd=cwd, env=environ, stdout=said, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - began
        if status:
            raise said_wrong(words, said)
    return took, 1024.0 * usage.ru_maxrss


def speed(options: Versus, place: Path) -> list[Team]:
    """Measures all teams in turns."""
    never = {"TEST_DURING_TRAINING": False}
    first = jaxmarl_words(options, {**SMALL, **never})
    teams = [Team("JaxMARL QMIX", first, True)]
    for method in options.methods:
        teams.append(
            Team(f"ptde {method}", ptde_words(options, method, EQUAL.split()), False)
        )
    environ = environment(place)
    for turn in range(-1, options.rounds):  # the first fills the caches
        for team in teams:
            times = []
            for steps in options.steps:
                words = [*team.words, f"alg.TOTAL_TIMESTEPS={steps}"]
                if not team.jaxmarl:
                    out = str(place / f"{turn}-{team.name}-{steps}".replace(" ", "-"))
                    words = [*team.words, "--steps", str(steps), "--test-every", str(steps)]
                    words += ["--out", out]
                cwd = options.checkout.absolute() if team.jaxmarl else Path.cwd()
                took, memory = timed(words, cwd, environ)
                times.append(took)
                team.memory = max(team.memory, memory)
            rate = (options.steps[1] - options.steps[0]) / (times[1] - times[0])
            print(f"round {turn}: {team.name} {rate:,.0f} steps/s", flush=True)
            if turn >= 0:
                team.rates.append(rate)
                team.start.append(times[0] - options.steps[0] / rate)
    return teams


def learnt(
    words: list[str],
    cwd: Path,
    environ: dict[str, str],
    tests: Callable[[], list[tuple[float, float, int]]],
    minutes: float,
) -> Learnt:
    """Lets a team learn until it wins enough. SystemExit if its command fails.

    Args:
        words: its command.
        cwd: the folder in which it runs.
        environ: its environment.
        tests: reads its tests so far: the time, the win rate, and the joint steps.
        minutes: after which it is stopped.
    """
    began, ended = time.time(), None
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(words, cwd=cwd, env=environ, stdout=said, stderr=said)
        while ended is None:
            status, now = process.poll(), time.time()
            seen = tests()
            if any(rate >= ENOUGH for _, rate, _ in seen):
                ended = "won"
            elif status:
                raise said_wrong(words, said)
            elif status == 0:
                ended = "used up its joint steps"
            elif now - began > 60 * minutes:
                ended = "was out of time"
            else:
                time.sleep(0.5)
        process.kill()
        process.wait()
    enough = next((at - began for at, rate, _ in seen if rate >= ENOUGH), None)
    best = max((rate for _, rate, _ in seen), default=0.0)
    return Learnt(enough, ended, best, seen[-1][2] if seen else 0)


def time_to_win(options: Versus, place: Path) -> list[Team]:
    """Lets all teams learn until they win, one after the other, seed by seed."""
    limit = time_limit(options.map)
    # Its script begins new battles for each collection, so one must hold a whole battle.
    tuned = {"TOTAL_TIMESTEPS": 10_000_000, "TEST_NUM_STEPS": limit + 1}
    whole = {"NUM_STEPS": limit + 1}
    tuned |= whole | {"ENV_KWARGS.walls_cause_death": False, "TEST_NUM_ENVS": 32}
    small = {**tuned, **SMALL, **whole, "TOTAL_TIMESTEPS": 3_000_000, "EPS_DECAY": 0.04}
    small |= {"TEST_INTERVAL": 0.005}
    clock = f"+alg.ENV_KWARGS.max_steps={limit}"
    teams = [
        Team(f"JaxMARL QMIX, {name}", [*jaxmarl_words(options, changes), clock], True)
        for name, changes in {
            "small": small,
            "tuned": tuned | {"TEST_INTERVAL": 0.0015},
        }.items()
    ]
    usual = ["--steps", "3_000_000", "--test-every", "15_000"]
    for method in options.methods:
        teams.append(Team(f"ptde {method}", ptde_words(options, method, usual), False))
    recipe = ptde_words(options, "qmix_ptde", RECIPE.split(), "run")
    teams.append(Team("ptde qmix_ptde's student", recipe, False, "student"))
    for seed in range(options.seeds):
        for team in teams:
            here = place / f"{seed}-{team.name}".replace(" ", "-").replace(",", "")
            here.mkdir()
            environ, cwd = environment(here), Path.cwd()
            log, record = here / "log.jsonl", here / "run" / team.role / "record.jsonl"
            words = [*team.words, "--seed", str(seed), "--out", str(here / "run")]
            if team.jaxmarl:
                cwd = options.checkout.absolute()
                words = [*team.words, f"SEED={seed}", "WANDB_MODE=offline"]

            def tests(team=team, log=log, record=record):
                if not team.jaxmarl:
                    seen = Record(record).rows() if record.exists() else []
                    return [(time.time(), r["win_rate"][0], r["joint_steps"]) for r in seen]
                seen = log.read_text().splitlines() if log.exists() else []
                rows = map(json.loads, seen)
                return [(row["time"], row["win_rate"], row["steps"]) for row in rows]

            team.wins.append(learnt(words, cwd, environ, tests, options.minutes))
            print(f"seed {seed}: {team.name} {team.wins[-1]}", flush=True)
    return teams


def told(seed: Learnt) -> str:
    """A seed's time, or what it had instead."""
    if seed.seconds is not None:
        return f"{seed.seconds:,.0f}"
    return f"- ({seed.best:.2f} at best, {seed.ended}, {seed.steps:,})"


def table(options: Versus, teams: list[Team]) -> Table:
    """What was measured, as a table."""
    if options.win:
        shown = Table(title=f"{options.map}: seconds to a test win rate of {ENOUGH}")
        shown.add_column("team")
        shown.add_column("seeds", justify="right")
        for team in teams:
            shown.add_row(team.name, ", ".join(map(told, team.wins)))
        return shown
    shown = Table(title=f"{options.map}: {options.rounds} rounds in turns, medians")
    for name in ("team", "steps/s", "ratio", "of rounds", "start, s", "memory, GB"):
        shown.add_column(name, justify="right")
    for team in teams:
        ratios = [a / b for a, b in zip(team.rates, teams[0].rates, strict=True)]
        shown.add_row(
            team.name,
            f"{statistics.median(team.rates):,.0f}",
            f"{statistics.median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            f"{statistics.median(team.start):.0f}",
            f"{team.memory / 1e9:.2f}",
        )
    return shown


def main() -> None:
    """Measures, prints the table and writes JSON."""
    options = tyro.cli(Versus)
    if not (options.checkout / SCRIPT).is_file():
        raise SystemExit(f"{options.checkout} has no {SCRIPT}: name a checkout of JaxMARL")
    with tempfile.TemporaryDirectory() as place:
        measure = time_to_win if options.win else speed
        teams = measure(options, Path(place))
    console().print(table(options, teams))
    about = {"map": options.map, "machine": platform.machine(), "cores": os.cpu_count()}
    rows = [{**asdict(team), "words": " ".join(team.words)} for team in teams]
    options.json.write_text(json.dumps({**about, "teams": rows}, indent=1))
    print(options.json)


if __name__ == "__main__":
    main()
