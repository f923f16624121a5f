"""The command line: argument handling and nothing else."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ptde.cli.actors import COMMANDS as PLAYED
from ptde.cli.actors import playing
from ptde.cli.compare import compare_command
from ptde.cli.devices import COMMANDS as DIVIDED
from ptde.cli.devices import began_on, prepare_devices, take_devices
from ptde.cli.diagnose import diagnose_command
from ptde.cli.export import export_command
from ptde.cli.listing import list_command
from ptde.cli.refusals import unknown_command
from ptde.cli.runs import (
    configured,
    distill_command,
    evaluate_command,
    finetune_command,
    rank_command,
    replay_command,
    report_command,
    resume_command,
)
from ptde.cli.worlds import check_command, doctor_command

USAGE = """usage: ptde COMMAND [OPTIONS]      (ptde COMMAND --help says more)

  run               teach, distil, fine-tune, evaluate: table, curves, replay
  teach             stage 1 alone: train a team with global information
  distill RUN       stages 2 and 3 for a run that has a teacher
  finetune RUN      stage 3 for a run that has a student
  evaluate RUN      test teacher, student, fine-tuned team and baseline on the same battles
  resume RUN        go on with a run that was stopped or killed, or with more --steps
  replay RUN        draw a battle as an animated GIF, or (--early-late) two moments of it
  diagnose RUN      what the student lacks of its teacher, and which option to try
  export RUN        carry the team off: a folder that plays without ptde or JAX
  report RUN        one HTML file of a run or a comparison: curves, tables, battles to watch
  rank RUN FILE     rank a LETOR file with a team that was taught to, in TREC's format
  compare PLAN      methods x maps x seeds: a table of the paper, or a plan in a file
  check WORLD       is a world of yours (module:callable) what it should be?
  doctor            what the real games need, and what to do about what is missing
  list              worlds, maps, methods with their sizes, info modules, mixers, presets

Commands that train, test or film take --devices N: GPUs, or cores of a CPU, over which one
run is divided; all of them by default. Those that train or test one run take --ray
[HOST:PORT] and --actors N, too: the copies of a world in processes are then played on the
machines of a Ray cluster. ptde --version says which ptde this is.
"""


def main(arguments: Sequence[str] | None = None, *, all_devices: bool = False) -> int:
    """Runs one command; the exit status: 0 done, 1 failed, 2 bad input, 130 stopped by
    Ctrl-C or SIGTERM.

    Args:
        arguments: the words; None takes those of this process.
        all_devices: whether a run is divided over all devices where no number is typed.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help"):
        print(USAGE)
        return 0 if words else 2
    if words[0] == "--version":
        from ptde import __version__

        print(f"ptde {__version__}")
        return 0
    from ptde.compare.workers import WorkerFailed
    from ptde.jobs.interrupt import STOPPED, Interrupted
    from ptde.jobs.job import Diverged
    from ptde.processes import WorldFailed
    from ptde.trust import own_place, split_words, trusting

    command, rest = words[0], words[1:]
    try:
        if command not in COMMANDS:
            raise ValueError(unknown_command(command, COMMANDS))
        if command in DIVIDED:
            rest, number = take_devices(rest)
            if number or (all_devices and not {"-h", "--help"} & {*rest}):
                prepare_devices(number, began_on(rest))
        with ExitStack() as around:
            if command in PLAYED:
                rest = around.enter_context(playing(rest))
            if command in READERS:
                rest, targets = split_words(rest)
                if targets is not None:
                    around.enter_context(trusting(*targets))
            COMMANDS[command](rest)
    except (ValueError, OSError) as error:
        return _fail(f"error: {error}{own_place(error)}", 2)
    except (Diverged, WorkerFailed, WorldFailed) as error:
        return _fail(f"stopped: {error}", 1)
    except Interrupted as error:
        return _fail(f"stopped: {error}", STOPPED)
    except KeyboardInterrupt:
        return _fail(
            "stopped at once; `ptde resume RUN` goes on from the last save", STOPPED
        )
    return 0


def _fail(message: str, status: int) -> int:
    print(message, file=sys.stderr)
    return status


COMMANDS: dict[str, Callable[[Sequence[str]], None]] = {
    "run": configured("run", "Teach, distil, fine-tune, evaluate: the whole of PTDE."),
    "teach": configured("teach", "Stage 1 alone: train a team."),
    "distill": distill_command,
    "finetune": finetune_command,
    "evaluate": evaluate_command,
    "resume": resume_command,
    "replay": replay_command,
    "diagnose": diagnose_command,
    "export": export_command,
    "report": report_command,
    "rank": rank_command,
    "compare": compare_command,
    "check": check_command,
    "doctor": doctor_command,
    "list": list_command,
}


READERS = frozenset(COMMANDS) - {"run", "teach", "check", "doctor", "list"}
"""Commands that read what somebody else may have written: folders, and plans."""


def entry(arguments: Sequence[str] | None = None) -> None:
    """The ``ptde`` command."""
    from ptde.jobs.interrupt import hearing

    hearing()
    sys.exit(main(arguments, all_devices=True))
