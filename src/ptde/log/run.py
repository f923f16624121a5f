"""The loggers of a run: each hears every row once, however often the run is stopped."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ptde.files import write_whole
from ptde.jobs.job import OnRow
from ptde.jobs.progress import console
from ptde.jobs.record import Record, Row
from ptde.log.base import AbstractLogger
from ptde.log.own import OwnLogger
from ptde.log.rows import log_row
from ptde.log.tensorboard import TensorBoardLogger
from ptde.log.wandb import WandbLogger
from ptde.trust import check_run, sign
from ptde.validation import check_choice

LOGGERS: dict[str, type[AbstractLogger]] = {
    kind.name: kind for kind in (TensorBoardLogger, WandbLogger)
}
"""Add a logger of your own here, or type ``--log module:callable``."""
NAMES, HEARD = "log.json", "logged.json"
"""Files: in the run folder, which loggers it has; in a stage's, how far each has heard."""


def make_loggers(names: Iterable[str]) -> dict[str, AbstractLogger]:
    """Loggers by name, of which none has begun.

    Raises:
        ValueError: there is no such logger, or what it needs is not installed.
    """
    made: dict[str, AbstractLogger] = {}
    for name in names:
        if name == "none":
            continue
        if ":" not in name:
            check_choice("log", name, (*LOGGERS, "none", "module:callable"))
        made[name] = OwnLogger(name) if ":" in name else LOGGERS[name]()
        made[name].check()
    return made


def names_of(folder: Path, asked: Iterable[str]) -> tuple[str, ...]:
    """The loggers that were asked for, or else those that the run folder had before."""
    held = folder / NAMES
    if names := tuple(asked):
        return names
    if not held.is_file():
        return ()
    text = held.read_bytes()
    try:
        kept = json.loads(text)
    except (ValueError, RecursionError):
        kept = None
    if not isinstance(kept, list) or not all(isinstance(name, str) for name in kept):
        raise ValueError(f"{held} is damaged: remove it, and type --log again")
    check_run(folder, text, {f"log.{i}": name for i, name in enumerate(kept)})
    return tuple(kept)


def check_log(asked: Iterable[str], folder: Path | None = None) -> None:
    """ValueError if a logger that is asked for, or that the folder remembers, cannot be."""
    make_loggers(asked if folder is None else names_of(folder, asked))


class RunLog(ExitStack):
    """The loggers of one run, started when entered and closed at its end.

    A fault of a logger after its start costs its rows, not hours of training: it is said.

    Args:
        folder: the run folder; it remembers the loggers, for ``ptde resume``.
        run: the run's config as plain data.
        asked: names of loggers; none takes those that the folder remembers.
    """

    def __init__(self, folder: Path, run: dict[str, Any], asked: Iterable[str] = ()):
        super().__init__()
        self.folder, self.run = folder, run
        self.names = names_of(folder, asked)
        self.loggers = make_loggers(self.names)

    def __enter__(self) -> "RunLog":
        if self.names:
            text = json.dumps(self.names).encode()
            sign(self.folder, text)  # it may name code, as run.json may
            write_whole(self.folder / NAMES, text)
        with ExitStack() as begun:  # closes those that began, if another cannot
            for name, logger in self.loggers.items():
                logger.start(self.folder, self.run)
                begun.callback(_close, name, logger)
            self.push(begun.pop_all())
        return self

    def hears(self, role: str) -> list[OnRow]:
        """What is called with the rows of a stage."""
        return [partial(self._hear, role)] if self.loggers else []

    def _hear(self, role: str, row: Row) -> None:
        """Passes on what a logger has not heard: a stage that went on from a checkpoint
        comes to the same rows again, and a logger may be new to the run.
        """
        held = self.folder / role / HEARD
        heard = json.loads(held.read_text()) if held.exists() else {}
        rows = Record(self.folder / role / "record.jsonl").rows()
        for name, logger in list(self.loggers.items()):
            try:
                for missed in rows:
                    if heard.get(name, -1) < missed["steps"] <= row["steps"]:
                        logger.row(log_row(role, missed, self.run["seed"]))
                        heard[name] = missed["steps"]
            except Exception as error:
                del self.loggers[name]
                _say(f"--log {name} failed and is left out from now on: {error!r}")
        write_whole(held, json.dumps(heard))


def _close(name: str, logger: AbstractLogger) -> None:
    try:
        logger.close()
    except Exception as error:
        _say(f"--log {name} failed to close: {error!r}")


def _say(line: str) -> None:
    console().print(line, markup=False, soft_wrap=True)
