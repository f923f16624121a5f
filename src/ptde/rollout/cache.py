"""JAX's cache of compiled programs, kept between runs up to a size."""

import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import jax

from ptde.paths import cache_folder

LIMIT = 1_000_000_000
"""Bytes of kept programs; beyond them JAX drops those that were used longest ago."""
SECONDS = 0.5
"""Least time of compilation of a program that is kept."""
SMALL = 16_384
"""Least bytes of a program that is kept: smaller ones are single operations."""


def use_compilation_cache(place: Path | None = None) -> None:
    """Keeps compiled programs in ``~/.cache/ptde/programs``, unless JAX has a folder set.

    A first run compiles for up to a minute; later runs of the same sizes start at once.
    Programs run as this user, so a folder into which others could have put some is not
    used, and a line says so.

    Args:
        place: another folder.
    """
    if programs_folder() is not None:  # by the user, or by an earlier call
        return
    place = place or cache_folder() / "programs"
    with suppress(OSError):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_ours(place):
        advice = "remove it, or set XDG_CACHE_HOME to one that is"
        why = f"{place} is no folder of yours alone"
        print(f"compiled programs are not kept: {why}: {advice}", file=sys.stderr)
        return
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", SMALL)
    if find_spec("filelock"):  # without it JAX refuses to bound the folder
        jax.config.update("jax_compilation_cache_max_size", LIMIT)


def _is_ours(place: Path) -> bool:
    """Whether this user made a folder, and nobody else can write to it or replace it."""
    try:
        about, *above = (folder.stat() for folder in (place, *place.parents[:2]))
    except OSError:  # it could not be made
        return False
    mine = about.st_uid == os.getuid() and not about.st_mode & 0o022
    return mine and all(folder.st_uid in (0, os.getuid()) for folder in above)


def programs_folder() -> Path | None:
    """The folder where JAX keeps compiled programs; None if none is set yet."""
    place = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    return Path(place) if place else None


def cache_says() -> str:
    """A line of text: where the programs are, their size, and its limit."""
    use_compilation_cache()
    if (place := programs_folder()) is None:
        return "compiled programs are not kept"
    sizes = [file.stat().st_size for file in place.glob("*-cache")]
    limit = jax.config.jax_compilation_cache_max_size  # type: ignore[attr-defined]
    bound = f"of at most {limit / 1e6:,.0f} MB" if limit >= 0 else "without a limit"
    advice = (
        "" if limit >= 0 or find_spec("filelock") else ": pip install filelock sets one"
    )
    size = f"{len(sizes)} programs, {sum(sizes) / 1e6:,.1f} MB {bound}{advice}"
    return f"compiled programs in {place}: {size}. They may be removed at any time"
