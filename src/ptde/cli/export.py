"""The command ``ptde export``."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ptde.cli.arguments import Role, RunPath, Trusting, parse

# A word, not a Literal, so that the error for an unknown one names the nearest.
FormatWord = Annotated[str, tyro.conf.arg(metavar="{onnx,numpy,stablehlo}")]


def export_command(words: Sequence[str]) -> None:
    """`ptde export RUN`."""
    from ptde.export import awaited, export_run
    from ptde.files import shell
    from ptde.folder import RunFolder

    @dataclass(frozen=True)
    class Command(Trusting):
        """Writes the decentralised team as a folder that needs neither ptde nor JAX:
        weights, a description of inputs and outputs, and a player in NumPy.
        """

        run: RunPath
        """The run folder."""
        to: FormatWord = "onnx"
        """Graph to write beside the player: for ONNX, none (numpy), or for JAX."""
        role: Role | None = None
        """Role of the team; the default is that of the last finished stage."""
        seed: int | None = None
        """Which of the run's seeds; the default is its first."""
        out: Path | None = None
        """The folder to write; the default is export in the run folder, or export-ROLE. An
        earlier export is replaced."""

    p = parse(Command, words, "export")
    print(export_run(p.run, p.to, p.seed, p.out, p.role))
    if p.role is None and (role := awaited(RunFolder(p.run, reads_data=False))):
        print(
            f"note: the run has no {role} team yet, so this is an earlier stage's; "
            f"`ptde resume {shell(p.run)}` ends it",
            file=sys.stderr,
        )
