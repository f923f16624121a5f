"""Interface of the mixers, and their sizes."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Annotated

import equinox as eqx
from jaxtyping import Array, Float

from ptde.options import In, Options
from ptde.types import Utilities


@dataclass(frozen=True)
class MixerSizes(Options):
    """Widths of the mixers' networks (PyMARL2's values)."""

    embed: Annotated[int, In(1)] = 32
    """QMIX: width of the mixing layer. Units; >= 1."""
    hypernet_hidden: Annotated[int, In(1)] = 64
    """QMIX and QPLEX: hidden units of the networks that read the state. Units; >= 1."""
    kernels: Annotated[int, In(1)] = 4
    """QPLEX: number of importance kernels. >= 1."""


class AbstractMixer(eqx.Module):
    """Makes Q_tot of a joint action from the agents' utilities and the state."""

    @abstractmethod
    def __call__(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b"]:
        """Q_tot. Its arg-max over joint actions is each agent's own arg-max (IGM)."""
