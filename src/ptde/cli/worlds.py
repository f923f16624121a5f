"""Commands about worlds that are programs of their own."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ptde.cli.words import WorldWord, parse


def check_command(words: Sequence[str]) -> None:
    """`ptde check WORLD`."""
    from ptde.check import within
    from ptde.envs.settings import HostConfig
    from ptde.host.adapt import make
    from ptde.host.check import check
    from ptde.jobs.progress import console

    @dataclass(frozen=True)
    class Command:
        """Plays a world of yours at random, and reports all that is wrong with it."""

        world: WorldWord
        """module:callable, such as my_game:MyGame for the class MyGame in my_game.py."""
        steps: int = 300
        """Random joint steps, >= 1."""
        kwargs: str = ""
        """Keyword arguments of the callable, as JSON."""

    parsed = parse(Command, words, "check")
    within("steps", parsed.steps, 1, example=300)
    sys.path.insert(0, str(Path.cwd()))
    arguments = HostConfig(parsed.kwargs).arguments()
    report = check(make(parsed.world, arguments, 0), parsed.steps)
    for line in report.lines():
        console().print(line, markup=False, soft_wrap=True)
    if report.violations:
        raise ValueError(f"{parsed.world} breaks {len(report.violations)} rule(s)")
    console().print(f"all is well: ptde run env:{parsed.world}", soft_wrap=True)


def doctor_command(words: Sequence[str]) -> None:
    """`ptde doctor`."""
    from ptde.host.doctor import GAMES
    from ptde.jobs.progress import console

    @dataclass(frozen=True)
    class Command:
        """Looks for every part that the real games need, and says what to do."""

    parse(Command, words, "doctor")
    for game, parts in GAMES.items():
        console().print(f"--world {game}")
        for part in parts():
            text = "ok      " if part.there else "missing "
            advice = "" if part.there else f": {part.what_to_do}"
            console().print(f"  {text} {part.name}{advice}", markup=False, soft_wrap=True)
