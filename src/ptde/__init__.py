"""ptde: personalised training with distilled execution for teams of agents.

from ptde import Run, run
run(Run(map="3m", steps=400_000)).show()
"""

import os

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

if "PTDE_GAME" not in os.environ:  # the process of a game does without JAX (ptde.host)
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
else:

    def __getattr__(name: str) -> object:
        """For a game whose file also starts its training: nothing is called here."""
        if name in __all__:
            return None
        raise AttributeError(f"module 'ptde' has no attribute {name!r}")
