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
import ctypes, sys
if sys.platform == "linux":  # SIGTERM, which saves the run, if the parent dies
    ctypes.CDLL(None).prctl(1, 15)
from ptde.cli import entry
entry(["resume", *sys.argv[1:]])
"""
LOOK = 2.0
"""Seconds between two polls of the processes."""


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
                raise Interrupted("the runs are saved; the same command goes on")
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
                    end = (folder / "log.txt").read_text()[-2000:]
                    raise WorkerFailed(f"{folder} failed:\n{end}")


def _start(folder: Path, core: int) -> subprocess.Popen:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    with open(folder / "log.txt", "a") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", RESUME, str(folder), *trusted_words()],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "XLA_FLAGS": flags},
            start_new_session=True,  # a terminal's Ctrl-C comes once, from here
        )
    if core >= 0:
        psutil.Process(process.pid).cpu_affinity([core])
    return process


@contextmanager
def _stopped_at_the_end(
    running: dict[Path, tuple[subprocess.Popen, int]],
) -> Iterator[None]:
    """A context that leaves no process: each is asked to save, and waited for."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("the runs are saved; the same command goes on") from None
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
