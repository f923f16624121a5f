"""Cells of a comparison side by side, each in a process on a core of its own.

On a CPU, two runs of one thread each do about 1.5 times as much as one run of two threads.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil

from ptde.compare.cores import cores
from ptde.jobs.interrupt import STOPPED, Interrupted, patient_interrupt
from ptde.jobs.progress import say
from ptde.jobs.record import Record, Row
from ptde.rollout.devices import one_thread
from ptde.trust import trusted_words

RESUME = """
import ctypes, os, sys
number, parent = map(int, sys.argv[1:3])
if sys.platform == "linux":  # the signal that comes if the parent dies
    ctypes.CDLL(None).prctl(1, number)
if os.getppid() != parent:  # it has died before
    sys.exit(130)
from ptde.cli import entry
entry(["resume", *sys.argv[3:]])
"""
LOOK = 2.0
"""Seconds between two polls of the processes."""
SAVED = "the runs are saved; the same command goes on"


class WorkerFailed(Exception):
    """Runs of a comparison ended badly; the message names each, and says why."""


class Failures:
    """The runs of a comparison that ended badly, while the others go on."""

    def __init__(self) -> None:
        self.texts: dict[Path, str] = {}
        """What to say of each, by its run folder."""

    def add(self, folder: Path, how: str, why: str) -> None:
        """Notes a run, and says so at once: the others may take days.

        Args:
            folder: the run folder.
            how: how it ended, to follow its name.
            why: its error, or the end of its log.
        """
        say(f"{folder} {how}; the others go on")
        self.texts[folder] = f"{folder} {how}:\n{why.rstrip()}"

    def check(self) -> None:
        """Raises WorkerFailed, once all others are finished, if any run ended badly."""
        if self.texts:
            raise WorkerFailed(
                f"runs that failed: {len(self.texts)}. All others are finished: the same "
                "command tries again, and with --table-only it writes the tables of what "
                "there is\n" + "\n".join(self.texts.values())
            )


def ending(status: int, fewer: str) -> str:
    """How a run's process ended badly, to follow its name.

    Args:
        status: its exit status; -N if signal N ended it.
        fewer: what to type so that fewer runs share the memory.
    """
    if status == -signal.SIGKILL:
        return f"was ended by signal 9: out of memory? (type {fewer})"
    if status < 0:
        return f"was ended by signal {-status} ({signal.strsignal(-status)})"
    return f"failed with exit status {status}"


def run_side_by_side(
    folders: Sequence[Path],
    workers: int,
    look: Callable[[list[Path]], None],
    failures: Failures | None = None,
) -> None:
    """Finishes run folders, ``workers`` at a time; each writes ``log.txt`` in its folder.

    Args:
        folders: run folders that were created.
        workers: number of processes at once.
        look: called with the folders at work, every two seconds.
        failures: notes the runs that end badly.

    Raises:
        WorkerFailed: runs ended badly; all others are finished.
        Interrupted: Ctrl-C; every run was saved.
    """
    waiting, failures = list(folders), failures or Failures()
    running: dict[Path, Worker] = {}
    with patient_interrupt() as stop, _stopped_at_the_end(running):
        while waiting or running:
            if stop.requested:
                raise Interrupted(SAVED)
            while waiting and len(running) < workers:
                folder = waiting.pop(0)
                running[folder] = _start(folder)
            look(list(running))
            time.sleep(LOOK)
            for folder, (process, core) in list(running.items()):
                if (status := process.poll()) is None:
                    continue
                del running[folder]
                core.close()
                if status == STOPPED:
                    raise Interrupted(f"{folder} is saved; the same command goes on")
                if status:
                    how = ending(status, "fewer --workers")
                    failures.add(folder, how, end_of_log(folder))
    failures.check()


Worker = tuple[subprocess.Popen, ExitStack]
"""A run's process, and its hold on a core."""


def _start(folder: Path) -> Worker:
    """Starts a run on a core of its own; on any, while all are taken."""
    environ = {**os.environ, "XLA_FLAGS": one_thread(os.environ.get("XLA_FLAGS", ""))}
    words = (*trusted_words(), "--devices", "1")
    with ExitStack() as held:
        mine = held.enter_context(cores(1))
        process = start(folder, words, environ, signal.SIGTERM)
        with suppress(psutil.NoSuchProcess):  # it has ended already
            if mine:
                psutil.Process(process.pid).cpu_affinity(mine)
        return process, held.pop_all()


def start(
    folder: Path,
    words: Sequence[str],
    environ: dict[str, str],
    deadly: int,
    cwd: Path | None = None,
) -> subprocess.Popen:
    """Starts `ptde resume` in a process of its own, which adds to ``log.txt``.

    Args:
        folder: the run folder.
        words: more words of the command.
        environ: the process's environment.
        deadly: the signal that it gets if this thread ends: SIGTERM saves the run.
        cwd: the folder to start it in; None is this process's.
    """
    parent = [str(int(deadly)), str(os.getpid())]
    with open(folder / "log.txt", "a") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-c", RESUME, *parent, str(folder), *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            cwd=cwd,
            start_new_session=True,  # a terminal's Ctrl-C comes once, from here
        )


def end_of_log(folder: Path) -> str:
    """The last 2,000 characters of a run's ``log.txt``."""
    return (folder / "log.txt").read_text(errors="replace")[-2000:]


@contextmanager
def _stopped_at_the_end(running: dict[Path, Worker]) -> Iterator[None]:
    """A context that leaves no process: each is asked to save, and waited for."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(SAVED) from None
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGTERM)  # SIGINT may be ignored at first
        for process, core in running.values():
            process.wait()
            core.close()


def last_row(folder: Path) -> str:
    """The progress of a running cell, from its newest test."""
    role, row = _newest(folder)
    return f"{role} {row['steps'] / 1e3:,.0f}k steps" if row else "begins"


def played(folder: Path) -> int:
    """Joint steps that a cell has done, by its newest test."""
    _, row = _newest(folder)
    return row["joint_steps"] * len(row["win_rate"]) if row else 0


def _newest(folder: Path) -> tuple[str, Row | None]:
    """The newest test of a run, and its role."""
    for role in ("finetuned", "student", "teacher"):
        path = folder / role / "record.jsonl"
        rows = Record(path).rows() if path.exists() else []
        if rows:
            return role, rows[-1]
    return "", None
