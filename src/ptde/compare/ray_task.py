"""What a Ray worker does for one run: it starts `ptde resume`, and watches over it.

The run is a process of its own, so that JAX starts afresh with the cores or GPUs of its
task, and a Ray worker needs none of it. The process dies with its Ray worker, at once and
without a save: Ray may have given the run to another machine already.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from ptde.compare.cores import cores
from ptde.compare.lease import Lease
from ptde.compare.workers import end_of_log, start
from ptde.files import LOCK, Held, locked
from ptde.jobs.interrupt import STOPPED

BLIND = -1000
"""Status of a run whose folder the worker's machine does not see."""
SILENT = 15.0
"""Seconds after which a task that was not heard of is taken for lost."""
ANSWER = 5.0
"""Seconds that a task waits for the comparison's answer; much less than a lease lasts."""
POLL = 1.0
"""Seconds between two looks at the process."""


@dataclass(frozen=True)
class Job:
    """What all runs of a comparison have in common."""

    mark: Path
    """A file that a machine sees if it has the comparison's disk."""
    cpus: int
    gpus: float
    words: tuple[str, ...] = ()
    """More words of `ptde resume`."""
    environ: dict[str, str] = field(default_factory=dict)
    """Variables that hold on every machine."""
    cwd: Path = Path("/")
    """The folder where the comparison was started, in which the user's modules may be."""

    @property
    def devices(self) -> int:
        """JAX's devices over which each run is divided: its GPUs, or else its cores."""
        return max(1, int(self.gpus)) if self.gpus else self.cpus

    def environment(self) -> dict[str, str]:
        """The environment of a run on this machine, in one of Ray's workers."""
        here = {**os.environ, **self.environ}
        paths = [self.environ.get("PYTHONPATH"), os.environ.get("PYTHONPATH")]
        if any(paths):
            here["PYTHONPATH"] = os.pathsep.join(filter(None, dict.fromkeys(paths)))
        if not self.gpus:
            here["JAX_PLATFORMS"] = "cpu"
        elif self.gpus < 1:  # several runs share one, and JAX takes most of it at once
            share = f"{0.9 * self.gpus:.2f}"
            here.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", share)
        return here


class Board:
    """The actor through which a comparison and its tasks hear of one another."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[float, str]] = {}
        self.stopping = False

    def hear(self, folder: str, where: str) -> bool:
        """A task says, for a run folder, that it is there; whether it is to stop."""
        self.heard[folder] = time.monotonic(), where
        return self.stopping

    def at_work(self) -> dict[str, str]:
        """The run folders whose tasks were heard of in the last seconds, and where they
        are.
        """
        since = time.monotonic() - SILENT
        return {name: where for name, (last, where) in self.heard.items() if last > since}

    def stopped(self) -> bool:
        """Whether tasks are to stop, for one that waits."""
        return self.stopping

    def stop(self) -> None:
        """From now on all tasks are told to stop."""
        self.stopping = True


class _Told(Exception):
    """The task was told to stop before its run was started."""


def finish(name: str, job: Job, board: Any) -> tuple[int, str]:
    """Finishes a run folder, in one of Ray's workers.

    Args:
        name: the run folder.
        job: what all runs have in common.
        board: the ``Board``.

    Returns:
        The exit status of `ptde resume`, or ``BLIND``; and the end of its log, or what is
        wrong.

    Raises:
        Lost: this machine was out of reach for so long that another may have the run.
    """
    import ray

    folder, node = Path(name), ray.get_runtime_context().get_node_id()[:8]
    where = f"{socket.gethostname()} (Ray node {node})"

    def answer(question: Any) -> bool:
        try:
            return ray.get(question, timeout=ANSWER)
        except (ray.exceptions.GetTimeoutError, ray.exceptions.ActorUnavailableError):
            return False  # out of reach: the lease decides whether the run may go on

    def told() -> bool:
        return answer(board.hear.remote(name, where))

    def wait(seconds: float) -> None:  # unheard: another may still be at work there
        if answer(board.stopped.remote()):
            raise _Told
        time.sleep(seconds)

    lease = None
    try:
        wait(0)
        if not (job.mark.exists() and folder.exists()):
            return BLIND, socket.gethostname()
        lease = Lease(folder)
        lease.take(wait)
        if wrong := _locked_by_another(folder, lease, wait):
            return 2, wrong
        return _run(folder, job, lease, told, where)
    except _Told:
        return STOPPED, ""
    finally:
        if lease is not None:
            lease.give_back()


def _run(
    folder: Path, job: Job, lease: Lease, told: Callable[[], bool], where: str
) -> tuple[int, str]:
    """Runs `ptde resume` to its end; the exit status, and the end of its log."""
    with cores(job.cpus) as mine:
        _note(folder, job, mine, where)
        cwd = job.cwd if job.cwd.is_dir() else None
        words = (*job.words, "--devices", str(job.devices))
        process = start(folder, words, job.environment(), signal.SIGKILL, cwd)
        try:
            if mine:
                psutil.Process(process.pid).cpu_affinity(mine)
            lease.about["run"] = process.pid
            asked = False
            while process.poll() is None:
                lease.check()
                if told() and not asked:
                    asked = True
                    process.send_signal(signal.SIGTERM)
                time.sleep(POLL)
        except psutil.NoSuchProcess:
            pass  # it has ended already
        finally:
            _end(process)
    return process.wait(), end_of_log(folder)


def _note(folder: Path, job: Job, mine: list[int], where: str) -> None:
    """Adds a line to a run's ``log.txt``: when and where it is at work from now on."""
    what = f"cores {', '.join(map(str, mine))}" if mine else f"{job.cpus} CPUs"
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES") if job.gpus else None
    what += f", GPU {gpus}" if gpus else ""
    with open(folder / "log.txt", "a") as log:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} on {where}: {what}", file=log)


def _end(process: subprocess.Popen) -> None:
    """Kills a process that still runs: who comes here so may have lost the run."""
    if process.poll() is None:
        process.kill()
        process.wait()


def _locked_by_another(folder: Path, lease: Lease, wait: Callable[[float], None]) -> str:
    """Waits until nobody holds the run's lock; else what is in the way.

    The lock of a process whose lease has run out is removed: that process was killed, and
    its machine, which should say so to the disk's server, may be gone.
    """
    path, until = folder / LOCK, time.monotonic() + lease.stale
    while True:
        try:
            with locked(path):
                return ""
        except Held as held:
            lease.check()
            if time.monotonic() < until:
                wait(POLL)
            elif str(held) == f"{lease.before.get('run')} on {lease.before.get('host')}":
                path.unlink(missing_ok=True)
            else:
                return (
                    f"{folder} is being trained by process {held}: wait for it, or stop it "
                    f"there; if that machine is gone, remove {path}"
                )
