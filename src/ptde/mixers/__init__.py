"""Mixers: from the agents' values to the team's."""

from ptde.mixers.base import AbstractMixer, MixerSizes
from ptde.mixers.qmix import QMIX
from ptde.mixers.qplex import QPLEX
from ptde.mixers.vdn import VDN

MIXERS = {"vdn": VDN, "qmix": QMIX, "qplex": QPLEX}
"""Mixers by name. A class is called as ``cls(spec, sizes, key=key)``."""

__all__ = ["MIXERS", "QMIX", "QPLEX", "VDN", "AbstractMixer", "MixerSizes"]
