"""Writing files whole or not at all, with errors of a full disk that say what to do."""

import difflib
import errno
import fcntl
import glob
import json
import os
import secrets
import shlex
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

LOCK = ".lock"
"""File in a run folder that is locked by the process that trains there."""
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""Errors of a disk that has no file locks."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, None)
"""Errors of a disk that is full; some libraries report it without a number."""
PAGE_SIZE = 1_000_000
"""Bytes that a picture or a page takes at most, about."""
LEFT_OVER = 86_400.0
"""Seconds after which a file in the making has been left by a process that was killed."""


def shell(path: Path | str) -> str:
    """A path as a shell takes it, for commands that are printed to be typed."""
    return shlex.quote(str(path))


@contextmanager
def writing(path: Path, size: int) -> Iterator[None]:
    """A context in which ``path`` is written, which takes about ``size`` bytes.

    Raises:
        OSError: it cannot be written; the message names the file and what to do, and the
            space that it needs, if the disk is full.
    """
    try:
        yield
    except OSError as error:
        raise unwritable(path, size, error) from error


def check_writable(folder: Path) -> None:
    """Raises OSError as ``writing`` does if nothing can be written into a folder."""
    with writing(folder, 0), tempfile.TemporaryFile(dir=folder):
        pass


def unwritable(path: Path, size: int, error: OSError) -> OSError:
    """The error of a file that could not be written, in one line that says what to do."""
    why = os.strerror(error.errno) if error.errno else str(error)
    advice = "type another path (`--out`), or make it writable"
    if error.errno in FULL:
        advice = f"{_size(size)} are needed, {_size(_free(path))} are free. What was saved "
        advice += "before is whole: make room, then `ptde resume` the run"
    return OSError(error.errno, f"cannot write it ({why}): {advice}", str(path))


def _free(path: Path) -> int:
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    with suppress(OSError):
        return shutil.disk_usage(place).free
    return 0


def _size(count: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


@contextmanager
def whole(path: Path, size: int = PAGE_SIZE) -> Iterator[Path]:
    """A context with a path to write to, which in the end replaces ``path``, or vanishes.

    It has the same suffix, from which many libraries infer the format, and a name that no
    other writer of ``path`` has.

    Raises:
        OSError: as ``writing`` does.
    """
    mark = f"{os.getpid()}-{secrets.token_hex(4)}"
    part = path.with_name(f".{path.stem}.{mark}.part{path.suffix}")
    try:
        with writing(path, size):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_left_over(path)
            yield part
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _remove_left_over(path: Path) -> None:
    """Removes what writers of a file left when they were killed."""
    stem, suffix = glob.escape(path.stem), glob.escape(path.suffix)
    for part in path.parent.glob(f".{stem}.*.part{suffix}"):
        with suppress(OSError):  # it may be gone by now
            if time.time() - part.stat().st_mtime > LEFT_OVER:
                part.unlink()


def write_whole(path: Path, data: str | bytes) -> None:
    """Writes a file whole or not at all. OSError as in ``whole``."""
    raw = data.encode() if isinstance(data, str) else data
    with whole(path, len(raw)) as part:
        part.write_bytes(raw)


def read_object(path: Path, text: bytes | None = None) -> dict[str, Any]:
    """The object in a JSON file, or in ``text`` that was read from it.

    Raises:
        ValueError: the file is missing, or holds something else; the message names it.
    """
    try:
        data = json.loads(path.read_bytes() if text is None else text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: it is not JSON ({error})") from None
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    if not isinstance(data, dict):
        kind = type(data).__name__
        raise ValueError(f"{path} is damaged: it holds a {kind}, not names and values")
    return data


class Held(Exception):
    """Another process holds a lock; the message says which, as ``PID on HOST``."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A context in which no other process holds the lock on a file, which is made.

    The system releases the lock when the process ends, however it ends.

    Raises:
        Held: another process holds it.
        OSError: the file cannot be written, or its disk has no locks.
    """
    size = 80
    with writing(path, size):
        file = open(path, "a+")  # noqa: SIM115 - it is closed below
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Held(file.read()) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            raise OSError(
                error.errno,
                f"this disk has no file locks ({os.strerror(error.errno)}), without which "
                "two programs could train in one folder: have it mounted with them "
                "(Lustre: -o flock), or type another --out",
                str(path),
            ) from None
        with writing(path, size):
            file.truncate(0)
            os.write(file.fileno(), f"{os.getpid()} on {socket.gethostname()}".encode())
        yield


def another_run(folder: Path) -> str:
    """What to type in place of a folder that holds no run."""
    within = sorted(folder.glob("*/*/[!.]*/run.json"))
    if within:
        return (
            f"It is a comparison's: type one of its runs, e.g. {within[0].parent}, or "
            "`ptde compare` again, which goes on with them all"
        )
    beside = {path.parent.name for path in folder.parent.glob("*/run.json")}
    for name in difflib.get_close_matches(folder.name, sorted(beside), n=1):
        return f"Did you mean {folder.parent / name}?"
    return "Type the path that `ptde run` printed, e.g. runs/smax-3m-qmix_gip-0"
