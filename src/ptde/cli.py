"""The command line: argument handling and nothing else."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

Role = Literal["teacher", "student", "baseline"]
RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
FilePath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]

USAGE = """usage: ptde COMMAND [OPTIONS]      (ptde COMMAND --help says more)

  run               teach, distil, evaluate: table, curves, replay
  teach             stage 1 alone: train a team with global information
  distill RUN       stage 2 for a run that has a teacher
  evaluate RUN      test teacher, student and baseline on the same battles
  resume RUN        go on with a run that was stopped or killed
  replay RUN        draw a battle as an animated GIF
  rank RUN FILE     rank a LETOR file with a team that was taught to, in TREC's format
  compare PLAN      methods x maps x seeds: a table of the paper, or a plan in a file
  check WORLD       is a world of yours (module:callable) what it should be?
  doctor            what the real games need, and what to do about what is missing
  list              worlds, maps, methods with their sizes, info modules, mixers, presets
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status: 0 done, 1 failed, 2 bad input, 130 Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    from ptde.check import known
    from ptde.compare.workers import WorkerFailed
    from ptde.host import WorldFailed
    from ptde.run.interrupt import Interrupted
    from ptde.stages.teach import Diverged

    command, rest = words[0], words[1:]
    try:
        if command not in COMMANDS:
            known("command", command, COMMANDS)
        COMMANDS[command](rest)
    except (ValueError, OSError) as error:
        return _fail(f"error: {error}", 2)
    except (Diverged, WorkerFailed, WorldFailed) as error:
        return _fail(f"stopped: {error}", 1)
    except Interrupted as error:
        return _fail(f"stopped: {error}", 130)
    except KeyboardInterrupt:
        return _fail("stopped at once; `ptde resume RUN` goes on from the last save", 130)
    return 0


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


def _parse(kind: type, words: Sequence[str], command: str, default=None):
    return tyro.cli(
        kind,
        args=list(words),
        prog=f"ptde {command}",
        default=tyro.MISSING_NONPROP if default is None else default,
    )


def _configured(command: str, summary: str) -> Callable[[Sequence[str]], None]:
    def run_command(words: Sequence[str]) -> None:
        from ptde.config import Run
        from ptde.methods import METHODS, run_of
        from ptde.pipeline import run
        from ptde.presets import PRESETS

        words, name = _take("preset", _world_words(words), PRESETS)
        words, method = _take("method", words, METHODS)
        start = PRESETS[name][1] if name else _default_of(words)

        @dataclass(frozen=True)
        class Command(Run):
            out: Path | None = None
            """The run folder to write, which must not exist; the default is
            runs/WORLD-MAP-METHOD-SEED. Besides these options, --preset NAME and --method
            NAME set several at once (`ptde list` shows the names)."""

        Command.__doc__ = summary
        names = [field.name for field in dataclasses.fields(Run)]
        default = Command(**{n: getattr(start, n) for n in names})
        parsed = _parse(Command, words, command, default)
        config = Run(**{n: getattr(parsed, n) for n in names})
        if method:
            config = run_of(method, config)
        run(config, parsed.out, "teach" if command == "teach" else "run").show()

    return run_command


def _world_words(words: Sequence[str]) -> list[str]:
    """``env:NAME`` is ``--world NAME``, or ``--world host`` with a ``module:callable``;
    ``--env.OPTION`` is ``--OPTION``.
    """
    spelt: list[str] = []
    for word in words:
        if word.startswith("env:"):
            name = word.removeprefix("env:")
            program = ["--world", "host", "--map", name]
            spelt += program if ":" in name else ["--world", name]
        else:
            short = word.removeprefix("--env.")
            spelt.append(word if short == word else f"--{short}")
    return spelt


def _default_of(words: Sequence[str]) -> Any:
    """The ``Run`` that starts a run in the world that the words name."""
    from ptde.config import Run
    from ptde.envs.registry import WORLDS
    from ptde.presets import WORLD_DEFAULTS

    _, world = _take("world", words, WORLDS)
    world = world or Run.world
    return WORLD_DEFAULTS.get(world) or Run(world=world)


def _take(
    option: str, words: Sequence[str], names: Iterable[str]
) -> tuple[list[str], str | None]:
    """The words without ``--option NAME``, and the name, which must be one of ``names``."""
    from ptde.check import known

    flag = f"--{option}"
    words = [
        part
        for word in words
        for part in (word.split("=", 1) if word.startswith(flag + "=") else [word])
    ]
    if flag not in words:
        return words, None
    at = words.index(flag)
    if at + 1 == len(words):
        raise ValueError(f"{flag} needs a name; `ptde list` shows them")
    known(option, words[at + 1], names)
    return words[:at] + words[at + 2 :], words[at + 1]


