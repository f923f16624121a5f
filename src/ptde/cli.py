"""The command line: argument handling and nothing else."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

Role = Literal["teacher", "student", "baseline"]
RunPath = Annotated[Path, tyro.conf.Positional]

USAGE = """usage: ptde COMMAND [OPTIONS]      (ptde COMMAND --help says more)

  run               teach, distil, evaluate: table, curves, replay
  teach             stage 1 alone: train a team with global information
  distill RUN       stage 2 for a run that has a teacher
  evaluate RUN      test teacher, student and baseline on the same battles
  resume RUN        go on with a run that was stopped or killed
  replay RUN        draw a battle as an animated GIF
  list              worlds, maps, info modules, mixers, presets
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status: 0 done, 1 failed, 2 bad input, 130 Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    from ptde.check import known
    from ptde.run.interrupt import Interrupted
    from ptde.stages.teach import Diverged

    command, rest = words[0], words[1:]
    try:
        if command not in COMMANDS:
            known("command", command, COMMANDS)
        COMMANDS[command](rest)
    except (ValueError, OSError) as error:
        return _fail(f"error: {error}", 2)
    except Diverged as error:
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
        from ptde.pipeline import run
        from ptde.presets import PRESETS

        words, name = _take_preset(words)
        start = PRESETS[name][1] if name else Run()

        @dataclass(frozen=True)
        class Command(Run):
            out: Path | None = None
            """The run folder to write, which must not exist; the default is
            runs/WORLD-MAP-METHOD-SEED."""

        Command.__doc__ = summary
        names = [field.name for field in dataclasses.fields(Run)]
        default = Command(**{n: getattr(start, n) for n in names})
        parsed = _parse(Command, words, command, default)
        config = Run(**{n: getattr(parsed, n) for n in names})
        run(config, parsed.out, "teach" if command == "teach" else "run").show()

    return run_command


def _take_preset(words: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without ``--preset NAME``, and the name."""
    from ptde.check import known
    from ptde.presets import PRESETS

    words = [w for word in words for w in _split_preset(word)]
    if "--preset" not in words:
        return words, None
    at = words.index("--preset")
    if at + 1 == len(words):
        raise ValueError("--preset needs a name; `ptde list` shows them")
    known("preset", words[at + 1], PRESETS)
    return words[:at] + words[at + 2 :], words[at + 1]


def _split_preset(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--preset=") else [word]


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


def _list(words: Sequence[str]) -> None:
    from ptde.envs.registry import WORLDS
    from ptde.info import INFOS
    from ptde.mixers import MIXERS
    from ptde.presets import PRESETS
    from ptde.run.progress import console

    @dataclass(frozen=True)
    class Command:
        """Shows the worlds, maps, info modules, mixers and presets there are."""

    _parse(Command, words, "list")
    out = console()
    for name, world in WORLDS.items():
        out.print(f"--world {name}  --map {' | '.join(world.maps())}")
    for flag, parts in (("info", INFOS), ("mixer", MIXERS)):
        for name, part in parts.items():
            out.print(f"--{flag} {name}: {_first_line(part)}")
    for name, (text, _) in PRESETS.items():
        out.print(f"--preset {name}: {text}")


def _first_line(part: object) -> str:
    return (part.__doc__ or "").strip().splitlines()[0]


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "run": _configured("run", "Teach, distil, evaluate: the whole of PTDE."),
    "teach": _configured("teach", "Stage 1 alone: train a team."),
    "distill": _distill,
    "evaluate": _evaluate,
    "resume": _resume,
    "replay": _replay,
    "list": _list,
}


def entry() -> None:
    """The ``ptde`` command."""
    sys.exit(main())
