"""The process of one copy of a world: commands come by a pipe, steps go by shared memory.

Commands: ``("make", target, kwargs, seed, time_limit)``, answered with the sizes;
``("attach", sizes, copies, index)``; ``("begin", seed, on)``, an episode, and with ``on``
others after it; ``("step",)``; ``("frame",)``; ``("replay",)``. Each is answered with
``("ok", answer)`` or ``("failed", traceback)``.
"""

import os
import signal
import sys
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import psutil

from ptde.processes.adapters.adapt import load, make, takes
from ptde.processes.memory import Slots
from ptde.processes.protocol import (
    NoWorld,
    ProcessEnv,
    ProcessStep,
    Sizes,
    WorldFailed,
    faults,
    measured,
    picture_of,
    standard,
)

MOST_FILES = 4096
"""Most file descriptors that a process has open."""


class Worker:
    """One copy of a world, and its progress in an episode."""

    env: ProcessEnv
    sizes: Sizes
    slots: Slots
    index: int

    def __init__(self, memory: int):
        self.memory = memory
        self.seed = 0
        self.on = False
        self.time = 0
        self.over = False
        self.next: ProcessStep | None = None
        """The first step of the next episode, if it was begun in advance."""

    def make(self, target: str, kwargs: dict[str, Any], seed: int, limit: int) -> Sizes:
        """Makes the world, and starts an episode to measure its sizes."""
        if not target.startswith("ptde."):  # the user's world may lie in this folder
            sys.path.insert(0, os.getcwd())
        self.env = make(target, kwargs, seed)
        first = standard(self.env.reset(seed))
        self.sizes = measured(self.env, first, limit)
        self._sound(first)
        records = self.sizes.replays and takes(load(target), "record")
        return replace(self.sizes, memory=_memory_of_all(), records=records)

    def attach(self, sizes: Sizes, copies: int, index: int) -> None:
        """Joins ``copies`` worlds of these sizes, as number ``index``."""
        if self.sizes != sizes:
            raise WorldFailed(f"this copy is {self.sizes}, the first one was {sizes}")
        self.slots, self.index = Slots.of(self.memory, sizes, copies), index

    def begin(self, seed: int, on: bool) -> None:
        """Starts a new episode; with ``on``, the next seeds start those that follow it."""
        self.seed, self.on, self.next = seed, on, None
        self._open(self._reset())

    def step(self) -> None:
        """Takes a joint action; after an episode's last step, starts the next episode."""
        if self.over:
            if self.next is None:
                self.seed += 1
                self.next = self._reset()
            self._open(self.next)
            self.next = None
            return
        self.time += 1
        action = self.slots.action[self.index].copy()
        step = standard(self.env.step(action))
        self._sound(step)
        cut = step.cut or (self.time >= self.sizes.time_limit and not step.ended)
        self.over = step.ended or cut
        self._show(step, first=False)

    def rest(self) -> None:
        """Starts the next episode in advance, while the team's process computes."""
        if self.over and self.on and self.next is None:
            self.seed += 1
            self.next = self._reset()

    def frame(self) -> Any:
        """A picture of the present step."""
        return picture_of(self.env)

    def replay(self) -> Any:
        """The path of the game's own recording of the episode that ended."""
        return self.env.replay()  # type: ignore[attr-defined]

    def _reset(self) -> ProcessStep:
        step = standard(self.env.reset(self.seed))
        self._sound(step)
        return step

    def _open(self, step: ProcessStep) -> None:
        self.time, self.over = 0, False
        self._show(step, first=True)

    def _sound(self, step: ProcessStep) -> None:
        wrong = list(faults(step, self.sizes))
        if wrong:
            raise WorldFailed("; ".join(wrong))

    def _show(self, step: ProcessStep, first: bool) -> None:
        slots, i = self.slots, self.index
        slots.obs[i], slots.state[i] = step.obs, step.state
        slots.legal[i], slots.alive[i] = step.legal, step.alive
        slots.reward[i] = 0.0 if first else step.reward
        slots.won[i] = step.won if self.over else 0.0
        slots.score[i] = step.score or 0.0
        slots.discount[i] = 0.0 if step.ended else 1.0
        slots.first[i], slots.last[i] = first, self.over


def _memory_of_all() -> int:
    """Bytes of this process and of those that it started."""
    here = psutil.Process()
    return sum(p.memory_info().rss for p in (here, *here.children(recursive=True)))


def _guard(lifeline: int) -> None:
    """Prevents orphans: forks a process that waits until the team's ends, then ends this
    one and its children. A thread could not: a game may never give control back.
    """
    if os.fork() == 0:
        os.closerange(0, lifeline)
        os.closerange(lifeline + 1, MOST_FILES)
        os.read(lifeline, 1)  # nobody writes: it returns when the other end is closed
        os.killpg(0, signal.SIGKILL)
    os.close(lifeline)


def main(pipe: int, memory: int, lifeline: int) -> None:
    """Serves until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the team's process handles Ctrl-C
    _guard(lifeline)
    worker = Worker(memory)
    with Connection(pipe) as connection:
        while True:
            try:
                name, *words = connection.recv()
            except EOFError:
                break
            try:
                answer = getattr(worker, name)(*words)
            except Exception as error:
                connection.send(("failed", _short(error)))
                break
            connection.send(("ok", answer))
            try:
                worker.rest()
            except Exception as error:
                connection.send(("failed", _short(error)))
                break
    close = getattr(getattr(worker, "env", None), "close", None)
    if close is not None:
        close()


def _short(error: Exception) -> str:
    if isinstance(error, WorldFailed | NoWorld):
        return str(error)
    return traceback.format_exc()
