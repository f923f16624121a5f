"""Display of progress: a bar on a terminal, lines in a log."""

import sys
import time
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


def console() -> Console:
    """The console for progress and tables, 100 columns wide unless it is a terminal."""
    narrow = None if sys.stdout.isatty() else 100
    return Console(width=narrow, highlight=False)


def say(line: str) -> None:
    """Prints a line of plain text, however long."""
    console().print(line, markup=False, soft_wrap=True)


class Reading(ExitStack):
    """Shows how far data files are read: called with name, bytes read, and all bytes."""

    tracker: "Tracker | None" = None

    def __call__(self, name: str, done: int, total: int) -> None:
        if self.tracker is None or self.tracker.name != name:
            self.close()
            self.tracker = self.enter_context(
                Tracker(name, total, "bytes", waiting="reading")
            )
        self.tracker.update(done, "")


class Tracker:
    """Shows the progress of one long piece of work, and the time left."""

    LINES = 20
    """Lines that a log gets for one piece of work, about."""

    def __init__(self, name: str, total: int, unit: str, waiting: str = "compiling"):
        self.name, self.total, self.unit, self.waiting = name, total, unit, waiting
        self.console = console()
        self.printed = -1
        self.began = time.monotonic()
        self.start: int | None = None
        self.bar: Progress | None = None

    def __enter__(self) -> "Tracker":
        if self.console.is_terminal:
            self.bar = Progress(
                TextColumn("{task.description:<9}"),
                BarColumn(bar_width=24),
                TextColumn("{task.fields[text]}"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=self.console,
            )
            self.bar.start()
            self.task = self.bar.add_task(self.name, total=self.total, text=self.waiting)
        else:
            self.console.print(f"{self.name}: {self.waiting}")
        return self

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.stop()

    def update(self, done: int, text: str) -> None:
        """Shows that ``done`` of the total is done, and ``text`` behind it."""
        line = f"{_short(done)}/{_short(self.total)} {self.unit}  {text}"
        if self.bar is not None:
            self.bar.update(self.task, completed=done, text=line)
            return
        part = done * self.LINES // max(self.total, 1)
        if part > self.printed or done >= self.total:
            self.printed = part
            self.console.print(f"{self.name}: {line}  {self._left(done)}")

    def _left(self, done: int) -> str:
        if self.start is None:  # the first period holds the compilation
            self.start, self.began = done, time.monotonic()
            return ""
        elapsed = time.monotonic() - self.began
        left = elapsed / max(done - self.start, 1) * (self.total - done)
        return f"{left:.0f} s left"


def _short(number: int) -> str:
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= 0.9995 * size:  # or it would be rounded to 1e+03 of the smaller
            return f"{number / size:.3g}{letter}"
    return str(number)
