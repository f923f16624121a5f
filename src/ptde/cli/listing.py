"""The command ``ptde list``."""

from collections.abc import Sequence
from dataclasses import dataclass

from ptde.cli.arguments import parse


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
    """The table of the maps whose sizes are known before a game or a file is opened."""
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

    from ptde import build
    from ptde.config import Run
    from ptde.methods import METHODS, parameters, run_of, student_parameters

    base = Run(map=map_name)
    spec = build.world(base).spec
    table = Table(title=f"methods; parameters of an agent on {map_name}")
    for column in ("--method", "name", "what it is", "reads at execution", "parameters"):
        table.add_column(column, justify="right" if column == "parameters" else "left")
    for name, method in METHODS.items():
        count = parameters if method.role == "teacher" else student_parameters
        number = f"{count(run_of(name, base), spec):,}"
        table.add_row(name, method.name, method.about, method.reads, number)
    return table


def _first_line(part: object) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]
