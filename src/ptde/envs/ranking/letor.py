"""LETOR / SVMlight files: one row a document, ``label qid:Q 1:v 2:v ... # comment``.

A file is read in blocks, so its size does not matter. NumPy parses a whole block at once;
a block that is not exactly what it should be is read again line by line, which finds the
line that is wrong. What was read is kept as raw arrays under the checksum of the source.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ptde.paths import cache_folder

BLOCK = 4_000_000
"""Bytes that are parsed at once."""
HIGHEST_LABEL = 30
"""Gains are 2^label - 1."""
LARGEST = float(np.finfo(np.float32).max)
VERSION = 1
"""Of the kept arrays."""

Progress = Callable[[str, int, int], None]
"""Is told a file's name, the bytes of it that are read, and all its bytes."""


@dataclass(frozen=True)
class Queries:
    """The documents of one file, query by query."""

    features: np.ndarray
    """[rows, features], float32; on disk if the file is large."""
    labels: np.ndarray
    """[rows], uint8: graded relevance, 0 is none."""
    ids: np.ndarray
    """[queries]: the file's qid."""
    starts: np.ndarray
    """[queries + 1]: query i has the rows ``starts[i]`` to ``starts[i + 1]``."""

    @property
    def sizes(self) -> np.ndarray:
        """[queries]: documents of each."""
        return np.diff(self.starts)


@dataclass(frozen=True)
class Row:
    """One line of a file."""

    label: int
    query: int
    ids: np.ndarray
    values: np.ndarray


def files_of(path: Path) -> list[Path]:
    """The data files at a path: the file, or a folder's; of MSLR's folds, the first.

    Every fold of MSLR holds the same queries, cut in another way.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise ValueError(f"{path} does not exist: type --data with a LETOR file or folder")
    if (path / "Fold1").is_dir():
        path = path / "Fold1"
    pattern = re.compile(r".*\.(txt|svmlight|libsvm|letor)(\.gz)?")
    files = sorted(p for p in path.iterdir() if pattern.fullmatch(p.name))
    if not files:
        raise ValueError(
            f"{path} holds no .txt, .svmlight, .libsvm or .letor file (or .gz)"
        )
    return files


def read_letor(
    path: Path | str,
    features: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> list[Queries]:
    """The queries of a file or folder, from the kept arrays if it was read before.

    Args:
        path: a LETOR file, plain or gzip, or a folder of them (``files_of``).
        features: how many a row may have; 0 takes the largest id that there is.
        cache: where arrays are kept; None is ``~/.cache/ptde/letor``.
        progress: is told how far a file is read.

    Raises:
        ValueError: names file and line of a row that is wrong; an empty or truncated file.
    """
    cache = cache or cache_folder() / "letor"
    parts = [_read_file(f, features, cache, progress) for f in files_of(Path(path))]
    widths = {part.features.shape[1] for part in parts}
    if len(widths) > 1 and not features:
        return read_letor(path, max(widths), cache, progress)
    return parts


def _read_file(
    path: Path, features: int, cache: Path, progress: Progress | None
) -> Queries:
    about = path.stat()
    checksum = _checksum(path, about.st_size, about.st_mtime_ns)
    folder = cache / f"{path.name}-{checksum[:16]}-{features}"
    kept = _load(folder)
    if kept is not None:
        return kept
    part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        _convert(path, features, part, checksum, progress)
        shutil.rmtree(folder, ignore_errors=True)
        part.replace(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    result = _load(folder)
    assert result is not None
    return result


@lru_cache
def _checksum(path: Path, size: int, changed: int) -> str:
    """The file's sha256; a file of the same size and time of change is not read again."""
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _load(folder: Path) -> Queries | None:
    """The kept arrays; None if there are none or they are not whole."""
    try:
        about = json.loads((folder / "about.json").read_text())
        rows, width = about["rows"], about["features"]
        size = (folder / "features.f32").stat().st_size
        if about["version"] != VERSION or size != 4 * rows * width:
            return None
        labels = np.fromfile(folder / "labels.u8", np.uint8)
        table = np.load(folder / "queries.npy")
        if len(labels) != rows:
            return None
        shape = (rows, width)
        matrix = np.memmap(folder / "features.f32", np.float32, "r", shape=shape)
    except (OSError, ValueError, KeyError):
        return None
    return Queries(matrix, labels, table[:, 0], np.append(table[:, 1], rows))


class _WiderError(Exception):
    """A row has more features than the arrays that are being written."""


def _convert(
    path: Path, features: int, folder: Path, checksum: str, progress: Progress | None
) -> None:
    width = features
    while True:
        try:
            rows, width, table = _write(path, features, width, folder, progress)
            break
        except _WiderError as error:
            width = error.args[0]
    if not rows:
        raise ValueError(f"{path} holds no row: `label qid:Q 1:v 2:v ...` is one")
    np.save(folder / "queries.npy", np.array(table, np.int64).reshape(-1, 2))
    about = {
        "version": VERSION,
        "source": path.name,
        "sha256": checksum,
        "rows": rows,
        "features": width,
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1))


