"""Commands about many runs, and about what there is to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.cli.words import PlanWord, parse, start_of


def compare_command(words: Sequence[str]) -> None:
    """`ptde compare PLAN`."""
    from ptde.check import within
    from ptde.compare.plan import PLANS, read_plan
    from ptde.compare.runner import collect, compare, with_data, with_seeds

    @dataclass(frozen=True)
    class Command:
        """Runs methods x maps x seeds, and writes one table and the learning curves.

        What is finished in the folder is kept; the rest is run or resumed.
        """

        plan: PlanWord
        """table2 to table6, figure6, figure7, controls, or a TOML file; `ptde compare FILE`
        says what is wrong in it."""
        out: Path | None = None
        """The folder of the comparison; the default is runs/compare-PLAN, with -paper
        behind it for --paper."""
        seeds: int | None = None
        """How many seeds, >= 1; the default is the plan's."""
        budget_scale: float = 1.0
        """Share of every budget, for a quick look. > 0."""
        paper: bool = False
        """Start from the paper's values, as `ptde run --preset paper` does."""
        data: str = ""
        """The LETOR file or folder of figure6."""
        workers: int = 1
        """Runs of one seed that go on at once, each in a process on a core of its own;
        >= 1. On a CPU as many as there are cores is fastest; 1 runs the seeds of a cell in
        one program."""
        table_only: bool = False
        """Run nothing: write the table of what is finished."""

    parsed = parse(Command, words, "compare")
    within("budget_scale", parsed.budget_scale, 0, open_low=True, example=0.05)
    if parsed.seeds is not None:
        within("seeds", parsed.seeds, 1, example=3)
    if parsed.plan in PLANS:
        plan, name = PLANS[parsed.plan][1], parsed.plan
        plan = plan.as_paper() if parsed.paper else plan
    else:
        path = Path(parsed.plan)
        plan, name = read_plan(path, _typed_run, paper=parsed.paper), path.stem
    if parsed.data:
        plan = with_data(plan, parsed.data)
    within("workers", parsed.workers, 1, example=2)
    plan = with_seeds(plan, parsed.seeds).scaled(parsed.budget_scale)
    name += "-paper" if parsed.paper else ""
    out = parsed.out or Path("runs") / f"compare-{name}"
    if parsed.table_only:
        collect(plan, out)
        return
    plan.check_game(parsed.plan)
    compare(plan, out, parsed.workers)


def _typed_run(words: Sequence[str]):
    """The run of options as `ptde run` takes them."""
    from ptde.config import Run

    words, start = start_of(words)
    return parse(Run, words, "run", start)


def list_command(words: Sequence[str]) -> None:
    """`ptde list`."""
    from ptde.compare.plan import PLANS
    from ptde.config import Run
    from ptde.envs.registry import WORLDS
    from ptde.info import INFOS
    from ptde.jobs.progress import console
    from ptde.mixers import MIXERS
    from ptde.presets import PRESETS

    @dataclass(frozen=True)
    class Command:
        """Shows the worlds, maps, methods, parts, presets and comparisons there are."""

        map: str = WORLDS[Run.world].default
        """The SMAX map on which the methods' parameters are counted."""

    parsed = parse(Command, words, "list")
    out = console()
    for name, world in WORLDS.items():
        out.print(f"--world {name}  --map {' | '.join(world.maps()) or world.open}")
    out.print(_maps())
    out.print(_methods(parsed.map))
    for flag, parts in (("info", INFOS), ("mixer", MIXERS)):
        for name, part in parts.items():
            out.print(f"--{flag} {name}: {_first_line(part)}")
    for name, (text, _) in PRESETS.items():
        out.print(f"--preset {name}: {text}")
    for name, (text, _) in PLANS.items():
        out.print(f"ptde compare {name}: {text}")


def _maps():
    """Every map whose sizes are known before a game or a file is opened."""
    from rich.table import Table

    from ptde.envs.registry import WORLDS

    columns = (
        "--world",
        "--map",
        "time limit",
        "agents",
        "actions",
        "observation",
        "state",
    )
    table = Table(title="maps; a time limit is in joint steps of the world")
    for column in columns:
        word = column.startswith("--")
        table.add_column(column, justify="left" if word else "right", no_wrap=word)
    for world, family in WORLDS.items():
        for name in family.maps():
            if (sizes := family.sizes(name)) is not None:
                table.add_row(world, name, *map(str, sizes))
    return table


def _methods(map_name: str):
    from rich.table import Table

    from ptde.config import Run
    from ptde.methods import METHODS, parameters, run_of, student_parameters

    base = Run(map=map_name)
    spec = base.env().spec
    table = Table(title=f"methods; parameters of an agent on {map_name}")
    for column in ("--method", "name", "what it is", "reads at execution", "parameters"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for name, method in METHODS.items():
        count = student_parameters if method.role == "student" else parameters
        number = f"{count(run_of(name, base), spec):,}"
        table.add_row(name, method.name, method.about, method.reads, number)
    return table


def _first_line(part: object) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]
