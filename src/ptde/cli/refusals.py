"""What the option parser says in a box of many lines, in one."""

from collections.abc import Iterable
from difflib import get_close_matches
from re import DOTALL, fullmatch, search, sub

NUMBERS = {
    "invalid literal for int": "a whole number",
    "could not convert string to float": "a number",
}
"""How Python says that a word is no number, and what the word should be."""


def in_a_line(said: str, command: str) -> str:
    """The parser's refusal in one line, with what to type.

    Args:
        said: what the parser printed: a title, what is wrong, and what may help.
        command: the command that was typed, e.g. ``run``.
    """
    lines = [sub("[│╭╮╰╯─]", " ", line).strip() for line in said.splitlines()]
    _, *rest = [line for line in lines if search(r"\w", line)] or [""]
    text = " ".join(rest).partition(" For full helptext")[0]
    if found := fullmatch(r"Unrecognized options: (.*?),?( [A-Z].*)?", text, DOTALL):
        return _unknown(found[1].split(", ")[0], found[2] or "", command)
    if found := search(r"Missing value for argument '(\S+)'", text):
        return f"{found[1]} needs a value: `ptde {command} --help` shows which"
    if found := fullmatch(r"Missing from .*?: (\S+) (.*)", text):
        about = found[2].partition(" (required)")[0]
        return f"type `ptde {command} {found[1]}`. {found[1]}: {about}"
    if found := search(r"invalid choice '(.*)' for argument '(\S+)'.*?\((.*)\)", text):
        names = [name.strip("' ") for name in found[3].split(",")]
        known = ", ".join(sorted(name for name in names if name not in ("", "None")))
        return f"{found[2]} cannot be {found[1]!r}: it must be one of {known}"
    if found := fullmatch(r"Error parsing (\S+): (.*)", text):
        option = found[1].startswith("-")  # else it is the name of a group of them
        return _value(found[1], found[2]) if option else found[2]
    return text


def unknown_command(word: str, commands: Iterable[str]) -> str:
    """What to type instead of a command that there is not."""
    if word.startswith("-"):
        return f"a command comes first, then {word}: `ptde --help` shows the commands"
    near = get_close_matches(word, commands, n=1)
    there = f"did you mean `ptde {near[0]}`?" if near else "`ptde --help` shows them"
    return f"there is no command `ptde {word}`: {there}"


def _unknown(word: str, advice: str, command: str) -> str:
    """An option that there is not, or a word to which no option belongs."""
    if not word.startswith("-"):
        return (
            f"{word!r} is a word too many: an option and its value are typed as "
            f"--option {word or 'VALUE'}; `ptde {command} --help` shows the options"
        )
    near = search(r": (--[\w.-]+)", advice)
    there = f"did you mean {near[1]}?" if near else f"`ptde {command} --help` shows them"
    return f"{word} is no option of `ptde {command}`: {there}"


def _value(option: str, text: str) -> str:
    """A value that does not fit its option, and what the option says of itself."""
    wrong, _, about = text.partition(" Argument helptext: ")
    for sign, kind in NUMBERS.items():
        if sign in wrong:
            value = wrong.rsplit(": ", 1)[-1]
            wrong = f"it must be {kind}, not {value}"
    told = about.removeprefix(f"{option} ").partition(" ")[2]
    return f"{option}: {wrong}" + (f". {told}" if told else "")
