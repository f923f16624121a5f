"""ptde: personalised training with distilled execution for teams of agents.

from ptde import Run, run
run(Run(map="3m", steps=400_000)).show()
"""

from ptde.config import Run
from ptde.pipeline import (
    Outcome,
    distill_run,
    evaluate_run,
    replay_run,
    resume,
    run,
)
from ptde.presets import PRESETS, preset

__all__ = [
    "PRESETS",
    "Outcome",
    "Run",
    "distill_run",
    "evaluate_run",
    "preset",
    "replay_run",
    "resume",
    "run",
]
