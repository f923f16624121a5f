"""The command that says what a student lacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.cli.arguments import RunPath, Trusting, parse


def diagnose_command(words: Sequence[str]) -> None:
    """`ptde diagnose RUN`."""
    from ptde.diagnosis import diagnose

    @dataclass(frozen=True)
    class Command(Trusting):
        """Says what a run's student lacks of its teacher, and which option to try: fits
        students that know ever less, and compares what their teams reach.
        """

        run: RunPath
        """The run folder. The students that are fitted are kept there, so that a second
        call goes on where one was stopped."""
        episodes: int | None = None
        """Episodes of each team and seed, >= 2; the default is the run's own number."""
        quick: bool = False
        """Fit fewer students: one order of what the student lacks, instead of the mean of
        all orders; and test no teams of students and teacher."""
        out: Path | None = None
        """The folder to write diagnosis.json and diagnosis.png to; the default is the run
        folder."""

    p = parse(Command, words, "diagnose")
    diagnose(p.run, p.episodes, p.quick, p.out).show()