def _write(
    path: Path, declared: int, width: int, folder: Path, progress: Progress | None
) -> tuple[int, int, list[tuple[int, int]]]:
    """Rows, features, and (qid, first row) of every query."""
    rows, seen = 0, set()
    table: list[tuple[int, int]] = []
    with (
        open(folder / "features.f32", "wb") as matrix,
        open(folder / "labels.u8", "wb") as labels,
    ):
        for number, block in _blocks(path, progress):
            found = _parse_block(block)
            if found is None:
                found = _parse_lines(path, number, block, declared)
            label, query, row, ids, values = found
            if not len(label):
                continue
            largest = int(ids.max(initial=0))
            if largest > width:
                if declared:
                    _parse_lines(path, number, block, declared)  # names the line
                if rows:
                    raise _WiderError(largest)
                width = largest
            for i in np.flatnonzero(np.diff(query, prepend=table[-1][0] if table else -1)):
                if query[i] in seen:
                    line = number + _line_of_row(block, int(i))
                    raise ValueError(
                        f"{path}, line {line}: the rows of qid {query[i]} are not "
                        "contiguous: sort the file by query"
                    )
                seen.add(query[i])
                table.append((int(query[i]), rows + int(i)))
            dense = np.zeros((len(label), width), np.float32)
            dense[row, ids - 1] = values
            dense.tofile(matrix)
            label.astype(np.uint8).tofile(labels)
            rows += len(label)
    return rows, width, table


def _blocks(path: Path, progress: Progress | None) -> Iterator[tuple[int, bytes]]:
    """Whole lines, some MB at a time, and the number of the first of them, from 1."""
    number, size = 1, path.stat().st_size
    with open(path, "rb") as raw:
        source: BinaryIO | gzip.GzipFile = raw
        if raw.read(2) == b"\x1f\x8b":
            source = gzip.GzipFile(fileobj=raw)
        raw.seek(0)
        while True:
            try:
                block = source.read(BLOCK)
                block += source.readline()
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise ValueError(
                    f"{path} is a damaged gzip file, good to line {number - 1}: {error}"
                ) from error
            if not block:
                return
            yield number, block if block.endswith(b"\n") else block + b"\n"
            number += block.count(b"\n")
            if progress is not None:
                progress(path.name, raw.tell(), size)


def document_ids(path: Path) -> list[str]:
    """What each row's document is called: ``#docid = NAME``, else the row's number."""
    names: list[str] = []
    for _, block in _blocks(path, None):
        for line in block.splitlines():
            row, _, comment = line.partition(b"#")
            if row.strip():
                found = re.search(rb"docid\s*=\s*(\S+)", comment)
                name = found[1].decode("utf-8", "replace") if found else None
                names.append(name or str(len(names) + 1))
    return names


_COMMENT = re.compile(rb"#[^\n]*")
Parsed = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""label [rows], qid [rows], and of every feature its row, id and value."""


def _parse_block(block: bytes) -> Parsed | None:
    """All rows of a block at once; None if anything in it is not as it should be."""
    if b"#" in block:
        block = _COMMENT.sub(b"", block)
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
        and (np.abs(values) <= LARGEST).all()
        and ((label >= 0) & (label <= HIGHEST_LABEL)).all()
        and (query >= 0).all()
        and (ids >= 1).all()
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


def _parse_lines(path: Path, number: int, block: bytes, declared: int) -> Parsed:
    """Row by row: slow, and says which line is wrong."""
    rows = []
    for i, line in enumerate(block.splitlines()):
        words = _COMMENT.sub(b"", line).split()
        if not words:
            continue
        try:
            rows.append(_parse_row([w.decode("ascii", "replace") for w in words], declared))
        except ValueError as error:
            raise ValueError(f"{path}, line {number + i}: {error}") from None
    lengths = [len(r.ids) for r in rows]
    return (
        np.array([r.label for r in rows], int),
        np.array([r.query for r in rows], int),
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
    query = _integer(words[1].removeprefix("qid:"), "the qid")
    ids: list[int] = []
    values: list[float] = []
    for word in words[2:]:
        name, colon, text = word.partition(":")
        if not colon:
            raise ValueError(f"{word!r} is not a feature: write id:value")
        number = _integer(name, "a feature's id")
        if ids and number <= ids[-1]:
            raise ValueError(f"feature {number} stands after feature {ids[-1]}: sort them")
        if number < 1:
            raise ValueError("feature ids begin at 1")
        if declared and number > declared:
            raise ValueError(f"feature {number} is above the {declared} declared")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"feature {number} is {text!r}, which is no number") from None
        if not abs(value) <= LARGEST:  # NaN, too
            raise ValueError(f"feature {number} is {text}, which is not finite")
        ids.append(number)
        values.append(value)
    return Row(label, query, np.array(ids, int), np.array(values, float))


def _integer(text: str, what: str) -> int:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value.is_integer() or value < 0:
        raise ValueError(f"{what} is {text!r}, which is not a whole number from 0 up")
    return int(value)


def _line_of_row(block: bytes, row: int) -> int:
    """The line in a block, from 0, of its ``row``-th row; blank lines are no rows."""
    lines = [i for i, x in enumerate(block.splitlines()) if _COMMENT.sub(b"", x).strip()]
    return lines[row]
