"""Trust in run folders and plans, which is checked before anything in them is used.

Folders and plans are passed around. ``module:callable`` in one of them is imported only if
the user agrees: by naming it (``env:module:callable``), by ``--trust``, or because this
user's own ptde wrote the folder, which is proved by a message authentication code of
``run.json`` under a key that only this user can read. See docs/security.md.
"""

import functools
import hashlib
import hmac
import importlib
import inspect
import os
import re
import secrets
import stat
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import MethodType
from typing import Any

from ptde.files import writing
from ptde.paths import config_folder
from ptde.validation import flag

ORIGIN = "origin"
"""File in a run folder: a code for each ``run.json`` that this user's ptde wrote there."""
KEY = "key"
"""File in the user's configuration folder: 32 random bytes, mode 0600."""
EVERYTHING = "*"
NO_CODE = ("ranking.data", "processes.kwargs")
"""Options whose text may hold a colon without naming code."""
TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
"""Form of ``module:callable``: dots between names, and nothing else."""

_allowed: ContextVar[frozenset[str]] = ContextVar("_allowed", default=frozenset())


class Untrusted(ValueError):
    """A folder or a plan wants something that the user has not agreed to."""


@contextmanager
def trusting(*targets: str) -> Iterator[None]:
    """A context in which folders and plans may import these, or all they name if none.

    Args:
        targets: as ``module:callable``.
    """
    more = frozenset(targets) or frozenset([EVERYTHING])
    token = _allowed.set(_allowed.get() | more)
    try:
        yield
    finally:
        _allowed.reset(token)


def trusted_words() -> list[str]:
    """The trusted targets, as words for the command line of another process."""
    here = sorted(_allowed.get())
    return ["--trust" if target == EVERYTHING else f"env:{target}" for target in here]


def targets_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The ``module:callable`` of each option that names code."""
    return {
        name: value.partition(",")[0]
        for name, value in options.items()
        if isinstance(value, str) and ":" in value and name not in NO_CODE
    }


def check_target(target: str, option: str = "--map") -> None:
    """ValueError unless this is ``module:callable``, of a module that is not Python's."""
    if not TARGET.fullmatch(target):
        raise ValueError(
            f"{option} {target!r} names no {_kind(option)}: type module:callable, such as "
            "my_game:MyGame for the class MyGame in my_game.py"
        )
    if _standard(target):
        raise ValueError(
            f"{target} is of Python's own library, which holds no {_kind(option)}: nothing "
            "was imported. Type module:callable of a module of yours (one that is called "
            "like a part of Python's library must be renamed)"
        )


def check_callable(target: str, found: Any) -> None:
    """Raises ValueError unless an imported object is a class or function, not Python's own.

    The user's modules hold some of Python's, too: ``my_game:subprocess.run``.
    """
    inner = inspect.unwrap(found)
    while isinstance(inner, functools.partial):
        inner = inner.func
    if isinstance(inner, MethodType):
        inner = inner.__func__
    if not callable(inner):
        raise ValueError(f"{target} is a {type(inner).__name__}: name a class or function")
    plain = inspect.isclass(inner) or inspect.isfunction(inner)
    if not plain or _standard(str(inner.__module__)):
        raise ValueError(
            f"{target} is {inner!r}, which is no class or function of yours: it was not "
            "called. Name the class, or the function, that makes the world"
        )


def import_callable(target: str, option: str = "--map") -> Callable[..., Any]:
    """The class or function of the user's that ``module:callable`` names.

    It may lie in the folder where ptde was started, unless it is one of ptde's own.

    Args:
        target: ``module:callable``.
        option: the option that the user typed, for errors.

    Raises:
        ValueError: there is none, or its module raised something; in one line.
    """
    check_target(target, option)
    module, _, name = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path and not module.startswith("ptde."):
        sys.path.insert(0, here)  # the installed command does not search this folder
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{option} {target}: cannot import {module!r} ({error}): is it installed, or "
            "in the folder that you start ptde in?"
        ) from error
    except Exception as error:
        raise ValueError(
            f"{option} {target}: cannot import {module!r}: it raised {told(error)}"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(
                f"{option} {target}: {module!r} has no {part!r}: type {option} "
                f"{module}:NAME"
            )
        found = getattr(found, part)
    check_callable(target, found)
    return found


def told(error: Exception, module: str = "") -> str:
    """An error in one line: its type, message and place, in this module if it can be."""
    frames = [*traceback.extract_tb(error.__traceback__)]
    file = getattr(sys.modules.get(module), "__file__", None)
    frames = [frame for frame in frames if frame.filename == file] or frames
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}"


def own_place(error: BaseException) -> str:
    """The last place in code of the user's that an error came through, in parentheses; ""
    if there is none.
    """
    known = {Path(place) for place in sysconfig.get_paths().values()}
    known |= {Path(__file__).parent, Path(sys.prefix), Path(sys.base_prefix) / "lib"}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if file.suffix == ".py" and not known & {*file.parents}:
            return f" ({file}, line {frame.lineno}, in {frame.name})"
    return ""


def _kind(option: str) -> str:
    return "world" if option == "--map" else "part"


