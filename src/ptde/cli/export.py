"""The command that carries a team off."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ptde.cli.arguments import RunPath, Trusting, parse


def export_command(words: Sequence[str]) -> None:
    """`ptde export RUN`."""
    from ptde.export import export_run

    @dataclass(frozen=True)
    class Command(Trusting):
        """Writes the decentralised team as a folder that needs neither ptde nor JAX:
        weights, what goes in and comes out, and a player in NumPy.
        """

        run: RunPath
        """The run folder."""
        to: Literal["onnx", "numpy", "stablehlo"] = "onnx"
        """What is written beside the player: an ONNX graph, nothing, or a graph for JAX."""
        seed: int | None = None
        """Which of the run's seeds; the default is its first."""
        out: Path | None = None
        """The folder to write; the default is export in the run folder. An earlier export
        is replaced."""

    p = parse(Command, words, "export")
    print(export_run(p.run, p.to, p.seed, p.out))