def _distill(words: Sequence[str]) -> None:
    """Stage 2 for a run that has a teacher; an earlier student is replaced."""
    from ptde.config import load_run
    from ptde.pipeline import distill_run
    from ptde.stages.distill import DistillConfig

    # The run's own options are what an option that is not typed stays at.
    folders = [Path(word) for word in words if (Path(word) / "run.json").is_file()]
    saved = load_run(folders[0])[0].student if folders else DistillConfig()

    @dataclass(frozen=True)
    class Command:
        """Stage 2 for a run that has a teacher; an earlier student is replaced."""

        run: RunPath
        """The run folder."""
        student: DistillConfig = saved

    parsed = _parse(Command, words, "distill")
    config = dataclasses.replace(load_run(parsed.run)[0], student=parsed.student)
    distill_run(parsed.run, config).show()


def _evaluate(words: Sequence[str]) -> None:
    from ptde.check import within
    from ptde.pipeline import evaluate_run

    @dataclass(frozen=True)
    class Command:
        """Tests every finished role of a run on the same battles."""

        run: RunPath
        """The run folder."""
        episodes: int | None = None
        """Episodes of each role and seed, >= 1; the default is the run's own number."""

    parsed = _parse(Command, words, "evaluate")
    if parsed.episodes is not None:
        within("episodes", parsed.episodes, 1, example=256)
    evaluate_run(parsed.run, parsed.episodes).show()


def _resume(words: Sequence[str]) -> None:
    from ptde.pipeline import resume

    @dataclass(frozen=True)
    class Command:
        """Goes on with a run that was stopped or killed, to the same end."""

        run: RunPath
        """The run folder."""

    resume(_parse(Command, words, "resume").run).show()


def _replay(words: Sequence[str]) -> None:
    from ptde.check import within
    from ptde.pipeline import replay_run

    @dataclass(frozen=True)
    class Command:
        """Draws one battle of a team as an animated GIF."""

        run: RunPath
        """The run folder."""
        role: Role = "student"
        """Who plays."""
        episode: int = 0
        """Number of the battle, >= 0: each has another beginning."""
        seed: int | None = None
        """Which of the run's seeds plays; the default is its first."""
        out: Path | None = None
        """The file to write; the default is replay.gif in the run folder."""

    parsed = _parse(Command, words, "replay")
    within("episode", parsed.episode, 0, example=0)
    print(replay_run(parsed.run, parsed.role, parsed.episode, parsed.seed, parsed.out))


def _rank(words: Sequence[str]) -> None:
    from ptde.rank import rank_file

    @dataclass(frozen=True)
    class Command:
        """Ranks the documents of a LETOR file: `qid Q0 document rank score run` each."""

        run: RunPath
        """The run folder of a team that ranks (--world ranking)."""
        file: FilePath
        """The LETOR file, plain or gzip."""
        role: Role | None = None
        """Who ranks; the default is the student, if the run has one."""
        out: Path | None = None
        """The file to write; the default is FILE.run in the run folder."""
        seed: int | None = None
        """Which of the run's seeds ranks; the default is its first."""
        features: int = 0
        """Features of a row, >= 0; 0 takes the largest id in the file."""

    parsed = _parse(Command, words, "rank")
    p = parsed
    print(rank_file(p.run, p.file, p.role, p.out, p.seed, p.features))


