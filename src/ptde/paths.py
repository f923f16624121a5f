"""Where things are kept between runs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``~/.cache/ptde``, or ``ptde`` in ``XDG_CACHE_HOME``."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ptde"
