"""Compiling programs side by side, before there is anything that they could work on.

XLA keeps little more than one core busy with one program; a run has three to begin with.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeAlias, TypeVar

from jax.stages import Lowered

P = ParamSpec("P")
T = TypeVar("T")

Ahead: TypeAlias = Iterable[Lowered]
"""Programs to compile before they are called, the longest first."""


@dataclass(frozen=True)
class Program(Generic[P, T]):
    """A function, and what it compiles."""

    call: Callable[P, T]
    ahead: Callable[..., Ahead] = lambda *_: ()
    """From arguments like those of ``call``, of which shapes are enough, to programs."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.call(*args, **kwargs)


def compile_all(programs: Ahead) -> None:
    """Compiles each program in a thread, and traces the next one meanwhile."""
    with ThreadPoolExecutor() as threads:
        for done in [threads.submit(program.compile) for program in programs]:
            done.result()
    _give_back_memory()


def _give_back_memory() -> None:
    """Returns freed memory to the system: XLA frees what it compiled with, 1 GB for plain
    QMIX, and GNU's C library would keep it for the whole run.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries lack it
        if trim is not None:
            trim(0)
