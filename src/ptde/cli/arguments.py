"""Types of command-line arguments, and changes before they are parsed."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from os.path import expanduser
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ptde.cli.refusals import in_a_line

Role = Literal["teacher", "student", "finetuned", "baseline"]
RunPath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
FilePath = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")]
PlanWord = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="PLAN")]
LogNames = Annotated[
    tuple[str, ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME")
]
WorldWord = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="WORLD")]


@dataclass(frozen=True, kw_only=True)
class Trusting:
    """A command that reads a folder or a plan, which somebody else may have written."""

    trust: bool = False
    """Import and read whatever the folder or plan names, if your own ptde did not write it.
    To agree to one world alone, name it: env:module:callable. See docs/security.md."""


def parse(kind: type, words: Sequence[str], command: str, default=None):
    """Parses words into a dataclass with tyro; with ``--help`` it exits. ValueError says in
    one line what does not fit.
    """
    said = StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                kind,
                args=[at_home(word) for word in words],
                prog=f"ptde {command}",
                default=tyro.MISSING_NONPROP if default is None else default,
            )
    except SystemExit as error:
        if not error.code:
            raise
        raise ValueError(in_a_line(said.getvalue(), command)) from None


def at_home(word: str) -> str:
    """A word whose value begins with the home folder's ``~``, which a shell replaces only
    at the start of a word, and a plan never.
    """
    option, sign, value = word.rpartition("=") if word.startswith("--") else ("", "", word)
    return option + sign + (expanduser(value) if value[:2] in ("~", "~/") else value)


def world_words(words: Sequence[str]) -> list[str]:
    """The words with ``env:NAME`` replaced by ``--world NAME``, or ``--world processes``
    with a ``module:callable``, and ``--env.OPTION`` by ``--OPTION``.
    """
    spelt: list[str] = []
    for word in words:
        if word.startswith("env:"):
            name = word.removeprefix("env:")
            program = ["--world", "processes", "--map", name]
            spelt += program if ":" in name else ["--world", name]
        else:
            short = word.removeprefix("--env.")
            spelt.append(word if short == word else f"--{short}")
    return spelt


def show_own_parts(words: Sequence[str]) -> None:
    """If ``--help`` is typed, prints the options of each part that is of the user's own."""
    from ptde.parts import help_of, is_own

    if not {"-h", "--help"} & {*words}:
        return
    parts = ["algo", "info", "mixer", "student.network", "student.objective"]
    parts += ["map"] if take("world", words, None)[1] == "jax" else []
    for option in parts:
        _, name = take(option, words, None)
        if name and is_own(name):
            print(help_of(option, name), end="\n\n")


def start_of(words: Sequence[str]) -> tuple[list[str], Any]:
    """The words under their present names without ``--preset NAME``, and the ``Run`` that
    they change: the preset's, or that of the world that they name.
    """
    from ptde.config import Run
    from ptde.envs.registry import WORLDS
    from ptde.presets import PRESETS, start_of
    from ptde.renamed import renamed

    words, name = take("preset", renamed(words), PRESETS)
    _, world = take("world", words, WORLDS)
    if take("map", words, None)[1] == "":
        raise ValueError("--map needs a name; `ptde list` shows them")
    return words, start_of(name, world or Run.world)


def with_address(words: Sequence[str], other: Callable[[str], bool]) -> list[str]:
    """The words, with an empty one behind a ``--ray`` that is typed without an address.

    Args:
        words: the words of a command.
        other: whether a word that follows is not an address, but the command's next.
    """
    spelt = list(words)
    if "--ray" in spelt:
        after = spelt.index("--ray") + 1
        word = spelt[after] if after < len(spelt) else "--"
        if word.startswith("-") or other(word):
            spelt.insert(after, "")
    return spelt


def take(
    option: str, words: Sequence[str], names: Iterable[str] | None
) -> tuple[list[str], str | None]:
    """The words without ``--option NAME``, and the name, which must be one of ``names``, if
    there are any.
    """
    from ptde.validation import check_choice

    flag = f"--{option}"
    words = [
        part
        for word in words
        for part in (word.split("=", 1) if word.startswith(flag + "=") else [word])
    ]
    if flag not in words:
        return words, None
    at = words.index(flag)
    if at + 1 == len(words):
        raise ValueError(f"{flag} needs a name; `ptde list` shows them")
    if names is not None:
        check_choice(option, words[at + 1], names)
    return words[:at] + words[at + 2 :], words[at + 1]
