"""What the documents tell a user to type, so that the tests can type it."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
README = ROOT / "README.md"
WORLDS = ROOT / "docs" / "worlds.md"

_TINY = """
    --steps 32 --envs 2 --segment 16 --hidden 8 --z 4 --hyper-hidden 4 --embed 4
    --hypernet-hidden 4 --buffer 8 --batch 2 --test-every 32 --test-episodes 4
    --episodes 4 --student.steps 4 --student.batch 8 --student.hidden 8
    --student.data-steps 32 --student.tests 1 --student.test-episodes 4
    --student.network mlp --student.objective z --student.data teacher --student.share 0
    --finetune.share 0
"""
TINY = _TINY.split()
"""Options that make any run one of a few seconds; all tests of a team are one program."""


def fenced(page: Path, language: str = "") -> list[str]:
    """The fenced blocks of a page in a language; those without one hold commands."""
    blocks = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
    found = blocks.findall(page.read_text())
    return [block for name, block in found if name == language]


def commands(page: Path) -> list[list[str]]:
    """Each command of a page in words, without what is said about it."""
    lines = "".join(fenced(page)).splitlines()
    typed = (shlex.split(line, comments=True) for line in lines)
    return [words for words in typed if words]
