"""TensorBoard's event files, in ``RUN/tensorboard``."""

import json
from pathlib import Path
from typing import Any

from ptde.log.base import AbstractLogger, LogRow
from ptde.log.rows import X_AXIS


class TensorBoardLogger(AbstractLogger):
    """Scalars at their joint steps, written by tensorboardX."""

    name = "tensorboard"
    package = "tensorboardX"

    def start(self, folder: Path, run: dict[str, Any]) -> None:
        from tensorboardX import SummaryWriter

        place = folder / "tensorboard"
        new = not place.exists()
        self.writer = SummaryWriter(str(place))
        if new:
            text = "\n".join(
                "    " + line for line in json.dumps(run, indent=1).split("\n")
            )
            self.writer.add_text("run", text, 0)

    def row(self, row: LogRow) -> None:
        for name, value in row.items():
            if name != X_AXIS:
                self.writer.add_scalar(name, value, int(row[X_AXIS]))
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()
