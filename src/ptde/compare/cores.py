"""Cores of this machine, which each run of a user's has for itself."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil


@contextmanager
def cores(count: int) -> Iterator[list[int]]:
    """A context with ``count`` cores of this machine that no other run of this user's has.

    Ray counts CPUs, and says nothing of which; commands know nothing of one another. So two
    runs of two threads would share two cores of four.

    Empty, with all left to others, if there are not enough that are free, or if this system
    does not say which there are.
    """
    place = Path(tempfile.gettempdir()) / f"ptde-cores-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    mine: list[int] = []
    with ExitStack() as held:
        for core in getattr(psutil.Process(), "cpu_affinity", list)():
            if len(mine) == count:
                break
            file = held.enter_context(open(place / f"{core}", "a"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            mine.append(core)
        if len(mine) < count:
            mine = []
            held.close()
        yield mine
