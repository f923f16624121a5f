"""The rows of a LETOR file: ``label qid:Q 1:v 2:v ... # comment``, v a number or NULL.

NumPy parses a whole block at once; a block that does not fit this form exactly is read
again line by line, which finds the line that is wrong.
"""

import math
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HIGHEST_LABEL = 30
"""The largest label: its gain is 2^label - 1."""
LARGEST = float(np.finfo(np.float32).max)
MOST_FEATURES = 100_000
"""The largest id of a feature: rows are stored dense, with a value for each id."""
WHOLE = 2.0**53
"""Below this, a float represents every whole number exactly."""
MOST_DIGITS = 400
"""Most digits of a qid."""


@dataclass(frozen=True)
class Row:
    """One line of a file."""

    label: int
    query: int
    ids: np.ndarray
    values: np.ndarray


COMMENT = re.compile(rb"#[^\n]*")
Parsed = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Label [rows], qid [rows], and the row, id and value (NaN for NULL) of every feature. Qids
are exact: Python integers where they may be too long for an array of integers.
"""


def parse_block(block: bytes) -> Parsed | None:
    """All rows of a block at once; None if anything in it does not fit the form."""
    if b"#" in block:
        block = COMMENT.sub(b"", block)
    missing = block.count(b":NULL")
    if missing:
        block = block.replace(b":NULL", b":nan")
    text = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(text == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    colons = np.flatnonzero(text == ord(":"))
    per_line = np.diff(np.searchsorted(colons, ends), prepend=0)
    marks = np.flatnonzero(text == ord("q"))
    if (per_line == 0).any() or len(marks) != len(ends):
        return None
    first = np.cumsum(per_line) - per_line  # of each line, among all colons
    if not ((colons[first] == marks + 3) & (marks > starts)).all():
        return None
    # The label is a line's first word; then each word has one colon.
    space = text <= ord(" ")
    begins = np.diff(space.astype(np.int8), prepend=1) == -1
    words = np.cumsum(begins, dtype=np.int32)
    before = np.where(starts > 0, words[starts - 1], 0)
    place = np.arange(len(colons)) - np.repeat(first, per_line)
    if (words[ends] - before != per_line + 1).any():
        return None
    if (words[colons] - np.repeat(before, per_line) != place + 2).any():
        return None
    numbers = _numbers(block.replace(b"qid:", b" ").replace(b":", b" "))
    if numbers is None or numbers.size != 2 * len(colons):
        return None
    heads = 2 * first
    label, query = numbers[heads], numbers[heads + 1]
    features = np.ones(len(colons), bool)
    features[first] = False  # a line's first colon is the query's
    ids, values = numbers.reshape(-1, 2)[features].T
    row = np.repeat(np.arange(len(ends)), per_line - 1)
    whole = all(np.array_equal(x, np.floor(x)) for x in (label, query, ids))
    new = np.diff(row, prepend=-1) > 0
    ascending = (np.diff(ids, prepend=0) > 0) | new
    good = (
        whole
        and np.isnan(values).sum() == missing == block.count(b"nan")
        and (np.abs(values[~np.isnan(values)]) <= LARGEST).all()
        and ((label >= 0) & (label <= HIGHEST_LABEL)).all()
        and ((query >= 0) & (query < WHOLE)).all()
        and ((ids >= 1) & (ids <= MOST_FEATURES)).all()
        and ascending.all()
    )
    if not good:
        return None
    return label.astype(int), query.astype(int), row, ids.astype(int), values


def _numbers(text: bytes) -> np.ndarray | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return np.fromstring(text, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def parse_lines(path: Path, number: int, block: bytes, declared: int) -> Parsed:
    """Parses a block row by row: slowly, but errors say which line is wrong."""
    rows = []
    for i, line in enumerate(block.splitlines()):
        words = COMMENT.sub(b"", line).split()
        if not words:
            continue
        if b"\0" in line:
            raise ValueError(f"{path}, line {number + i}: it holds bytes that are no text")
        try:
            rows.append(_parse_row([w.decode("ascii", "replace") for w in words], declared))
        except ValueError as error:
            raise ValueError(f"{path}, line {number + i}: {error}") from None
    lengths = [len(r.ids) for r in rows]
    return (
        np.array([r.label for r in rows], int),
        np.array([r.query for r in rows], object),
        np.repeat(np.arange(len(rows)), lengths),
        np.concatenate([r.ids for r in rows]) if rows else np.zeros(0, int),
        np.concatenate([r.values for r in rows]) if rows else np.zeros(0),
    )


def _parse_row(words: list[str], declared: int) -> Row:
    label = _integer(words[0], "the label")
    if label > HIGHEST_LABEL:
        raise ValueError(f"the label {label} is above {HIGHEST_LABEL}")
    if len(words) < 2 or not words[1].startswith("qid:"):
        raise ValueError("the row has no qid: write `label qid:Q 1:v 2:v ...`")
    query = _query(words[1].removeprefix("qid:"))
    ids: list[int] = []
    values: list[float] = []
    for word in words[2:]:
        name, colon, text = word.partition(":")
        if not colon:
            raise ValueError(f"{word!r:.60} is not a feature: write id:value")
        number = _integer(name, "a feature's id")
        if ids and number <= ids[-1]:
            raise ValueError(f"feature {number} stands after feature {ids[-1]}: sort them")
        if number < 1:
            raise ValueError("feature ids begin at 1")
        if declared and number > declared:
            raise ValueError(f"feature {number} is above the {declared} declared")
        if number > MOST_FEATURES:
            raise ValueError(
                f"feature {number} is above {MOST_FEATURES:,}, the highest that is read: "
                "number the features without gaps"
            )
        try:
            value = math.nan if text == "NULL" else float(text)
        except ValueError:
            raise ValueError(
                f"feature {number} is {text!r:.60}, which is no number"
            ) from None
        if not abs(value) <= LARGEST and text != "NULL":  # NaN, too
            raise ValueError(f"feature {number} is {text}, which is not finite")
        ids.append(number)
        values.append(value)
    return Row(label, query, np.array(ids, int), np.array(values, float))


def _query(text: str) -> int:
    """The exact number of a qid."""
    if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS:
        return int(text)
    return _integer(text, "the qid")


def _integer(text: str, what: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value.is_integer() or value < 0:
        raise ValueError(f"{what} is {text!r:.60}, which is not a whole number from 0 up")
    return int(value)


def line_of_row(block: bytes, row: int) -> int:
    """The line in a block, from 0, of its ``row``-th row; blank lines do not count."""
    lines = [i for i, x in enumerate(block.splitlines()) if COMMENT.sub(b"", x).strip()]
    return lines[row]
