"""Interface of the loggers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

LogRow: TypeAlias = Mapping[str, int | float]
"""Numbers by name: ``joint_steps``, the x axis, and measures with the name of their stage,
as ``teacher/win_rate``; see ``log_row``."""


class AbstractLogger(ABC):
    """Takes each row of a run once, in order.

    A run that was stopped starts it again in the same folder, where it continues.
    """

    name: ClassVar[str]
    """Name of the logger, typed behind ``--log``."""
    package: ClassVar[str]
    """The module that it needs; the extra that installs it has the logger's name."""

    def check(self) -> None:
        """Raises ValueError, with the line to type, if its package is not installed."""
        if find_spec(self.package) is None:
            raise ValueError(
                f"--log {self.name} needs {self.package}, which is not installed: type "
                f"pip install 'ptde[{self.name}]', or go on without: --log none"
            )

    @abstractmethod
    def start(self, folder: Path, run: dict[str, Any]) -> None:
        """Called before the first row.

        Args:
            folder: the run folder.
            run: the run's config as plain data, as in ``run.json``.
        """

    @abstractmethod
    def row(self, row: LogRow) -> None:
        """Logs one row; when it returns, the row must survive a kill of this process."""

    def close(self) -> None:  # noqa: B027
        """Called after the last row, however the run ends."""
