"""The command ``ptde compare``."""

import shlex
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.cli.arguments import PlanWord, Trusting, parse, start_of, with_address


@dataclass(frozen=True)
class Command(Trusting):
    """Runs methods x maps x seeds, and writes one table and the learning curves.

    What is finished in the folder is kept; the rest is run or resumed.
    """

    plan: PlanWord
    """table2 to table6, figure6, figure7, controls, or a TOML file (docs/extending.md
    shows one with rows of your own); `ptde compare FILE` says what is wrong in it."""
    out: Path | None = None
    """The folder of the comparison; the default is runs/compare-PLAN, with -paper
    behind it for --paper."""
    seeds: int | None = None
    """Number of seeds, >= 1; the default is the plan's."""
    budget_scale: float = 1.0
    """Share of the joint steps, and of those over which epsilon falls, for a quick try;
    a student's own --student.data-steps and --student.steps stay. > 0."""
    paper: bool = False
    """Start from the paper's values, as `ptde run --preset paper` does."""
    data: str = ""
    """The LETOR file or folder of figure6."""
    workers: int = 1
    """Number of runs at once, of one seed each, in processes on cores of their own;
    >= 1. On a CPU as many as there are cores is fastest; 1 runs the seeds of a cell in
    one program."""
    shard: str | None = None
    """i/n: run the i-th of n parts of the plan alone, with one seed in each run, and
    write no table; 1 <= i <= n. For arrays of jobs (docs/howto/cluster.md): all parts
    write into one folder, and --table-only makes the table in the end."""
    ray: str | None = None
    """[HOST:PORT]: run on the machines of a Ray cluster, each seed a task that resumes
    its run folder; a lost machine's runs go on elsewhere. Without an address: the
    cluster of $RAY_ADDRESS or of this machine, else a new one here."""
    cpus: int | None = None
    """CPUs of each run, with --ray. >= 1; the default is 1."""
    gpus: float | None = None
    """GPUs of each run, with --ray. >= 0, less than 1 is a share of one; the default
    is 0, and the run then does without."""
    table_only: bool = False
    """Run nothing: write the table of what is finished, with the options that it was run
    with."""


def compare_command(words: Sequence[str]) -> None:
    """`ptde compare PLAN`."""
    from ptde.compare.plan import PLANS
    from ptde.compare.runner import collect, compare, finish_runs
    from ptde.compare.shard import Shard
    from ptde.jobs.progress import console
    from ptde.validation import check_range

    parsed = parse(Command, _with_address(words, PLANS), "compare")
    plan, name = _plan(parsed)
    check_range("workers", parsed.workers, 1, example=2)
    shard = None if parsed.shard is None else Shard.parse(parsed.shard)
    on_ray = _on_ray(parsed)
    out = parsed.out or Path("runs") / f"compare-{name}"
    if parsed.table_only:
        if shard:
            raise ValueError("the table is of all shards: leave out --shard")
        collect(plan, out)
        return
    plan.check_game(parsed.plan)
    if shard is None and on_ray is None:
        compare(plan, out, parsed.workers)
        return
    runs = finish_runs(plan, out, workers=parsed.workers, shard=shard, on_ray=on_ray)
    if shard is None:
        collect(plan, out)
        return
    console().print(
        f"shard {shard} is done, runs: {runs}. When all shards are, type "
        f"{_table_of(parsed, out)}",
        soft_wrap=True,
        markup=False,
    )


def _table_of(parsed: Command, out: Path) -> str:
    """The command that writes the table, with all that decides which runs are its own."""
    from ptde.trust import trusted_words

    words = ["ptde", "compare", parsed.plan, "--out", str(out)]
    if parsed.seeds is not None:
        words += ["--seeds", str(parsed.seeds)]
    if parsed.budget_scale != Command.budget_scale:
        words += ["--budget-scale", str(parsed.budget_scale)]
    words += ["--paper"] if parsed.paper else []
    words += ["--data", parsed.data] if parsed.data else []
    return shlex.join([*words, *trusted_words(), "--table-only"])


def _plan(parsed: Command):
    """The plan that was typed, and the name of its folder. ValueError for a wrong one."""
    from ptde.compare.plan import PLANS
    from ptde.compare.plan_file import read_plan
    from ptde.compare.runner import with_data, with_seeds
    from ptde.validation import check_range

    check_range("budget_scale", parsed.budget_scale, 0, open_low=True, example=0.05)
    if parsed.seeds is not None:
        check_range("seeds", parsed.seeds, 1, example=3)
    if parsed.plan in PLANS:
        plan, name = PLANS[parsed.plan][1], parsed.plan
        plan = plan.as_paper() if parsed.paper else plan
    else:
        path = Path(parsed.plan)
        plan, name = read_plan(path, _typed_run, paper=parsed.paper), path.stem
    if parsed.data:
        plan = with_data(plan, parsed.data)
    plan = with_seeds(plan, parsed.seeds).scaled(parsed.budget_scale)
    return plan, name + ("-paper" if parsed.paper else "")


def _with_address(words: Sequence[str], plans: Container[str]) -> list[str]:
    def plan(word: str) -> bool:
        return word in plans or word.endswith(".toml") or Path(word).is_file()

    return with_address(words, plan)


def _on_ray(parsed: Command):
    """The Ray cluster that was typed, or None. ValueError for what does not go with it."""
    from ptde.compare.ray_workers import OnRay

    if parsed.ray is None:
        for name in ("cpus", "gpus"):
            if getattr(parsed, name) is not None:
                raise ValueError(
                    f"--{name} is what each run gets of a Ray cluster: type --ray, too, or "
                    f"leave out --{name}"
                )
        return None
    if parsed.shard is not None:
        raise ValueError(
            "--ray divides the runs by itself: leave out --shard, which is for jobs that "
            "do not know of one another"
        )
    if parsed.workers > 1:
        raise ValueError(
            f"--ray runs as many at once as fit the cluster: type --cpus {parsed.workers} "
            "for the CPUs of each, or leave out --workers"
        )
    cpus = 1 if parsed.cpus is None else parsed.cpus
    on_ray = OnRay(parsed.ray, cpus, parsed.gpus or 0.0)
    on_ray.check()
    return on_ray


def _typed_run(words: Sequence[str]):
    """The run of options in the form that `ptde run` takes."""
    from ptde.config import Run

    words, start = start_of(words)
    return parse(Run, words, "run", start)
