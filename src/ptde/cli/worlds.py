"""The commands ``ptde check`` and ``ptde doctor``."""

import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ptde.cli.arguments import WorldWord, parse


def check_command(words: Sequence[str]) -> None:
    """`ptde check WORLD`."""
    from ptde.envs.settings import ProcessConfig
    from ptde.jobs.progress import say
    from ptde.processes.adapters.check import check
    from ptde.validation import check_range

    @dataclass(frozen=True)
    class Command:
        """Plays a world of yours at random, and reports all that is wrong with it."""

        world: WorldWord
        """module:callable, such as my_game:MyGame for the class MyGame in my_game.py, in
        Python or in JAX; or the name of a world of JaxMARL, such as MPE_simple_tag_v3."""
        steps: int = 300
        """Number of random joint steps, >= 1."""
        kwargs: str = ""
        """Keyword arguments of the callable, as JSON. Those of a world in JAX are typed
        behind its name: my_env:Meet,cells=11."""

    parsed = parse(Command, words, "check")
    check_range("steps", parsed.steps, 1, example=300)
    if ":" not in parsed.world and _explained(parsed.world):
        return
    arguments = ProcessConfig(parsed.kwargs).arguments()
    env, words = _own(parsed.world, arguments)
    report = check(env, parsed.steps)
    for line in report.lines():
        say(line)
    if report.violations:
        raise ValueError(f"{parsed.world} breaks {len(report.violations)} rule(s)")
    more = f" --processes.kwargs {shlex.quote(parsed.kwargs)}" if parsed.kwargs else ""
    say(f"all is well: ptde run {words}{more}")


def _own(name: str, kwargs: dict[str, Any]) -> tuple[Any, str]:
    """A world of the user's own as a ``ProcessEnv``, and the words that `ptde run` takes
    for it. ValueError if there is none.
    """
    from ptde.processes.adapters.adapt import InJax, make

    with suppress(InJax):
        if "," not in name:  # options behind the name are of a world in JAX
            return make(name, kwargs, 0), f"env:{name}"
    from ptde.envs.own import Played, own_env
    from ptde.parts import target_of

    env = own_env(name)
    if kwargs:
        raise ValueError(
            f"{target_of(name)} is a world in JAX, whose options are typed behind it, and "
            f"not in --kwargs: {target_of(name)},{next(iter(kwargs))}=..."
        )
    return Played(env), f"--world jax --map {name}"


def _explained(name: str) -> bool:
    """Prints how to play a world of JaxMARL; false if there is none of this name.
    ValueError says why it does not fit.
    """
    from ptde.envs.jaxmarl import MAPS
    from ptde.envs.registry import WORLDS
    from ptde.jobs.progress import say

    world = WORLDS["jaxmarl"]
    if (why := world.refused(name)) is not None:
        raise ValueError(why)
    if name not in MAPS:
        return False
    said = f"it fits: ptde run --world jaxmarl --map {name}"
    say(said)
    return True


def doctor_command(words: Sequence[str]) -> None:
    """`ptde doctor`."""
    from ptde.jobs.progress import say
    from ptde.processes.games.doctor import GAMES
    from ptde.rollout.cache import cache_says

    @dataclass(frozen=True)
    class Command:
        """Looks for every part that the real games need, and says what to do."""

    parse(Command, words, "doctor")
    for game, parts in GAMES.items():
        say(f"--world {game}")
        for part in parts():
            text = "ok      " if part.there else "missing "
            advice = "" if part.there else f": {part.what_to_do}"
            say(f"  {text} {part.name}{advice}")
    say(cache_says())
