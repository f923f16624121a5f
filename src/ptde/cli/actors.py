"""The options ``--ray`` and ``--actors``, of all commands for one run that train or test.

They belong to the machine and not to the run: a run may go on with other actors, or none.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptde.cli.arguments import take, with_address
from ptde.cli.devices import COMMANDS as DIVIDED

COMMANDS = DIVIDED - {"compare", "replay", "report"}
"""The commands that have the options; ``compare`` gives whole runs to a cluster."""


@contextmanager
def playing(words: Sequence[str]) -> Iterator[list[str]]:
    """The words without ``--ray [ADDRESS]`` and ``--actors N``, in a context in which the
    copies of worlds are played there, if one of the two was typed.

    Raises:
        ValueError: N is not a number of at least 1, or there can be no such cluster.
    """
    words, address = take("ray", with_address(words, _no_address), None)
    words, typed = take("actors", words, None)
    if address is None and typed is None:
        yield words
        return
    from ptde.rollout.actors import use_actors

    if typed is not None and not (typed.isascii() and typed.isdecimal()):
        raise ValueError(f"--actors {typed}: type a number, e.g. --actors 2")
    with use_actors(None if typed is None else int(typed), address or ""):
        yield words


def _no_address(word: str) -> bool:
    return word.startswith("env:") or Path(word).is_dir()
