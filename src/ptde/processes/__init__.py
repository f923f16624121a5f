"""Worlds that are programs of their own: games in Python or C++, each in a process.

Nothing here imports JAX: a worker process loads this package and its game, no more.
"""

from ptde.processes.protocol import ProcessEnv, ProcessStep, WorldFailed

__all__ = ["ProcessEnv", "ProcessStep", "WorldFailed"]
