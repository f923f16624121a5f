"""Checks of a user's input, with errors that say what to type instead."""

import difflib
from collections.abc import Iterable
from typing import Any

MOST = 2**31 - 1
"""The largest number that a counter on a device holds."""


def flag(field: str) -> str:
    """The command-line name of a config field."""
    return "--" + field.replace("_", "-")


def check_range(
    field: str,
    value: float | int,
    low: float | int,
    high: float | int = float("inf"),
    *,
    example: Any,
    open_low: bool = False,
) -> None:
    """Raises ValueError unless low <= value <= high (low < value if ``open_low``)."""
    good = (low < value if open_low else low <= value) and value <= high
    if good and abs(value) != float("inf"):  # false for NaN
        return
    left = "(" if open_low else "["
    right = ")" if high == float("inf") else "]"
    raise ValueError(
        f"{flag(field)} must lie in {left}{low:g}, {high:g}{right}, not {value}: "
        f"for example {flag(field)} {example}"
    )


def check_count(field: str, value: int) -> None:
    """Raises ValueError for a count that a counter of 32 bits on a device cannot hold."""
    if value > MOST:
        raise ValueError(
            f"{flag(field)} {value} is more than {MOST:,}, and counters on a device have "
            f"32 bits: type {flag(field)} {MOST} or less"
        )


def check_choice(field: str, name: Any, names: Iterable[str]) -> None:
    """Raises ValueError unless ``name`` is one of ``names``; suggests the nearest."""
    names = sorted(names)
    if name in names:
        return
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.0)
    did_you_mean = f": did you mean {flag(field)} {near[0]}?" if near else "."
    raise ValueError(f"unknown {field} {name!r}{did_you_mean} Known: {', '.join(names)}")
