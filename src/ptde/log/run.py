"""The loggers of a run: each gets every row once, however often the run is stopped."""

import json
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ptde.files import read_object, shell, write_whole
from ptde.jobs.job import OnRow
from ptde.jobs.progress import say
from ptde.jobs.record import Record, Row
from ptde.log.base import AbstractLogger
from ptde.log.own import OwnLogger
from ptde.log.rows import log_row
from ptde.log.tensorboard import TensorBoardLogger
from ptde.log.wandb import WandbLogger
from ptde.trust import check_run, sign, told
from ptde.validation import check_choice

LOGGERS: dict[str, type[AbstractLogger]] = {
    kind.name: kind for kind in (TensorBoardLogger, WandbLogger)
}
"""Loggers by name. Add one of your own here, or type ``--log module:callable``."""
NAMES, HEARD = "log.json", "logged.json"
"""Files: in the run folder, its loggers; in a stage's, the last steps that each got."""


def make_loggers(names: Iterable[str]) -> dict[str, AbstractLogger]:
    """Makes loggers by name, without starting them.

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
    """The loggers that were asked for, or else those that the run folder has had."""
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
    """Raises ValueError if a logger, asked for or of the folder's, cannot be made."""
    make_loggers(asked if folder is None else names_of(folder, asked))


class RunLog(ExitStack):
    """The loggers of one run, started when entered and closed at its end.

    A logger that fails after its start is reported and left out: training goes on.

    Args:
        folder: the run folder, where the loggers' names are kept for ``ptde resume``.
        run: the run's config as plain data.
        asked: names of loggers; none takes those that the folder has had.
    """

    def __init__(self, folder: Path, run: dict[str, Any], asked: Iterable[str] = ()):
        super().__init__()
        self.folder, self.run = folder, run
        self.names = names_of(folder, asked)
        self.loggers = make_loggers(self.names)

    def __enter__(self) -> "RunLog":
        with ExitStack() as begun:  # closes those that began, if another cannot
            for name, logger in self.loggers.items():
                self._start(name, logger)
                begun.callback(_close, name, logger)
            if self.names:  # only now, so that none is kept that cannot start
                text = json.dumps(self.names).encode()
                sign(self.folder, text)  # the text may name code, as run.json may
                write_whole(self.folder / NAMES, text)
            self.push(begun.pop_all())
        return self

    def _start(self, name: str, logger: AbstractLogger) -> None:
        try:
            logger.start(self.folder, self.run)
        except Exception as error:
            raise ValueError(
                f"--log {name} cannot start: {told(error, name.partition(':')[0])}: go on "
                f"without it, `ptde resume {shell(self.folder)} --log none`"
            ) from error

    def hears(self, role: str) -> list[OnRow]:
        """The functions to call with each row of a stage."""
        return [partial(self._hear, role)] if self.loggers else []

    def _hear(self, role: str, row: Row) -> None:
        """Passes on the rows that a logger has not got: a stage that went on from a
        checkpoint repeats rows, and a logger may be new to the run.
        """
        held = self.folder / role / HEARD
        heard = _heard(held)
        rows = Record(self.folder / role / "record.jsonl").rows()
        for name, logger in list(self.loggers.items()):
            try:
                for missed in rows:
                    if heard.get(name, -1) < missed["steps"] <= row["steps"]:
                        logger.row(log_row(role, missed, self.run["seed"]))
                        heard[name] = missed["steps"]
            except Exception as error:
                del self.loggers[name]
                say(f"--log {name} failed and is left out from now on: {error!r}")
        write_whole(held, json.dumps(heard))


def _heard(path: Path) -> dict[str, int]:
    """Each logger's last step. Where the file is damaged, none: they get all rows again."""
    try:
        heard = read_object(path) if path.exists() else {}
        if not all(isinstance(step, int) for step in heard.values()):
            raise ValueError(f"{path} is damaged: it holds more than steps")
    except ValueError as error:
        say(f"{error}; the loggers get all rows again")
        return {}
    return heard


def _close(name: str, logger: AbstractLogger) -> None:
    try:
        logger.close()
    except Exception as error:
        say(f"--log {name} failed to close: {error!r}")