def _compare(words: Sequence[str]) -> None:
    from ptde.check import within
    from ptde.compare.plan import PLANS, read_plan
    from ptde.compare.runner import collect, compare, with_data, with_seeds
    from ptde.config import Run

    @dataclass(frozen=True)
    class Command:
        """Runs methods x maps x seeds, and writes one table and the learning curves.

        What is finished in the folder is kept; the rest is run or resumed.
        """

        plan: Annotated[str, tyro.conf.Positional]
        """table2, table4, table5, table6, figure6, controls, or a TOML file; `ptde compare
        FILE` says what is wrong in it."""
        out: Path | None = None
        """The folder of the comparison; the default is runs/compare-PLAN."""
        seeds: int | None = None
        """How many seeds, >= 1; the default is the plan's."""
        budget_scale: float = 1.0
        """Share of every budget, for a quick look. > 0."""
        data: str = ""
        """The LETOR file or folder of figure6."""
        workers: int = 1
        """Runs of one seed that go on at once, each in a process on a core of its own;
        >= 1. On a CPU as many as there are cores is fastest; 1 runs the seeds of a cell in
        one program."""
        table_only: bool = False
        """Run nothing: write the table of what is finished."""

    parsed = _parse(Command, words, "compare")
    within("budget_scale", parsed.budget_scale, 0, open_low=True, example=0.05)
    if parsed.seeds is not None:
        within("seeds", parsed.seeds, 1, example=3)
    if parsed.plan in PLANS:
        plan, name = PLANS[parsed.plan][1], parsed.plan
    else:
        path = Path(parsed.plan)
        parse = lambda words: _parse(Run, words, "run", _default_of(words))  # noqa: E731
        plan, name = read_plan(path, parse), path.stem
    if parsed.data:
        plan = with_data(plan, parsed.data)
    within("workers", parsed.workers, 1, example=2)
    plan = with_seeds(plan, parsed.seeds).scaled(parsed.budget_scale)
    out = parsed.out or Path("runs") / f"compare-{name}"
    if parsed.table_only:
        collect(plan, out)
    else:
        compare(plan, out, parsed.workers)


def _check(words: Sequence[str]) -> None:
    from ptde.check import within
    from ptde.envs.settings import HostConfig
    from ptde.host.adapt import make
    from ptde.host.check import check
    from ptde.run.progress import console

    @dataclass(frozen=True)
    class Command:
        """Plays a world of yours at random, and reports all that is wrong with it."""

        world: Annotated[str, tyro.conf.Positional]
        """module:callable, such as my_game:MyGame for the class MyGame in my_game.py."""
        steps: int = 300
        """Random joint steps, >= 1."""
        kwargs: str = ""
        """Keyword arguments of the callable, as JSON."""

    parsed = _parse(Command, words, "check")
    within("steps", parsed.steps, 1, example=300)
    sys.path.insert(0, str(Path.cwd()))
    arguments = HostConfig(parsed.kwargs).arguments()
    report = check(make(parsed.world, arguments, 0), parsed.steps)
    for line in report.lines():
        console().print(line, markup=False, soft_wrap=True)
    if report.violations:
        raise ValueError(f"{parsed.world} breaks {len(report.violations)} rule(s)")
    console().print(f"all is well: ptde run env:{parsed.world}", soft_wrap=True)


def _doctor(words: Sequence[str]) -> None:
    from ptde.host.doctor import GAMES
    from ptde.run.progress import console

    @dataclass(frozen=True)
    class Command:
        """Looks for every part that the real games need, and says what to do."""

    _parse(Command, words, "doctor")
    for game, parts in GAMES.items():
        console().print(f"--world {game}")
        for part in parts():
            text = "ok      " if part.there else "missing "
            advice = "" if part.there else f": {part.what_to_do}"
            console().print(f"  {text} {part.name}{advice}", markup=False, soft_wrap=True)


def _list(words: Sequence[str]) -> None:
    from ptde.compare.plan import PLANS
    from ptde.config import Run
    from ptde.envs.registry import WORLDS
    from ptde.info import INFOS
    from ptde.mixers import MIXERS
    from ptde.presets import PRESETS
    from ptde.run.progress import console

    @dataclass(frozen=True)
    class Command:
        """Shows the worlds, maps, methods, parts, presets and comparisons there are."""

        map: str = WORLDS[Run.world].default
        """The SMAX map on which the methods' parameters are counted."""

    parsed = _parse(Command, words, "list")
    out = console()
    for name, world in WORLDS.items():
        out.print(f"--world {name}  --map {' | '.join(world.maps()) or world.open}")
    out.print(_methods(parsed.map))
    for flag, parts in (("info", INFOS), ("mixer", MIXERS)):
        for name, part in parts.items():
            out.print(f"--{flag} {name}: {_first_line(part)}")
    for name, (text, _) in PRESETS.items():
        out.print(f"--preset {name}: {text}")
    for name, (text, _) in PLANS.items():
        out.print(f"ptde compare {name}: {text}")


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


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "run": _configured("run", "Teach, distil, evaluate: the whole of PTDE."),
    "teach": _configured("teach", "Stage 1 alone: train a team."),
    "distill": _distill,
    "evaluate": _evaluate,
    "resume": _resume,
    "replay": _replay,
    "rank": _rank,
    "compare": _compare,
    "check": _check,
    "doctor": _doctor,
    "list": _list,
}


def entry() -> None:
    """The ``ptde`` command."""
    sys.exit(main())
