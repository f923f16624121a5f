"""Malformed command lines and files: each is a line with what to type, nothing is written.

    python -m campaigns.bad_input --n 150

Command lines are spoilt by misspelt, missing, foreign and impossible words; files (plans,
run.json, LETOR files, records of loggers) by cuts, changed bytes, other types and names.
"""

import contextlib
import io
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from campaigns.common import finish
from ptde.cli import main as ptde
from ptde.config import Run, flag
from ptde.folder import RunFolder
from ptde.options import flatten

SAYS = re.compile(
    r"--|`ptde|did you mean|type |is it |must |remove |leave |cannot |is missing|use the "
    r"|names no|needs |not a run folder|it is not|write |is not TOML|, line \d+: "
)
"""What a line has that tells what to do, or what is wrong with which file."""


@dataclass(frozen=True)
class BadInput:
    """How many."""

    n: int = 150
    seed: int = 0
    out: Path = Path("runs/campaigns/bad_input.json")


@dataclass
class Ground:
    """A folder with good files, which are copied and spoilt."""

    place: Path
    draw: random.Random
    count: int = field(default=0)

    def new(self, name: str) -> Path:
        """A new path."""
        self.count += 1
        (self.place / str(self.count)).mkdir()
        return self.place / str(self.count) / name

    def spoilt(self, data: bytes) -> bytes:
        """With a byte changed, an end lost, a line twice, or something foreign inside."""
        at = self.draw.randrange(1, max(2, len(data)))
        other = self.draw.choice([b"\x00", b"\xff", b"{", b"\n[", b"=", b'"', b":", b"nan"])
        return self.draw.choice([data[:at], data[:at] + other + data[at + 1 :]])


def misspelt(ground: Ground) -> list[str]:
    """An option with a letter too few or exchanged."""
    name = ground.draw.choice([f for f in map(flag, flatten(Run())) if len(f) > 4])
    at = ground.draw.randrange(3, len(name))
    letter = ground.draw.choice("xqzj-")
    return ["run", name[:at] + letter + name[at:], "3"]


def impossible(ground: Ground) -> list[str]:
    """A number where none can be, or one that is out of range."""
    options = flatten(Run())
    names = [n for n, v in options.items() if type(v) in (int, float)]
    name = ground.draw.choice(sorted(names))
    value = ground.draw.choice(["-7", "many", "1e999", "nan", "", "0x10", "-1.5"])
    return ["run", f"{flag(name)}={value}"]


def no_such_choice(ground: Ground) -> list[str]:
    """A name that does not exist, of what has names."""
    option = ground.draw.choice(
        ["world", "map", "algo", "mixer", "info", "method", "preset", "student.data",
         "student.network", "student.objective", "z-test", "time-out", "log",
         "observation", "enemy-attack", "missing"]
    )  # fmt: skip
    name = ground.draw.choice(
        ["qmx", "3m ", "smax_", "", "None", "gib", "a:b", "../x", "os:system"]
    )
    return [ground.draw.choice(["run", "teach"]), f"--{option}", name]


def lacking(ground: Ground) -> list[str]:
    """A word too few, or one too many."""
    return ground.draw.choice(
        [
            ["run", "--steps"],
            ["run", "3m"],
            ["rnu"],
            ["resume"],
            ["distill"],
            ["compare"],
            ["check"],
            ["rank"],
            ["replay", "--episode", "1"],
            ["run", "--method"],
            ["run", "--preset"],
            ["evaluate", "a", "b"],
            ["compare", "table2", "--workers", "0"],
            ["run", "env:"],
            ["run", "env:my_game"],
            ["check", "no_such_module:Game"],
            ["export", "nowhere"],
            ["report", "nowhere"],
            ["list", "--maps"],
            ["doctor", "football"],
        ]
    )


def nonsense_together(ground: Ground) -> list[str]:
    """Options that do not go together, or that the run does not read."""
    return ground.draw.choice(
        [
            ["run", "--algo", "mappo", "--lr", "0.1"],
            ["run", "--info", "none", "--student.lr", "0.1"],
            ["run", "--info", "gip", "--teacher-sight", "all"],
            ["run", "--world", "football", "--sight", "0.5"],
            ["run", "--student.share", "0.6", "--finetune.share", "0.5"],
            ["run", "--segment", "3"],
            ["run", "--mixer", "vdn", "--embed", "3"],
            ["run", "--world", "ranking", "--td-lambda", "0.5"],
            ["run", "--algo", "mappo", "--method", "qmix"],
            ["run", "--online-distillation", "--info", "none"],
            ["run", "--student.data", "replay", "--algo", "mappo"],
            ["run", "--processes.kwargs", "{"],
            ["run", "env:campaigns.worlds:Signs", "--processes.kwargs", '{"fault": 1}'],
            ["run", "env:campaigns.worlds:Signs", "--seeds", "2"],
            ["run", "--buffer", "100000000"],
            ["run", "--envs", "1000000000"],
        ]
    )


