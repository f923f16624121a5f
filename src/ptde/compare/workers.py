"""Cells of a comparison side by side, each in a process on a core of its own.

On a CPU, two runs of one thread each do about 1.5 times as much as one run of two threads.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from ptde.jobs.interrupt import STOPPED, Interrupted, patient_interrupt
from ptde.jobs.record import Record
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
    """A run in a process of its own ended badly; the message holds the end of its log."""


def run_side_by_side(
    folders: Sequence[Path], workers: int, look: Callable[[list[Path]], None]
) -> None:
    """Finishes run folders, ``workers`` at a time; each writes ``log.txt`` in its folder.

    Args:
        folders: run folders that were created.
        workers: number of processes at once.
        look: called with the folders at work, every two seconds.

    Raises:
        WorkerFailed: a run ended badly; the others were stopped, and saved.
        Interrupted: Ctrl-C; every run was saved.
    """
    waiting = list(folders)
    cores = (
        psutil.Process().cpu_affinity() if hasattr(psutil.Process, "cpu_affinity") else []
    )
    free = [cores[i % len(cores)] if cores else -1 for i in range(workers)]
    running: dict[Path, tuple[subprocess.Popen, int]] = {}
    with patient_interrupt() as stop, _stopped_at_the_end(running):
        while waiting or running:
            if stop.requested:
                raise Interrupted(SAVED)
            while waiting and free:
                core, folder = free.pop(0), waiting.pop(0)
                running[folder] = _start(folder, core), core
            look(list(running))
            time.sleep(LOOK)
            for folder, (process, core) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[folder]
                free.append(core)
                if process.returncode == STOPPED:
                    raise Interrupted(f"{folder} is saved; the same command goes on")
                if process.returncode:
                    raise WorkerFailed(f"{folder} failed:\n{end_of_log(folder)}")


def _start(folder: Path, core: int) -> subprocess.Popen:
    environ = {**os.environ, "XLA_FLAGS": one_thread(os.environ.get("XLA_FLAGS", ""))}
    words = (*trusted_words(), "--devices", "1")
    process = start(folder, words, environ, signal.SIGTERM)
    if core >= 0:
        psutil.Process(process.pid).cpu_affinity([core])
    return process


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


def one_thread(flags: str) -> str:
    """XLA's flags with the one that keeps its matrix products on a single thread."""
    return f"{flags} --xla_cpu_multi_thread_eigen=false".strip()


def end_of_log(folder: Path) -> str:
    """The last 2,000 characters of a run's ``log.txt``."""
    return (folder / "log.txt").read_text(errors="replace")[-2000:]


@contextmanager
def _stopped_at_the_end(
    running: dict[Path, tuple[subprocess.Popen, int]],
) -> Iterator[None]:
    """A context that leaves no process: each is asked to save, and waited for."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(SAVED) from None
    finally:
        for process, _ in running.values():
            process.send_signal(signal.SIGTERM)  # SIGINT may be ignored at first
        for process, _ in running.values():
            process.wait()


def last_row(folder: Path) -> str:
    """The progress of a running cell, from its newest test."""
    for role in ("student", "teacher"):
        path = folder / role / "record.jsonl"
        rows = Record(path).rows() if path.exists() else []
        if rows:
            return f"{role} {rows[-1]['steps'] / 1e3:,.0f}k steps"
    return "begins"
