"""The sizes that information modules share."""

from dataclasses import dataclass

from ptde.check import within


@dataclass(frozen=True)
class InfoSizes:
    """Widths of the information module (the authors' released values)."""

    z: int = 64
    """Width of z, the information each agent receives. Units; >= 1."""
    hyper_hidden: int = 64
    """Hidden units of the agent-hyper network. Units; >= 1."""
    variance_floor: float = 0.01
    """Least variance of z. In (0, 1]."""
    state_encoder: int = 0
    """GIP only: encode the state to this width before the generated layer, which then
    costs that much less. Units; 0 reads the raw state, as the paper does."""

    def __post_init__(self):
        within("z", self.z, 1, example=64)
        within("hyper_hidden", self.hyper_hidden, 1, example=64)
        within("variance_floor", self.variance_floor, 0, 1, open_low=True, example=0.01)
        within("state_encoder", self.state_encoder, 0, example=16)
