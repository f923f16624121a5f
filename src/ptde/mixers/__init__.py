"""Mixers: from the agents' values to the value of the team."""

from collections.abc import Callable

from ptde.mixers.base import AbstractMixer, MixerSizes
from ptde.mixers.qmix import QMIX
from ptde.mixers.qplex import QPLEX
from ptde.mixers.vdn import VDN

MIXERS: dict[str, Callable[..., AbstractMixer]] = {"vdn": VDN, "qmix": QMIX, "qplex": QPLEX}
"""Mixers by name. A class is called as ``cls(spec, sizes, key=key)``."""

__all__ = ["MIXERS", "QMIX", "QPLEX", "VDN", "AbstractMixer", "MixerSizes"]
