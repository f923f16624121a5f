"""Compiled programs are kept between runs."""

import os
from pathlib import Path

import jax


def use_compilation_cache() -> None:
    """Keeps compiled programs in ``~/.cache/ptde``, unless JAX was told another place.

    A first run compiles for up to a minute; later runs of the same sizes start at once.
    """
    told = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if told:  # by the user, or by an earlier call
        return
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    jax.config.update("jax_compilation_cache_dir", str(home / "ptde"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
