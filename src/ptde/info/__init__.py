"""The paper's subject: modules that turn the global state into information for agents."""

from collections.abc import Callable

from ptde.info.base import AbstractInfo, AbstractStudent, DistributionGenerator
from ptde.info.csrl import CSRL
from ptde.info.gip import GIP
from ptde.info.giu import GIU
from ptde.info.none import NoInfo
from ptde.info.sizes import InfoSizes
from ptde.info.student import Student

INFOS: dict[str, Callable[..., AbstractInfo]] = {
    "none": NoInfo,
    "giu": GIU,
    "gip": GIP,
    "csrl": CSRL,
}
"""Information modules by name. A class is called as ``cls(spec, sizes, key=key)``."""

__all__ = [
    "CSRL",
    "GIP",
    "GIU",
    "INFOS",
    "AbstractInfo",
    "AbstractStudent",
    "DistributionGenerator",
    "InfoSizes",
    "NoInfo",
    "Student",
]
