"""Memory that the team's process and the worlds' processes share."""

import mmap
import os
import tempfile
from dataclasses import dataclass

import numpy as np

from ptde.processes.protocol import Sizes


@dataclass(frozen=True)
class Slots:
    """The steps and actions of B copies, in shared memory; every array begins with B."""

    obs: np.ndarray
    state: np.ndarray
    legal: np.ndarray
    alive: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    first: np.ndarray
    won: np.ndarray
    score: np.ndarray
    last: np.ndarray
    """Whether the episode ends here."""
    action: np.ndarray
    """The joint action to take next, written by the team's process."""

    @classmethod
    def of(cls, file: int, sizes: Sizes, copies: int) -> "Slots":
        """The arrays in a file (a descriptor), which is enlarged to hold them."""
        n, u = sizes.n_agents, sizes.n_actions
        layout = {
            "obs": ((n, sizes.obs_dim), np.float32),
            "state": ((sizes.state_dim,), np.float32),
            "legal": ((n, u), np.bool_),
            "alive": ((n,), np.bool_),
            "reward": ((), np.float32),
            "discount": ((), np.float32),
            "first": ((), np.bool_),
            "won": ((), np.float32),
            "score": ((), np.float32),
            "last": ((), np.bool_),
            "action": ((n,), np.int32),
        }
        places, end = {}, 0
        for name, (shape, kind) in layout.items():
            places[name] = end
            size = copies * int(np.prod(shape, dtype=int)) * np.dtype(kind).itemsize
            end += -(-size // 64) * 64  # arrays begin on cache lines of their own
        if os.fstat(file).st_size < end:
            os.ftruncate(file, end)
        memory = mmap.mmap(file, end)
        return cls(
            **{
                name: np.ndarray((copies, *shape), kind, memory, places[name])
                for name, (shape, kind) in layout.items()
            }
        )


def anonymous() -> int:
    """A file without a name (a descriptor): it ends with the last process that has it."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ptde")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
