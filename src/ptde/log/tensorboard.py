"""TensorBoard's event files, in ``RUN/tensorboard``."""

import json
import time
from pathlib import Path
from typing import Any

from ptde.log.base import AbstractLogger, LogRow
from ptde.log.rows import X_AXIS


class TensorBoardLogger(AbstractLogger):
    """Scalars at their joint steps, in tensorboardX's event files.

    Not by its ``SummaryWriter``, which writes in another thread: a kill may lose its rows.
    """

    name = "tensorboard"
    package = "tensorboardX"

    def start(self, folder: Path, run: dict[str, Any]) -> None:
        from tensorboardX.event_file_writer import EventsWriter
        from tensorboardX.summary import text

        place = folder / "tensorboard"
        place.mkdir(exist_ok=True)
        before = len(list(place.iterdir()))
        # Files are named by the second: without a number, one could replace another.
        self.writer = EventsWriter(str(place / "events"), f".{before}")
        if not before:
            lines = json.dumps(run, indent=1).splitlines()
            self._write(0, text("run", "\n".join("    " + line for line in lines)).value)

    def row(self, row: LogRow) -> None:
        from tensorboardX.summary import scalar

        measures = [(name, value) for name, value in row.items() if name != X_AXIS]
        values = [v for name, value in measures for v in scalar(name, value).value]
        self._write(int(row[X_AXIS]), values)

    def _write(self, step: int, values: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.proto.summary_pb2 import Summary

        event = Event(step=step, wall_time=time.time(), summary=Summary(value=values))
        self.writer.write_event(event)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
