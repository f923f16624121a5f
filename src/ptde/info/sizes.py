"""The sizes that information modules share."""

from dataclasses import dataclass

from ptde.options import Options
from ptde.validation import check_range


@dataclass(frozen=True)
class InfoSizes(Options):
    """Widths of the information module (the authors' released values)."""

    z: int = 64
    """Width of z, the information each agent receives. Units; >= 1."""
    hyper_hidden: int = 64
    """Hidden units of the agent-hyper network. Units; >= 1."""
    variance_floor: float = 0.01
    """Least variance of z. In (0, 1]."""
    stochastic: bool = True
    """GIP, GIU and COPA: draw z in training; False always uses its mean (a control)."""
    refresh: int = 1
    """Joint steps between two looks at the state. >= 1; CSRL keeps the state meanwhile,
    COPA its z."""
    threshold: float = 0.0
    """COPA: a new z that is no farther than this from the last one sent is not sent
    (Euclidean distance, >= 0). Used by tests and executions alone, not in training."""
    heads: int = 4
    """COPA: heads of the coach's attention. >= 1."""
    variational: float = 1e-3
    """COPA: weight of the variational objective. >= 0."""
    giu_hidden: int = 0
    """GIU: width of the state's encoding. Units; >= 0; 0 takes that of z (the paper's)."""
    state_encoder: int = 0
    """GIP only: encode the state to this width before the generated layer, which then
    costs that much less. Units; 0 reads the raw state, as the paper does."""

    def __post_init__(self):
        check_range("z", self.z, 1, example=64)
        check_range("hyper_hidden", self.hyper_hidden, 1, example=64)
        check_range(
            "variance_floor", self.variance_floor, 0, 1, open_low=True, example=0.01
        )
        check_range("refresh", self.refresh, 1, example=4)
        check_range("threshold", self.threshold, 0, example=1.0)
        check_range("heads", self.heads, 1, example=4)
        check_range("variational", self.variational, 0, example=1e-3)
        check_range("giu_hidden", self.giu_hidden, 0, example=256)
        check_range("state_encoder", self.state_encoder, 0, example=16)
