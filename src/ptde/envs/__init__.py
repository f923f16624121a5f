"""Worlds, that is, environments.

``ptde.envs.smax`` is imported when a battle is made: its backend is slow to load.
"""

from ptde.envs.base import AbstractEnv
from ptde.envs.probes import PROBES, Probe
from ptde.envs.registry import WORLDS, World, make_env
from ptde.envs.settings import SmaxConfig

__all__ = [
    "PROBES",
    "WORLDS",
    "AbstractEnv",
    "Probe",
    "SmaxConfig",
    "World",
    "make_env",
]
