"""Loggers, which get the rows of a run's record: TensorBoard, W&B, the user's own."""

from ptde.log.base import AbstractLogger, LogRow
from ptde.log.rows import log_row
from ptde.log.run import LOGGERS, RunLog, check_log

__all__ = ["LOGGERS", "AbstractLogger", "LogRow", "RunLog", "check_log", "log_row"]
