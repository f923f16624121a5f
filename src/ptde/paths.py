"""The folders where ptde keeps files between runs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The path ``~/.cache/ptde``, or ``ptde`` in ``XDG_CACHE_HOME``."""
    return _home("XDG_CACHE_HOME", ".cache")


def config_folder() -> Path:
    """The path ``~/.config/ptde``, or ``ptde`` in ``XDG_CONFIG_HOME``."""
    return _home("XDG_CONFIG_HOME", ".config")


def _home(variable: str, usual: str) -> Path:
    home = os.environ.get(variable)
    return (Path(home) if home else Path.home() / usual) / "ptde"
