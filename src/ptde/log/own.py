"""A logger of the user's own: ``module:callable``."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptde.log.base import AbstractLogger, LogRow
from ptde.trust import check_callable, check_target


class OwnLogger(AbstractLogger):
    """A logger made by a callable of the run folder and the run's config as plain data.

    What the callable returns is called with each row. It may be a context manager, or have
    a method ``close``.
    """

    package = ""

    def __init__(self, target: str):
        self.target = target
        self.make: Callable[[Path, dict[str, Any]], Any] = _load(target)

    def check(self) -> None:
        pass  # it is there, or __init__ would have said so

    def start(self, folder: Path, run: dict[str, Any]) -> None:
        made = self.make(folder, run)
        self.made = made
        self.hear = made.__enter__() if hasattr(made, "__enter__") else made
        if not callable(self.hear):
            self.close()
            raise ValueError(
                f"--log {self.target}: it made a {type(self.hear).__name__}, which cannot "
                "be called with a row: return a function, or an object with __call__"
            )

    def row(self, row: LogRow) -> None:
        self.hear(row)

    def close(self) -> None:
        if hasattr(self.made, "__exit__"):
            self.made.__exit__(None, None, None)
        elif hasattr(self.made, "close"):
            self.made.close()


def _load(target: str) -> Callable[..., Any]:
    """The callable that a target names. ValueError says what is wrong with it."""
    check_target(target, "--log")
    module, _, name = target.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:  # the installed command does not search this folder
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--log {target}: cannot import {module!r} ({error}): is it installed, or in "
            "the folder that you start ptde in?"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"--log {target}: {module!r} has no {part!r}")
        found = getattr(found, part)
    if not callable(found):
        raise ValueError(
            f"--log {target}: that is a {type(found).__name__}: name a function or class"
        )
    check_callable(target, found)
    return found
