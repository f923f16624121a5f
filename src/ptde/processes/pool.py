"""B copies of a world, each in a process of its own."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
import psutil

from ptde.processes.memory import Slots, anonymous
from ptde.processes.protocol import Sizes, WorldFailed

LEAP = 1_000_003
"""Added to the seed of a lost episode for the next: seeds in between may be in use."""
LOG = 1_000_000
"""Bytes of a game's output, about, beyond which all but the last of them are dropped."""
WORDS = 2_000
"""Bytes of a game's output that are shown when it ends."""
SERVE = "import sys; from ptde.processes.worker import main; main(*map(int, sys.argv[1:]))"


@dataclass(frozen=True)
class Maker:
    """How one copy of a world is made, in its process."""

    target: str
    """``module:callable``."""
    kwargs: str = "{}"
    """The callable's keyword arguments, as JSON."""
    time_limit: int = 0
    """Joint steps after which an episode is cut; 0 is the world's own limit."""
    environ: tuple[tuple[str, str], ...] = ()
    """Environment variables that its process gets."""

    @classmethod
    def of(cls, target: str, **kwargs: Any) -> "Maker":
        """A maker with these keyword arguments, which must fit into JSON."""
        return cls(target, json.dumps(kwargs))

    def words(self, seed: int) -> tuple[Any, ...]:
        """The command by which the worker makes a copy."""
        return "make", self.target, json.loads(self.kwargs), seed, self.time_limit