def plan(ground: Ground) -> list[str]:
    """A plan file that was spoilt."""
    path = ground.new("plan.toml")
    good = 'methods = ["qmix", "qmix_gip"]\nmaps = ["3m"]\nseeds = 2\n[run]\nhidden = 100\n'
    changed = good.replace(
        *ground.draw.choice(
            [
                ("qmix_gip", "qmix_gib"),
                ("3m", "3n"),
                ("seeds = 2", "seeds = -2"),
                ("seeds", "seed"),
                ("hidden = 100", 'hidden = "many"'),
                ("hidden", "hiden"),
                ("[run]", "[runs]"),
                ('"qmix", ', '"qmix"'),
                ('["3m"]', '"3m"'),
                ("seeds = 2", "seeds = 2\nseeds = 3"),
            ]
        )
    )
    path.write_text(changed)
    return ["compare", str(path)]


def run_json(ground: Ground) -> list[str]:
    """A run.json that was spoilt so that it is no JSON, or has other fields."""
    folder = ground.new("run")
    RunFolder.create(Run(world="probe"), folder, "run")
    path = folder / "run.json"
    text = path.read_text()
    old, new = ground.draw.choice(
        [
            ('"format": ', '"format": 9'),
            ('"goal": "run"', '"goal": "walk"'),
            ('"steps":', '"stops":'),
            ('"seed": 0', '"seed": "0"'),
            ('"algo": "value"', '"algo": "valu"'),
            ('"map": "constant"', '"map": "konstant"'),
            ('"run": {', '"run": [{'),
            ('"hidden": 64', '"hidden": -64'),
            ("{", "{{"),
            ('"envs": 8', '"envs": 1e99'),
        ]
    )
    assert old in text, old
    path.write_text(text.replace(old, new, 1))
    command = ground.draw.choice(["resume", "evaluate", "distill", "finetune", "report"])
    return [command, str(folder)]


def letor(ground: Ground) -> list[str]:
    """A LETOR file with a line that is none."""
    path = ground.new("lists.txt")
    rows = [f"{i % 3} qid:{i // 12} 1:{i}.5 2:0.25 3:1" for i in range(120)]
    at = ground.draw.randrange(len(rows))
    rows[at] = ground.draw.choice(
        ["x qid:1 1:1", "1 1:1 2:2", "1 qid:a 1:2", "1 qid:3 0:2", "1 qid:3 1:two",
         "1 qid:3 2", "-1 qid:3 1:1", "1 qid:3 1:inf", "1 qid:3 2:1 1:"]
    )  # fmt: skip
    path.write_text("\n".join(rows))
    return ["run", "--world", "ranking", "--data", str(path)]


KINDS: list[Callable[[Ground], list[str]]] = [
    misspelt,
    impossible,
    no_such_choice,
    lacking,
    nonsense_together,
    plan,
    run_json,
    letor,
]


def listing(place: Path) -> dict[str, tuple[int, int]]:
    """All files below a folder, with sizes and times."""
    found = [p for p in place.rglob("*") if p.is_file()]
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}


def fault_of(words: list[str], place: Path) -> str:
    """Types the words; what is wrong with the answer, or nothing."""
    before, out, err = listing(place), io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = ptde(words)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException as error:
            return f"raised {error!r}"
    said = err.getvalue().strip()
    if status != 2:
        return f"status {status}: {out.getvalue()[-200:]} {said[-300:]}"
    if not said or len(said.splitlines()) > 1:
        return f"{len(said.splitlines())} lines: {said}"
    if not SAYS.search(said):
        return f"does not say what to type: {said}"
    if listing(place) != before:
        return f"something was written: {set(listing(place)) ^ set(before)}"
    return ""


def main(options: BadInput) -> int:
    """Types all, counts."""
    began, draw = time.monotonic(), random.Random(options.seed)
    sys.path.insert(0, os.getcwd())
    faults: list[str] = []
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        ground = Ground(Path(name), draw)
        for i in range(options.n):
            kind = KINDS[i % len(KINDS)]
            words = kind(ground)
            kinds[kind.__name__] += 1
            if wrong := fault_of(words, Path(name)):
                faults.append(f"{' '.join(words)}: {wrong}")
                print(faults[-1], flush=True)
            if i % 25 == 24:
                print(f"{i + 1} typed, {len(faults)} answered badly", flush=True)
    result = {"typed": options.n, "kinds": dict(kinds), "faults": faults}
    return finish("bad_input", options, {**result, "good": not faults}, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(BadInput)))
