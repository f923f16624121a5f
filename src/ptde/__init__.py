"""ptde: personalised training with distilled execution for teams of agents.

from ptde import Run, run
run(Run(map="3m", steps=400_000)).show()
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_PLACES = {
    "Outcome": "ptde.pipeline",
    "PRESETS": "ptde.presets",
    "Run": "ptde.config",
    "distill_run": "ptde.pipeline",
    "evaluate_run": "ptde.pipeline",
    "preset": "ptde.presets",
    "replay_run": "ptde.pipeline",
    "resume": "ptde.pipeline",
    "run": "ptde.pipeline",
}

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


def __getattr__(name: str) -> Any:
    """Imports JAX only when it is used: a game's process imports ``ptde.host`` alone."""
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module 'ptde' has no attribute {name!r}")
