"""The options that information modules share."""

from dataclasses import dataclass
from typing import Annotated

from ptde.options import In, Options


@dataclass(frozen=True)
class InfoSizes(Options):
    """Widths and settings of the information modules (the authors' released values)."""

    z: Annotated[int, In(1)] = 64
    """Width of z, the information each agent receives. Units; >= 1."""
    hyper_hidden: Annotated[int, In(1)] = 64
    """Hidden units of the agent-hyper network. Units; >= 1."""
    variance_floor: Annotated[float, In(0, 1, open=True)] = 0.01
    """Least variance of z. In (0, 1]."""
    stochastic: bool = True
    """GIP, GIU and COPA: draw z in training; False always uses its mean (a control)."""
    refresh: Annotated[int, In(1, example=4)] = 1
    """Joint steps between two readings of the state. >= 1; in between, COPA's agents
    keep z, those of all others (copa_lite, too) the state."""
    threshold: Annotated[float, In(0, example=1.0)] = 0.0
    """COPA: a new z that is no farther than this from the last one sent is not sent
    (Euclidean distance, >= 0). Applies in tests and execution only: neither in
    training nor to the z that a student is taught."""
    heads: Annotated[int, In(1)] = 4
    """COPA: heads of the coach's attention. >= 1."""
    variational: Annotated[float, In(0)] = 1e-3
    """COPA: weight of the variational objective. >= 0."""
    giu_hidden: Annotated[int, In(0, example=256)] = 0
    """GIU: width of the state's encoding. Units; >= 0; 0 takes the width of z (the
    paper's)."""
    state_encoder: Annotated[int, In(0, example=16)] = 0
    """GIP: width to which the state is encoded before the generated layer, which gets
    cheaper. Units; >= 0; 0 reads the raw state, as the paper does."""
