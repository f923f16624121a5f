"""ptde: personalised training with distilled execution for teams of agents.

from ptde import Run, run
run(Run(map="3m", steps=400_000)).show()
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ptde.config import Run
    from ptde.export import export_run
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
    "export_run",
    "preset",
    "replay_run",
    "resume",
    "run",
]

_HOMES = {
    "Run": "config",
    "PRESETS": "presets",
    "preset": "presets",
    "export_run": "export",
}
"""The module of each public name, for those that are not in ``pipeline``."""


def __getattr__(name: str) -> object:
    """Imports a public name, and JAX with it, when it is first used."""
    if name == "__version__":
        from importlib.metadata import version

        return version(__name__)
    if name not in __all__:
        raise AttributeError(f"module 'ptde' has no attribute {name!r}")
    if "PTDE_GAME" in os.environ:  # in a game's process, whose file starts its training
        return None
    return getattr(import_module(f"ptde.{_HOMES.get(name, 'pipeline')}"), name)
