"""A logger of the user's own: ``module:callable``."""

from pathlib import Path
from typing import Any

from ptde.log.base import AbstractLogger, LogRow
from ptde.trust import import_callable


class OwnLogger(AbstractLogger):
    """A logger made by a callable of the run folder and the run's config as plain data.

    What the callable returns is called with each row. It may be a context manager, or have
    a method ``close``.
    """

    package = ""

    def __init__(self, target: str):
        self.target = target
        self.make = import_callable(target, "--log")

    def check(self) -> None:
        pass  # it is there, or __init__ would have said so

    def start(self, folder: Path, run: dict[str, Any]) -> None:
        made = self.make(folder, run)
        self.made = made
        self.hear = made.__enter__() if hasattr(made, "__enter__") else made
        if not callable(self.hear):
            self.close()
            raise TypeError(
                f"it made a {type(self.hear).__name__}, which cannot be called with a row "
                "(return a function, or an object with __call__)"
            )

    def row(self, row: LogRow) -> None:
        self.hear(row)

    def close(self) -> None:
        if hasattr(self.made, "__exit__"):
            self.made.__exit__(None, None, None)
        elif hasattr(self.made, "close"):
            self.made.close()
