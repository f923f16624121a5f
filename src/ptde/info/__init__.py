"""The paper's subject: modules that turn the global state into information for agents."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from ptde.info.base import AbstractInfo, AbstractStudent, DistributionGenerator
from ptde.info.copa import COPA, COPALite
from ptde.info.csrl import CSRL
from ptde.info.gip import GIP
from ptde.info.giu import GIU
from ptde.info.none import NoInfo
from ptde.info.periodic import PeriodicInfo
from ptde.info.raw import RawState
from ptde.info.sizes import InfoSizes
from ptde.ops.keys import new_key
from ptde.parts import find
from ptde.types import EnvSpec

INFOS: dict[str, Callable[..., AbstractInfo]] = {
    "none": NoInfo,
    "giu": GIU,
    "gip": GIP,
    "csrl": CSRL,
    "copa": COPA,
    "copa_lite": COPALite,
    "state": RawState,
}
"""Information modules by name. A class is called as ``cls(spec, sizes, key=key)``."""


def make_info(
    name: str, spec: EnvSpec, sizes: InfoSizes, *, key: Key[Array, ""]
) -> AbstractInfo:
    """The untrained module: a ``PeriodicInfo`` if it sees the state less often than at
    every step.
    """
    module = find("info", name, INFOS)(spec, sizes, key=key)
    if not module.z_dim:
        return module
    threshold = sizes.threshold if module.held == "z" else 0.0
    if sizes.refresh == 1 and not threshold:
        return module
    return PeriodicInfo(module, spec.state_dim, sizes.refresh, threshold)


def info_shapes(name: str, spec: EnvSpec, sizes: InfoSizes) -> AbstractInfo:
    """The module in shapes."""

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
    "AbstractStudent",
    "COPALite",
    "DistributionGenerator",
    "InfoSizes",
    "NoInfo",
    "PeriodicInfo",
    "RawState",
    "info_shapes",
    "make_info",
]
