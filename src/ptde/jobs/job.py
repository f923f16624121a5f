"""The one loop of all work that can be resumed: teaching, and every kind of distilling.

A job is done in periods. After each it is tested, the results are recorded, and now and
then it is saved; a job that was killed resumes from its checkpoint, to the same bits.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Array, PyTree

from ptde.files import writing
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.interrupt import Interrupted, patient_interrupt
from ptde.jobs.progress import Tracker
from ptde.jobs.record import Record, Row
from ptde.rollout.ahead import Ahead, compile_all

S = TypeVar("S", bound=PyTree)

OnRow = Callable[[Row], None]
"""A function that is called with each new row of the record."""


class Diverged(Exception):
    """A loss or gradient was not finite; the message says where, and what to do."""


@dataclass(frozen=True)
class Job(Generic[S]):
    """The work of a period, its test, and how both are counted."""

    name: str
    unit: str
    """Unit of all counts: joint steps or gradient steps."""
    ends: Sequence[int]
    """The count at the end of each period."""
    start: Callable[[], S]
    """The state before the first period."""
    shapes: Callable[[], S]
    """Its shapes, for which nothing is computed, and where its arrays are to lie."""
    advance: Callable[[S, int], tuple[S, Mapping[str, Array | np.ndarray]]]
    """``advance(state, units)``: the state after them, and metrics [seeds, iterations]."""
    test: Callable[[S, int], dict[str, Array]]
    """``test(state, count)``: the results of a test, [seeds] each."""
    text: Callable[[Row], str]
    """The most important numbers of a row, for the progress bar."""
    save_every: int
    """Units between checkpoints."""
    joint: Callable[[int], int]
    """Joint steps of all stages so far, at a count."""
    ahead: Callable[[bool], Ahead] = lambda anew: ()
    """What to compile first; the start's program, too, if the job begins ``anew``."""
    one_program: bool = True
    """``advance`` compiles one program, and returns as soon as that is at work."""


def run_job(job: Job[S], folder: Path, on_row: Iterable[OnRow] = ()) -> S:
    """Does a job, from the newest checkpoint in ``folder`` on if there is one.

    Writes ``record.jsonl`` and ``checkpoints/`` there.

    Returns:
        The state at the end of the job.

    Raises:
        Interrupted: the user pressed Ctrl-C; a checkpoint was written.
        Diverged: a loss or a gradient was not finite.
    """
    with writing(folder, 1):
        folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder / "checkpoints")
    record = Record(folder / "record.jsonl")
    found = checkpoints.newest(job.shapes()) if checkpoints.steps() else None
    count, state = found or (0, None)
    rows = record.cut(count)
    if count and not rows:
        print(f"{record.path} is gone: the curve begins at {count:,}", file=sys.stderr)
    seconds = rows[-1].get("seconds", 0.0) if rows else 0.0
    first, saved, total = count, count, job.ends[-1]
    with patient_interrupt() as stop, Tracker(job.name, total, job.unit) as tracker:
        stop.nothing_to_lose, began = True, time.monotonic()
        if count < total:
            compile_all(job.ahead(state is None))
        state = job.start() if state is None else state
        stop.nothing_to_lose = False
        seconds += time.monotonic() - began
        for end in [end for end in job.ends if end > count]:
            began = time.monotonic()
            stop.nothing_to_lose = job.one_program and count == first
            state, measured = job.advance(state, end - count)
            stop.nothing_to_lose = False
            metrics = {name: np.asarray(value) for name, value in measured.items()}
            pace = (end - count) / (time.monotonic() - began)
            _check(metrics, count, end, checkpoints)
            count = end
            tested = time.monotonic()
            seen = {**_numbers(job.test(state, count)), **_means(metrics)}
            ended = time.monotonic()
            seconds += ended - began
            times = {
                "seconds": round(seconds, 3),
                "test_seconds": round(ended - tested, 3),
                "steps_per_second": round(pace, 1),
            }
            row = {"steps": count, "joint_steps": job.joint(count), **times, **seen}
            record.append(row)
            tracker.update(count, job.text(row))
            for hear in on_row:
                hear(row)
            if stop.requested or count == total or count - saved >= job.save_every:
                checkpoints.save(count, state)
                saved = count
            if stop.requested:  # at its end, too: others may follow
                raise Interrupted(f"{job.name} is saved at {count:,} {job.unit}")
    return state


def _numbers(seen: Mapping[str, Array | np.ndarray]) -> Row:
    return {name: np.asarray(x).round(6).tolist() for name, x in seen.items()}


def _means(metrics: dict[str, np.ndarray]) -> Row:
    """The means of metrics over a period's iterations."""
    return _numbers({k: x.astype(np.float32).mean(axis=1) for k, x in metrics.items()})


def _check(
    metrics: dict[str, np.ndarray], before: int, after: int, checkpoints: Checkpoints
) -> None:
    """Raises Diverged, which names the first iteration with metrics that are not finite."""
    bad = first_bad(metrics)
    if bad is None:
        return
    iteration, values = bad
    iterations = len(next(iter(metrics.values()))[0])
    step = before + (iteration + 1) * (after - before) // iterations
    kept = checkpoints.steps()
    where = checkpoints.folder / str(kept[-1]) if kept else "none was written yet"
    batch = ", ".join(f"{k} {v:.4g}" for k, v in sorted(values.items()))
    raise Diverged(
        f"the loss is not finite at {step:,} steps. The batch: {batch}. "
        f"Last good checkpoint: {where}"
    )


def first_bad(metrics: dict[str, np.ndarray]) -> tuple[int, dict[str, float]] | None:
    """The first iteration with metrics that are not finite, and these; else None."""
    bad = ~np.all([np.isfinite(v) for v in metrics.values()], axis=0)
    if not bad.any():
        return None
    iteration = int(np.argmax(bad.any(axis=0)))
    seed = int(np.argmax(bad[:, iteration]))
    return iteration, {k: float(v[seed, iteration]) for k, v in metrics.items()}
