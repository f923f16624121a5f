"""What counts in a world: win rates, a measure of its own, or returns where nobody wins."""

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

from ptde.jobs.record import Row
from ptde.types import RETURN, WINS


def counted(measure: str, rates: Iterable[float]) -> str:
    """The measure that a reader is shown: returns where win rates are all at 0, as many
    worlds do not say who wins.

    Args:
        measure: the world's own (``EnvSpec.measure``).
        rates: every mean of it that is known.
    """
    return RETURN if measure == WINS and not any(rates) else measure


def counted_in(
    measure: str,
    records: Mapping[str, list[Row]],
    finals: Mapping[str, Mapping[str, Any]],
) -> str:
    """The same of a run: its records and the entries of its ``result.json``, by role."""
    ends = (score["win_rate"] for score in finals.values())
    return counted(measure, chain(rates_in(records.values()), ends))


def rates_in(records: Iterable[list[Row]]) -> Iterable[float]:
    """The win rates of all tests in some records."""
    return chain.from_iterable(row["win_rate"] for rows in records for row in rows)


def column(measure: str) -> str:
    """The column of a record that holds a measure."""
    return "return" if measure == RETURN else "win_rate"


def columns(measure: str) -> dict[str, str]:
    """The columns that are drawn of a run, with their names: the measure, and returns."""
    return {column(measure): measure, "return": RETURN}


def compared(measure: str) -> dict[str, str]:
    """Those of a comparison: a measure of the world's own is drawn alone."""
    return columns(measure) if measure == WINS else {column(measure): measure}