@dataclass
class Copy:
    """The team's handle on the process of one copy."""

    process: subprocess.Popen
    pipe: Connection
    lifeline: Connection
    log: IO[bytes]
    """The game's output, in a file without a name."""
    awaited: int = 0
    """Number of answers that are still to come."""
    since: float = field(default_factory=time.monotonic)
    """Time of the last command or answer."""

    @classmethod
    def start(cls, memory: int, environ: Iterable[tuple[str, str]]) -> "Copy":
        """A new process, which has no world yet."""
        here, there = Pipe()
        life_there, life_here = Pipe(duplex=False)
        log = TemporaryFile(buffering=0)  # noqa: SIM115 - it is closed with the process
        # Else the game would go on where it was, behind a hole, once it is cut.
        fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
        files = (there.fileno(), memory, life_there.fileno())
        root = str(Path(__file__).parents[2])
        # A script can import what lies beside it, and so must its worlds.
        paths = filter(None, [root, sys.path[0], os.environ.get("PYTHONPATH")])
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", SERVE, *map(str, files)],
            pass_fds=files,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "PTDE_GAME": "1",
                **dict(environ),
            },
        )
        there.close()
        life_there.close()
        return cls(process, here, life_here, log)

    def tell(self, *words: Any) -> None:
        """Sends a command and counts its answer as awaited."""
        self.awaited += 1
        self.since = time.monotonic()
        with suppress(OSError):  # the process ended: its last answer is still to be read
            self.pipe.send(words)

    def answer(self) -> Any:
        """The next answer. WorldFailed says why there is none."""
        try:
            status, answer = self.pipe.recv()
        except (EOFError, OSError):
            raise WorldFailed(self._last_words()) from None
        if status == "failed":
            raise WorldFailed(answer)
        self.awaited -= 1
        self.since = time.monotonic()
        if os.fstat(self.log.fileno()).st_size > LOG:
            last = self._printed()
            self.log.truncate(0)
            self.log.write(last)
        return answer

    def _printed(self) -> bytes:
        """What the game printed last."""
        file = self.log.fileno()
        return os.pread(file, WORDS, max(0, os.fstat(file).st_size - WORDS))

    def _last_words(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        text = self._printed().decode("utf-8", "replace").strip()
        status = self.process.returncode
        return f"its process ended with status {status}. It printed last:\n{text}"

    def end(self) -> None:
        """Ends the process and those that it started."""
        self.lifeline.close()
        self.pipe.close()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        with suppress(ChildProcessError):  # as a container's first process, it gets theirs
            while True:
                os.waitpid(-self.process.pid, 0)
        self.log.close()


@lru_cache
def sizes_of(maker: Maker, patience: float) -> Sizes:
    """The sizes of a world, for which one copy is started and ended.

    Raises:
        ValueError: it cannot be started; the message holds the world's own.
    """
    memory = anonymous()
    copy = Copy.start(memory, maker.environ)
    try:
        copy.tell(*maker.words(seed=0))
        if not copy.pipe.poll(patience):
            raise ValueError(f"{maker.target} did not start in {patience:g} s")
        return copy.answer()
    except WorldFailed as error:
        text = str(error)
        between = "\n" if "\n" in text else " "
        raise ValueError(f"{maker.target} cannot be started:{between}{text}") from None
    finally:
        copy.end()
        os.close(memory)


class Pool:
    """Plays B copies at once; a copy that fails begins another episode in a new process."""

    def __init__(
        self,
        maker: Maker,
        sizes: Sizes,
        copies: int,
        patience: float,
        failures: int,
        *,
        seed: int = 0,
        first: int = 0,
    ):
        """Starts the processes.

        Args:
            maker: makes each copy of the world.
            sizes: the world's sizes.
            copies: number of copies.
            patience: seconds that an answer may take.
            failures: failures of a copy that are tolerated between two whole episodes.
            seed: the run's seed.
            first: the number of the first copy among all of the run's.
        """
        self.maker, self.sizes = maker, sizes
        self.patience, self.failures = patience, failures
        self.memory = anonymous()
        self.slots = Slots.of(self.memory, sizes, copies)
        self.seeds, self.on = [0] * copies, [False] * copies
        self.seed, self.first = seed, first
        self.starts = [0] * copies
        """How many processes each copy has had."""
        self.in_a_row = [0] * copies
        self.lost: list[int] = []
        """Copies whose episode was lost since this list was last emptied."""
        self.reasons: list[str] = []
        """Why episodes were lost, the newest last."""
        self.copies: list[Copy] = []
        for index in range(copies):
            self.copies.append(self._start(index))

    def begin(self, which: Sequence[int], seeds: Sequence[int], on: bool) -> None:
        """Begins an episode in each of these copies; with ``on``, others follow it."""
        for index, seed in zip(which, seeds, strict=True):
            self.seeds[index], self.on[index] = int(seed), on
            self.copies[index].tell("begin", int(seed), on)

    def step(self, which: Sequence[int]) -> None:
        """Takes the joint actions that ``slots.action`` holds for these copies."""
        for index in which:
            self.copies[index].tell("step")

    def ready(self, least: int) -> list[int]:
        """Copies that have answered everything, as soon as there are ``least`` of them.

        Raises:
            WorldFailed: a copy failed too often; the message holds its traceback.
        """
        while True:
            self._listen(block=False)
            done = [i for i, copy in enumerate(self.copies) if not copy.awaited]
            if len(done) >= min(least, len(self.copies)):
                return done
            self._listen(block=True)

    def succeeded(self, index: int) -> None:
        """Notes that a copy came to the end of an episode."""
        self.in_a_row[index] = 0

    def ask(self, index: int, message: str) -> Any:
        """A ready copy's answer to ``frame`` or ``replay``. WorldFailed if none comes."""
        copy = self.copies[index]
        copy.tell(message)
        if not copy.pipe.poll(self.patience):
            raise WorldFailed(f"no {message} came in {self.patience:g} s")
        return copy.answer()

    def close(self) -> None:
        """Ends all processes."""
        for copy in self.copies:
            copy.end()
        self.copies = []
        os.close(self.memory)

    def _start(self, index: int) -> Copy:
        """A copy in a new process. Its seed, for worlds that take one where they are made,
        belongs to the run's seed, to its number among all copies, and to this start alone.
        """
        words = self.seed, self.first + index, self.starts[index]
        self.starts[index] += 1
        copy = Copy.start(self.memory, self.maker.environ)
        copy.tell(*self.maker.words(seed_of(*words)))
        copy.tell("attach", self.sizes, len(self.seeds), index)
        return copy

    def _listen(self, block: bool) -> None:
        """Reads the answers that have come; ``block`` waits for one up to ``patience``."""
        busy = {copy.pipe: i for i, copy in enumerate(self.copies) if copy.awaited}
        asked = min((self.copies[i].since for i in busy.values()), default=0.0)
        left = asked + self.patience - time.monotonic()
        heard = wait(list(busy), max(0.0, left) if block else 0.0)
        for pipe in heard:
            index = busy[pipe]  # type: ignore[index]
            try:
                self.copies[index].answer()
            except WorldFailed as error:
                self._again(index, str(error))
        now = time.monotonic()
        for index in busy.values():
            copy = self.copies[index]
            if copy.awaited and now - copy.since > self.patience:
                self._again(index, f"it did not answer within {self.patience:g} s")

    def _again(self, index: int, reason: str) -> None:
        """Starts a new process in a copy's place, with the next seed of the copy."""
        self.copies[index].end()
        self.in_a_row[index] += 1
        self.lost.append(index)
        self.reasons.append(reason)
        if self.in_a_row[index] > self.failures:
            times = f"{self.in_a_row[index]} times in a row"
            raise WorldFailed(f"{self.maker.target} failed {times}:\n{reason}")
        self.seeds[index] += LEAP
        self.copies[index] = self._start(index)
        self.copies[index].tell("begin", self.seeds[index], self.on[index])


def seed_of(*numbers: int) -> int:
    """A seed of 31 bits for these numbers, none of them negative."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0]) >> 1


def room_for(sizes: Sizes) -> int:
    """Number of copies that fit into the free memory."""
    return int(0.9 * psutil.virtual_memory().available // max(sizes.memory, 1))
