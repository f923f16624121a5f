"""Cells of a comparison on the machines of a Ray cluster, each run a task of its own."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptde.cluster import at, check_address, check_alike, connected, environ
from ptde.compare.lease import Lost
from ptde.compare.ray_task import BLIND, Board, Job, finish
from ptde.compare.workers import LOOK, SAVED, Failures, ending
from ptde.jobs.interrupt import STOPPED, Interrupted, patient_interrupt
from ptde.jobs.progress import console
from ptde.trust import trusted_words
from ptde.validation import check_range

RETRIES = 100
"""How many machines a run may lose before the comparison gives it up."""


@dataclass(frozen=True)
class OnRay:
    """Where runs go, and what each gets."""

    address: str = ""
    """HOST:PORT of a cluster, ``auto`` for the one of this machine, ``local`` for a new
    one on it; "" is $RAY_ADDRESS, or this machine's, or a new one."""
    cpus: int = 1
    """CPUs of each run. >= 1."""
    gpus: float = 0.0
    """GPUs of each run. >= 0; less than 1 is a share of one."""

    def check(self) -> None:
        """Raises ValueError, with what to type, if it cannot be, or Ray is missing."""
        check_range("cpus", self.cpus, 1, example=2)
        check_range("gpus", self.gpus, 0, example=1)
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError(f"--gpus {self.gpus:g}: type a whole number, or less than 1")
        check_address(self.address)


def run_on_ray(
    folders: Sequence[Path],
    on: OnRay,
    look: Callable[[list[Path]], None],
    failures: Failures | None = None,
) -> None:
    """Finishes run folders as tasks of a Ray cluster; each writes its ``log.txt``.

    A run whose machine or worker is lost goes on from its checkpoint on another; one that
    ends badly by itself is not tried again.

    Args:
        folders: run folders that were created, on a disk that all machines see.
        on: the cluster, and what each run gets of it.
        look: called with the folders at work, every two seconds.
        failures: notes the runs that end badly.

    Raises:
        ValueError: there is no such cluster, no machine of it is large enough, or one does
            not see the folders or has another ptde.
        WorkerFailed: runs ended badly; all others are finished.
        Interrupted: Ctrl-C; every run was saved.
    """
    on.check()
    if not folders:
        return
    paths = [folder.absolute() for folder in folders]
    shown = dict(zip(map(str, paths), folders, strict=True))
    failures = failures or Failures()
    with connected(on.address) as ray, _marked(paths) as mark:
        job = _job(mark, on)
        _check_machines(ray, job)
        with patient_interrupt() as stop:
            here = ray.get_runtime_context().get_node_id()
            board = ray.remote(Board).options(num_cpus=0, **at(here)).remote()
            task = ray.remote(finish).options(
                num_cpus=on.cpus,
                num_gpus=on.gpus,
                max_retries=RETRIES,
                retry_exceptions=[Lost],
            )
            tasks = {task.remote(name, job, board): name for name in shown}
            places: dict[str, str] = {}
            try:
                while tasks:
                    if stop.requested:
                        raise Interrupted(SAVED)
                    at_work = ray.get(board.at_work.remote())
                    _say_moved(places, at_work)
                    left = set(tasks.values()) & at_work.keys()
                    look([path for name, path in shown.items() if name in left])
                    done, _ = ray.wait([*tasks], timeout=LOOK)
                    for ref in done:
                        _note_end(ray, ref, shown[tasks.pop(ref)], failures)
            except KeyboardInterrupt:
                raise Interrupted(SAVED) from None
            finally:
                _stop(ray, board, tasks)
    failures.check()


def _job(mark: Path, on: OnRay) -> Job:
    """What all runs have in common."""
    return Job(mark, on.cpus, on.gpus, tuple(trusted_words()), environ(), Path.cwd())


def _note_end(ray: Any, ref: Any, folder: Path, failures: Failures) -> None:
    """Notes a task's end if its run has ended badly.

    Raises:
        ValueError: its machine sees none of the run folders.
        Interrupted: it was told to stop.
    """
    try:
        status, text = ray.get(ref)
    except (ray.exceptions.RayError, Lost) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        failures.add(folder, "was given up by Ray", lines[-1])
        return
    if status == BLIND:
        raise ValueError(_blind(text, folder))
    if status == STOPPED:
        raise Interrupted(f"{folder} is saved; the same command goes on")
    if status:
        how = ending(status, "more --cpus, and fewer runs share a machine")
        failures.add(folder, how, text)


def _say_moved(places: dict[str, str], at_work: dict[str, str]) -> None:
    """Says which runs have gone on elsewhere since the last look, and notes where all are.

    Args:
        places: where each run was seen last; it is brought up to date.
        at_work: where each is now.
    """
    for name, where in at_work.items():
        if (before := places.get(name, where)) != where:
            line = f"{before} was lost: {name} goes on at {where}"
            console().print(line, soft_wrap=True, markup=False)
    places.update(at_work)


def _stop(ray: Any, board: Any, tasks: dict[Any, str]) -> None:
    """Leaves no run at work: each is asked to save, and waited for while it is there."""
    if not tasks:
        return
    ray.get(board.stop.remote())
    left = [*tasks]
    while left:
        at_work = ray.get(board.at_work.remote())
        for ref in left:
            if tasks[ref] not in at_work:  # it waits for a machine, or has lost one
                ray.cancel(ref)
        _, left = ray.wait(left, num_returns=len(left), timeout=1.0)
        left = [ref for ref in left if tasks[ref] in at_work]


@contextmanager
def _marked(folders: Sequence[Path]) -> Iterator[Path]:
    """A context with a file by which a machine is known to see the folders' own disk."""
    place = Path(os.path.commonpath([folder.parent for folder in folders]))
    mark = place / f".ray-{secrets.token_hex(8)}"
    mark.touch()
    try:
        yield mark
    finally:
        with suppress(OSError):
            mark.unlink()


def _check_machines(ray: Any, job: Job) -> None:
    """Raises ValueError unless some machine is large enough for a run, and all that are see
    the run folders and have the same ptde and JAX.
    """
    alive = [node for node in ray.nodes() if node["Alive"]]
    for name, wanted, option in (("CPU", job.cpus, "cpus"), ("GPU", job.gpus, "gpus")):
        most = max((node["Resources"].get(name, 0) for node in alive), default=0)
        if wanted > most:
            raise ValueError(
                f"--{option} {wanted:g}: the largest machine of the cluster has {most:g} "
                f"{name}s for Ray"
            )
    large = [
        node
        for node in alive
        if node["Resources"].get("CPU", 0) >= job.cpus
        and node["Resources"].get("GPU", 0) >= job.gpus
    ]
    if not large:
        raise ValueError(
            f"no machine of the cluster has {job.cpus} CPUs and {job.gpus:g} GPUs at once"
        )
    for host in check_alike(ray, large, str(job.mark)):
        raise ValueError(_blind(host, job.mark.parent))


def _blind(host: str, folder: Path) -> str:
    return (
        f"{host} does not see {folder}: type an --out on a disk that all machines of the "
        "cluster have at the same path, or start Ray there with --num-cpus 0"
    )