def _standard(name: str) -> bool:
    root = name.partition(":")[0].partition(".")[0]
    return root in sys.stdlib_module_names or root in sys.builtin_module_names


def sign(folder: Path, text: bytes) -> None:
    """Signs ``text``, which is about to be written as the folder's ``run.json``.

    Where no key can be kept, nothing is signed: the folder then counts as a stranger's.
    """
    key = _key(make=True)
    if key is None:
        return
    path, line = folder / ORIGIN, f"\n{_code(key, text)}\n"  # apart from what was cut off
    with writing(path, len(line)), path.open("a") as file:
        file.write(line)  # before run.json: a crash between is no loss


def is_own(folder: Path, text: bytes) -> bool:
    """Whether this user's ptde wrote ``text`` as the ``run.json`` of a folder."""
    key = _key(make=False)
    try:
        codes = (folder / ORIGIN).read_text().split()
    except (OSError, UnicodeDecodeError):
        return False
    if key is None:
        return False
    mine = _code(key, text).encode()
    return any(hmac.compare_digest(mine, code.encode()) for code in codes)


def _code(key: bytes, text: bytes) -> str:
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def _key(make: bool) -> bytes | None:
    """This user's key; None if there is none, or if others could have read or set it."""
    path = config_folder() / KEY
    if make and not path.exists():
        with suppress(OSError):
            _make_key(path)
    try:
        about = path.lstat()
        mine = stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid()
        if not mine or about.st_mode & 0o077:
            return None
        return path.read_bytes() or None
    except OSError:
        return None


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{KEY}.{os.getpid()}")
    with os.fdopen(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
    ) as file:
        file.write(secrets.token_bytes(32))
    try:
        os.link(part, path)  # fails if another process was first, whose key then stays
    finally:
        part.unlink()


def check_run(
    folder: Path, text: bytes, options: Mapping[str, Any], data: str = ""
) -> None:
    """Checks what a run folder would import and read.

    Args:
        folder: the run folder.
        text: its ``run.json``.
        options: the run's options by dotted name; each that is ``module:callable`` counts.
        data: a data file that is going to be read; "" for none.

    Raises:
        Untrusted: the user has not agreed, and this user's ptde did not write the folder.
        ValueError: a target cannot be a world or part at all.
    """
    named = targets_of(options)
    for name, target in named.items():
        check_target(target, flag(name))
    unknown = {name: t for name, t in named.items() if not _agreed(t)}
    outside = data if data and not _within(folder, data) and not _agreed("") else ""
    if not (unknown or outside) or is_own(folder, text):
        return
    if outside:
        raise Untrusted(
            f"{folder} was not written by your ptde, and would read {outside}, which lies "
            "outside it: nothing was read. If you know where the folder comes from, add "
            "--trust"
        )
    name, target = next(iter(unknown.items()))
    kwargs = options.get("processes.kwargs") if name == "map" else ""
    typed = options[name].partition(",")[2]
    given = f", and call it with {kwargs or repr(typed)}" if kwargs or typed else ""
    raise Untrusted(
        f"{folder} was not written by your ptde, and would import {target}{given}: nothing "
        f"was imported. If that is code that you know, name it: env:{target}; or trust all "
        "that the folder names: --trust"
    )


def check_plan(maps: Sequence[str], options: Mapping[str, Any]) -> None:
    """Raises Untrusted if a plan names ``module:callable`` that the user did not allow."""
    named = [(f"--{name}", target) for name, target in targets_of(options).items()]
    played = [("--map", name.partition(",")[0]) for name in maps if ":" in name]
    for option, target in [*played, *named]:
        check_target(target, option)
        if not _agreed(target):
            raise Untrusted(
                f"this plan would import {target}: nothing was imported. If that is code "
                f"that you know, name it: env:{target}; or trust all that it names: --trust"
            )


def _agreed(target: str) -> bool:
    return bool(_allowed.get() & {target, EVERYTHING})


def _within(folder: Path, path: str) -> bool:
    return Path(path).resolve().is_relative_to(folder.resolve())


def check_inside(folder: Path) -> None:
    """Raises ValueError if something in a folder leads out of it, or is no file or folder.

    A link in a folder from elsewhere could make ptde read, or write over, another file of
    the user's.
    """
    root = folder.resolve()
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(place) / name
            try:
                kind = path.lstat().st_mode
            except FileNotFoundError:  # a file in the making, of a run that goes on there
                continue
            if stat.S_ISLNK(kind) and not path.resolve().is_relative_to(root):
                raise ValueError(
                    f"{path} is a link that leads out of {folder}, to {path.resolve()}: "
                    "put the file itself there, or remove the link"
                )
            if not (stat.S_ISLNK(kind) or stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                raise ValueError(f"{path} is neither a file nor a folder: remove it")


def split_words(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The words without ``--trust`` and ``env:module:callable``, and the trusted targets:
    an empty list stands for all, None for neither being typed.
    """
    named = [w.removeprefix("env:") for w in words if w.startswith("env:")]
    for target in named:
        check_target(target)
    rest = [w for w in words if w != "--trust" and not w.startswith("env:")]
    if "--trust" in words:
        return rest, []
    return rest, named or None
