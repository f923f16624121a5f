"""The paper's subject: modules that turn the global state into information for agents."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from ptde.info.base import (
    AbstractInfo,
    AbstractRecurrentInfo,
    AbstractStudent,
    DistributionGenerator,
)
from ptde.info.copa import COPA, COPALite, coach
from ptde.info.csrl import CSRL
from ptde.info.gip import GIP
from ptde.info.giu import GIU
from ptde.info.none import NoInfo
from ptde.info.periodic import BroadcastInfo, PeriodicInfo
from ptde.info.raw import RawState
from ptde.info.sizes import InfoSizes
from ptde.ops.keys import new_key
from ptde.parts import find
from ptde.types import EnvSpec

INFOS: dict[str, Callable[..., AbstractRecurrentInfo]] = {
    "none": NoInfo,
    "giu": GIU,
    "gip": GIP,
    "csrl": CSRL,
    "copa": coach,
    "copa_lite": COPALite,
    "state": RawState,
}
"""Information modules by name. A class is called as ``cls(spec, sizes, key=key)``."""


def make_info(
    name: str, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]
) -> AbstractRecurrentInfo:
    """The untrained module, in a ``PeriodicInfo`` if it does not see every state."""
    module = find("info", name, INFOS)(spec, sizes, key=key)
    if isinstance(module, AbstractInfo) and module.z_dim and sizes.refresh > 1:
        return PeriodicInfo(module, spec.state_dim, sizes.refresh)
    return module


def info_shapes(name: str, spec: EnvSpec, sizes: InfoSizes) -> AbstractRecurrentInfo:
    """The module with shapes in place of its arrays."""

    def make(key):
        return make_info(name, spec, sizes, key=key)

    return jax.eval_shape(make, new_key(0))


__all__ = [
    "COPA",
    "CSRL",
    "GIP",
    "GIU",
    "INFOS",
    "AbstractInfo",
    "AbstractRecurrentInfo",
    "AbstractStudent",
    "BroadcastInfo",
    "COPALite",
    "DistributionGenerator",
    "InfoSizes",
    "NoInfo",
    "PeriodicInfo",
    "RawState",
    "info_shapes",
    "make_info",
]
