"""The command that carries a team off."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ptde.cli.arguments import Role, RunPath, Trusting, parse

# A word, not a Literal: what is unknown is answered with the nearest name.
FormatWord = Annotated[str, tyro.conf.arg(metavar="{onnx,numpy,stablehlo}")]


def export_command(words: Sequence[str]) -> None:
    """`ptde export RUN`."""
    from ptde.export import awaited, export_run
    from ptde.folder import RunFolder

    @dataclass(frozen=True)
    class Command(Trusting):
        """Writes the decentralised team as a folder that needs neither ptde nor JAX:
        weights, what goes in and comes out, and a player in NumPy.
        """

        run: RunPath
        """The run folder."""
        to: FormatWord = "onnx"
        """What is written beside the player: an ONNX graph, nothing, or a graph for JAX."""
        role: Role | None = None
        """Whose team; the default is that of the last stage that is finished."""
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
            f"`ptde resume {p.run}` ends it",
            file=sys.stderr,
        )
