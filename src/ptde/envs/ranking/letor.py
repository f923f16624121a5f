"""LETOR / SVMlight files: one row per document, ``label qid:Q 1:v 2:v ... # comment``.

A file is read in blocks (``rows.py``), so it may be larger than memory. The arrays are
cached under the checksum of the source.
"""

import codecs
import gzip
import hashlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ptde.envs.ranking.rows import line_of_row, parse_block, parse_lines
from ptde.files import writing
from ptde.paths import cache_folder

BLOCK = 4_000_000
"""Bytes that are parsed at once."""
DENSE = 64_000_000
"""Bytes of a dense matrix that is held at once."""
VERSION = 2
"""Version of the cached arrays."""

Progress = Callable[[str, int, int], None]
"""Called with a file's name, the bytes of it read so far, and its size in bytes."""


@dataclass(frozen=True)
class Queries:
    """The documents of one file, query by query."""

    features: np.ndarray
    """[rows, features], float32; on disk if the file is large."""
    labels: np.ndarray
    """[rows], uint8: graded relevance, 0 is none."""
    ids: np.ndarray
    """[queries]: the file's qid, as text, as it may have more digits than an integer."""
    starts: np.ndarray
    """[queries + 1]: query i has the rows ``starts[i]`` up to ``starts[i + 1]``."""
    missing: int = 0
    """Number of values that are NaN, which the file calls NULL."""

    @property
    def sizes(self) -> np.ndarray:
        """[queries]: the number of documents of each."""
        return np.diff(self.starts)


def files_of(path: Path) -> list[Path]:
    """The data files at a path: the file, or a folder's. ValueError if there are none.

    Of MSLR's folds it takes the first: all hold the same queries, split in another way.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        below = "" if path.is_absolute() else f" in {Path.cwd()}"
        raise ValueError(
            f"{path}, the run's data, does not exist{below}: a LETOR file or folder must "
            "lie there (`ptde run --data` names another)"
        )
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
    """The queries of a file or folder, from the cache if it was read before.

    Args:
        path: a LETOR file, plain or gzip, or a folder of them (``files_of``).
        features: features that a row may have; 0 takes the largest id that there is.
        cache: folder for the arrays; None is ``~/.cache/ptde/letor``.
        progress: called after each block.

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
    """The file's sha256, kept while the file's size and modification time stay the same."""
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def _load(folder: Path) -> Queries | None:
    """The cached arrays; None if there are none or they are incomplete."""
    try:
        about = json.loads((folder / "about.json").read_text())
        rows, width = about["rows"], about["features"]
        size = (folder / "features.f32").stat().st_size
        if about["version"] != VERSION or size != 4 * rows * width:
            return None
        labels = np.fromfile(folder / "labels.u8", np.uint8)
        ids, starts = np.load(folder / "ids.npy"), np.load(folder / "starts.npy")
        if len(labels) != rows or len(ids) != len(starts):
            return None
        shape = (rows, width)
        matrix = np.memmap(folder / "features.f32", np.float32, "r", shape=shape)
    except (OSError, ValueError, KeyError):
        return None
    return Queries(matrix, labels, ids, np.append(starts, rows), about["missing"])


class _WiderError(Exception):
    """A row has more features than the arrays that are being written."""


def _convert(
    path: Path, features: int, folder: Path, checksum: str, progress: Progress | None
) -> None:
    width = features
    while True:
        try:
            rows, width, table, gaps = _write(path, features, width, folder, progress)
            break
        except _WiderError as error:
            width = error.args[0]
    if not rows:
        raise ValueError(f"{path} holds no row: `label qid:Q 1:v 2:v ...` is one")
    if not width:
        raise ValueError(f"{path} holds no feature: a row is `label qid:Q 1:v 2:v ...`")
    np.save(folder / "ids.npy", np.array([name for name, _ in table]))
    np.save(folder / "starts.npy", np.array([first for _, first in table], np.int64))
    about = {
        "version": VERSION,
        "source": path.name,
        "sha256": checksum,
        "rows": rows,
        "features": width,
        "missing": gaps,
    }
    (folder / "about.json").write_text(json.dumps(about, indent=1))


def _write(
    path: Path, declared: int, width: int, folder: Path, progress: Progress | None
) -> tuple[int, int, list[tuple[str, int]], int]:
    """Rows, features, (qid, first row) of every query, and how many values are missing."""
    rows, gaps, seen = 0, 0, set()
    table: list[tuple[str, int]] = []
    with (
        open(folder / "features.f32", "wb") as matrix,
        open(folder / "labels.u8", "wb") as labels,
    ):
        for number, block in _blocks(path, progress):
            found = parse_block(block)
            if found is None:
                found = parse_lines(path, number, block, declared)
            label, query, row, ids, values = found
            if not len(label):
                continue
            largest = int(ids.max(initial=0))
            if largest > width:
                if declared:
                    parse_lines(path, number, block, declared)  # names the line
                if rows:
                    raise _WiderError(largest)
                width = largest
            for i in (0, *(np.flatnonzero(query[1:] != query[:-1]) + 1)):
                name = str(query[i])
                if table and name == table[-1][0]:
                    continue
                if name in seen:
                    line = number + line_of_row(block, int(i))
                    raise ValueError(
                        f"{path}, line {line}: the rows of qid {name} are not "
                        "contiguous: sort the file by query"
                    )
                seen.add(name)
                table.append((name, rows + int(i)))
            with writing(folder / "features.f32", 4 * len(label) * width):
                _write_dense(matrix, len(label), width, row, ids, values)
                label.astype(np.uint8).tofile(labels)
            rows, gaps = rows + len(label), gaps + int(np.isnan(values).sum())
    return rows, width, table, gaps


def _write_dense(
    file: BinaryIO,
    rows: int,
    width: int,
    row: np.ndarray,
    ids: np.ndarray,
    values: np.ndarray,
) -> None:
    """Writes the matrix of a block's rows, some rows at a time."""
    some = max(1, DENSE // (4 * max(width, 1)))
    for first in range(0, rows, some):
        last = min(first + some, rows)
        part = slice(*np.searchsorted(row, (first, last)))
        dense = np.zeros((last - first, width), np.float32)
        dense[row[part] - first, ids[part] - 1] = values[part]
        dense.tofile(file)


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
            if number == 1:
                block = block.removeprefix(codecs.BOM_UTF8)
            yield number, block if block.endswith(b"\n") else block + b"\n"
            number += block.count(b"\n")
            if progress is not None:
                progress(path.name, raw.tell(), size)


def document_ids(path: Path) -> list[str]:
    """The name of each row's document: ``#docid = NAME``, else the row's number."""
    names: list[str] = []
    for _, block in _blocks(path, None):
        for line in block.splitlines():
            row, _, comment = line.partition(b"#")
            if row.strip():
                found = re.search(rb"docid\s*=\s*(\S+)", comment)
                name = found[1].decode("utf-8", "replace") if found else None
                names.append(name or str(len(names) + 1))
    return names
