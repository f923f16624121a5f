"""What a mixer is."""

from abc import abstractmethod
from dataclasses import dataclass

import equinox as eqx
from jaxtyping import Array, Float

from ptde.options import Options
from ptde.types import Utilities
from ptde.validation import check_range


@dataclass(frozen=True)
class MixerSizes(Options):
    """Widths of the mixers' networks (PyMARL2's values)."""

    embed: int = 32
    """QMIX: width of the mixing layer. Units; >= 1."""
    hypernet_hidden: int = 64
    """QMIX and QPLEX: hidden units of the networks that read the state. Units; >= 1."""
    kernels: int = 4
    """QPLEX: number of importance kernels. >= 1."""

    def __post_init__(self):
        check_range("embed", self.embed, 1, example=32)
        check_range("hypernet_hidden", self.hypernet_hidden, 1, example=64)
        check_range("kernels", self.kernels, 1, example=4)


class AbstractMixer(eqx.Module):
    """Q_tot of a joint action, from the agents' utilities and the state."""

    @abstractmethod
    def __call__(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b"]:
        """Q_tot. Its arg-max over joint actions is each agent's own arg-max (IGM)."""
