"""The value learner's options."""

from dataclasses import dataclass
from typing import Literal

from ptde.options import Options
from ptde.validation import check_choice, check_range


@dataclass(frozen=True)
class ValueConfig(Options):
    """How the value learner learns."""

    gamma: float = 0.99
    """Discount per joint step. In [0, 1]; 0, for one-step episodes, needs no targets."""
    td_lambda: float = 0.8
    """Trace decay of the TD(lambda) targets: 0 one-step, 1 Monte Carlo. In [0, 1]."""
    lr: float = 2e-3
    """Adam's learning rate. > 0."""
    lr_end: float = 1.0
    """Share of the learning rate that is left at the end of the run, falling linearly.
    In [0, 1]."""
    average: float = 0.0
    """Tests and stage 2 take the running average of the networks, which keeps this share of
    itself at each collection; 0 takes the newest networks. In [0, 1)."""
    max_grad_norm: float = 10.0
    """Global norm at which gradients are clipped. > 0."""
    buffer: int = 1000
    """Replay, in segments. >= batch."""
    batch: int = 32
    """Segments per update. >= 1."""
    updates: int = 2
    """Updates after each collection. >= 1."""
    target_period: int = 64
    """The targets are copied each time so many segments were collected. >= 1."""
    segment_episodes: int = 0
    """Where --segment is 0, a segment has room for so many of the longest episodes. >= 0; 0
    takes as many as come nearest to 128 joint steps."""
    epsilon_start: float = 1.0
    """Probability of a random action at the start. In [0, 1]."""
    epsilon_end: float = 0.05
    """The same after ``epsilon_steps``. In [0, 1]."""
    epsilon_steps: int = 100_000
    """Joint steps over which epsilon falls linearly. >= 1."""
    target_z: Literal["sample", "mean"] = "sample"
    """z of the target networks: drawn, as the paper's code does, or its mean."""

    def __post_init__(self):
        for share in ("gamma", "td_lambda", "epsilon_start", "epsilon_end"):
            default = type(self).__dataclass_fields__[share].default
            check_range(share, getattr(self, share), 0, 1, example=default)
        check_range("lr", self.lr, 0, open_low=True, example=2e-3)
        check_range("lr_end", self.lr_end, 0, 1, example=0.0)
        check_range("average", self.average, 0, 0.99999, example=0.99)
        check_range("max_grad_norm", self.max_grad_norm, 0, open_low=True, example=10)
        for count in ("buffer", "batch", "updates", "target_period", "epsilon_steps"):
            default = type(self).__dataclass_fields__[count].default
            check_range(count, getattr(self, count), 1, example=default)
        check_range("segment_episodes", self.segment_episodes, 0, example=1)
        # With one of them typed, a run's world may still have another default for both.
        if self.batch > self.buffer and self.typed >= {"batch", "buffer"}:
            raise ValueError(
                f"--batch {self.batch} is larger than --buffer {self.buffer}: an update "
                f"needs as many segments in the replay. Type --batch {self.buffer} or "
                f"--buffer {self.batch}"
            )
        check_choice("target_z", self.target_z, ("sample", "mean"))
