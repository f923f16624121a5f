"""The value learner's options."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ptde.options import In, Options


@dataclass(frozen=True)
class ValueConfig(Options):
    """How the value learner learns."""

    gamma: Annotated[float, In(0, 1)] = 0.99
    """Discount per joint step. In [0, 1]; 0, for one-step episodes, needs no targets."""
    td_lambda: Annotated[float, In(0, 1)] = 0.8
    """Trace decay of the TD(lambda) targets: 0 one-step, 1 Monte Carlo. In [0, 1]."""
    lr: Annotated[float, In(0, open=True)] = 1e-3
    """Adam's learning rate. > 0."""
    lr_end: Annotated[float, In(0, 1, example=0.0)] = 1.0
    """Share of the learning rate that is left at the end of the run, falling linearly.
    In [0, 1]."""
    average: Annotated[float, In(0, 0.99999)] = 0.95
    """Tests and stage 2 use a running average of the networks, which keeps this share of
    itself at each collection, and less in the first ones; 0 uses the newest networks, as
    the paper does. In [0, 1)."""
    max_grad_norm: Annotated[float, In(0, open=True)] = 10.0
    """Global norm at which gradients are clipped. > 0."""
    buffer: Annotated[int, In(1)] = 1000
    """Capacity of the replay, in segments. >= batch."""
    batch: Annotated[int, In(1)] = 8
    """Segments per update; more, where segments are much shorter than 100 steps. >= 1."""
    updates: Annotated[int, In(1)] = 8
    """Updates after each collection: many small ones learn from fewer joint steps than a
    few large ones of as many segments in all. >= 1."""
    target_period: Annotated[int, In(1)] = 64
    """Segments collected between two copies of the networks to the targets. >= 1."""
    segment_episodes: Annotated[int, In(0, example=1)] = 0
    """Where --segment is 0, a segment has room for so many of the longest episodes. >= 0; 0
    takes as many as come nearest to 128 joint steps."""
    epsilon_start: Annotated[float, In(0, 1)] = 1.0
    """Probability of a random action at the start. In [0, 1]."""
    epsilon_end: Annotated[float, In(0, 1)] = 0.05
    """Probability of a random action after ``epsilon_steps``. In [0, 1]."""
    epsilon_steps: Annotated[int, In(1)] = 100_000
    """Joint steps over which epsilon falls linearly. >= 1."""
    openings: Annotated[float, In(0, 1)] = 0.0
    """Share of stage 1's episodes that begin with an opening: all agents repeat one action
    for 4, 8 or 16 steps, drawn, or what has paid most. In [0, 1]; 0, as in the paper:
    none."""
    target_z: Literal["sample", "mean"] = "sample"
    """z of the target networks: drawn, as in the paper's code, or its mean."""

    def __post_init__(self):
        super().__post_init__()
        # With one of them typed, a run's world may still have another default for both.
        if self.batch > self.buffer and self.typed >= {"batch", "buffer"}:
            raise ValueError(
                f"--batch {self.batch} is larger than --buffer {self.buffer}: an update "
                f"needs as many segments in the replay. Type --batch {self.buffer} or "
                f"--buffer {self.batch}"
            )
