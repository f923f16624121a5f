"""Old names of the command line and of plan files, and their present names."""

import sys
from collections.abc import Sequence

_PROCESSES = ["kwargs", "limit", "patience", "failures", "quorum", "overlap", "no-overlap"]

OLD_NAMES = {
    "--world host": "--world processes",
    **{f"--host.{name}": f"--processes.{name}" for name in _PROCESSES},
    "--eyes": "--teacher-sight",
    "--together": "--online-distillation",
    "--no-together": "--no-online-distillation",
    "--method together_teacher": "--method online_teacher",
    "--method together": "--method online",
    "--method together_longer": "--method online_longer",
}
"""The new flag, or flag and value, for each old one. Old names are understood in this
version and no longer in the next."""


def renamed(words: Sequence[str]) -> list[str]:
    """The words with old names replaced by new ones, each with a remark on stderr."""
    spelt: list[str] = []
    for word in words:
        flag, equals, value = word.partition("=")
        before = spelt[-1] if spelt else ""
        if new := OLD_NAMES.get(old := flag):
            spelt.append(new + equals + value)
        elif new := OLD_NAMES.get(old := f"{before} {word}"):
            spelt.append(new.split()[1])
        elif new := OLD_NAMES.get(old := f"{flag} {value}"):
            spelt += new.split()
        else:
            spelt.append(word)
            continue
        print(f"{old} is now called {new}", file=sys.stderr)
    return spelt
