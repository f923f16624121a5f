"""Weights & Biases; ``WANDB_MODE=offline`` writes to ``RUN/wandb`` alone."""

import os
import secrets
from pathlib import Path
from typing import Any

from ptde.log.base import AbstractLogger, LogRow
from ptde.log.rows import X_AXIS

ID = "wandb-id"
"""The file in the run folder that holds the id of W&B's run."""


class WandbLogger(AbstractLogger):
    """A run of W&B's project ``ptde`` (``WANDB_PROJECT`` names another)."""

    name = "wandb"
    package = "wandb"

    def start(self, folder: Path, run: dict[str, Any]) -> None:
        import wandb

        held = folder / ID
        if not held.exists():
            held.write_text(secrets.token_hex(4))
        self.run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "ptde"),
            name=folder.name,
            dir=str(folder),
            id=held.read_text(),
            resume="allow",
            config=run,
        )
        self.run.define_metric(X_AXIS)
        self.run.define_metric("*", step_metric=X_AXIS)

    def row(self, row: LogRow) -> None:
        self.run.log(dict(row))

    def close(self) -> None:
        self.run.finish()
