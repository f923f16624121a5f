"""Compiled programs are kept between runs."""

from contextlib import suppress

import jax

from ptde.paths import cache_folder


def use_compilation_cache() -> None:
    """Keeps compiled programs in ``~/.cache/ptde``, unless JAX was told another place.

    A first run compiles for up to a minute; later runs of the same sizes start at once.
    """
    place = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if place:  # by the user, or by an earlier call
        return
    place = cache_folder()
    with suppress(OSError):  # JAX then compiles without keeping, and says so
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
