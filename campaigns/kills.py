"""SIGKILL at any moment, also inside a save: no run is lost, and its end has the same bits.

    python -m campaigns.kills --n 100 --where random --world jax
    python -m campaigns.kills --n 100 --where save --world processes

A run of three stages is killed and resumed until it is done, and again with another seed,
until ``--n`` kills hit it while it worked. Each end is compared with that of a run that
nobody disturbed: all arrays of all roles, and all rows of the records.

A kill inside a save is counted in what Python does to files below a checkpoint's or
model's folder: at a drawn one of these, or up to 20 ms later, the process kills itself.
"""

import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from campaigns.common import equal, finish, last_words, ptde, words_of

LOOK = 0.01
"""Seconds between two looks at a process."""
IN_A_SAVE = """
import os, signal, threading, time
left = [{event}]
def kill():
    time.sleep({delay})
    os.kill(os.getpid(), signal.SIGKILL)
def hear(event, words):
    if event not in {events} or not left[0] or not words:
        return
    path = str(words[0])
    if any(part in path for part in ("/checkpoints/", "/model", "/central", ".part")):
        left[0] -= 1
        if not left[0]:
            open({marker!r}, "w").close()
            kill() if {delay} == 0 else threading.Thread(target=kill).start()
sys.addaudithook(hear)
"""
EVENTS = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir")
MOST = 100
"""File operations of some ten saves: at one of so many the process is killed."""


@dataclass(frozen=True)
class Kills:
    """How many, where, and of which run."""

    n: int = 100
    where: Literal["random", "save"] = "random"
    world: Literal["jax", "processes"] = "jax"
    seed: int = 0
    steps: int = 384
    longest: float = 0.0
    """Seconds after which a random kill comes at the latest; 0 takes what a run takes."""
    each: int = 8
    """Kills of one run before it may end in peace."""
    out: Path = Path("runs/campaigns/kills.json")


class Victim:
    """A run that is killed and goes on."""

    def __init__(self, options: Kills, place: Path, whole: Path, draw: random.Random):
        self.options, self.place, self.draw = options, place, draw
        self.whole, self.folder, self.log = whole, place / "run", place / "log.txt"
        self.longest = options.longest
        self.stages: Counter[str] = Counter()

    def start(self, code: str = "") -> subprocess.Popen:
        """`ptde run`, or `ptde resume` of what there is."""
        words = [*words_of(self.options.world, self.options.steps), "--out"]
        if self.folder.exists():
            words = ["resume"]
        return ptde([*words, str(self.folder)], self.log, code)

    def stage(self) -> str:
        """What it is doing."""
        roles = ("finetuned", "student", "teacher")
        begun = [role for role in roles if (self.folder / role).is_dir()]
        if not begun:
            return "start"
        done = (self.folder / begun[0] / "model").is_dir()
        return f"after {begun[0]}" if done else begun[0]

    def kill(self) -> bool:
        """One kill; false if the run ended before it came."""
        if self.options.where == "random":
            process = self.start()
            until = time.monotonic() + self.draw.uniform(0.0, self.longest)
            while time.monotonic() < until and process.poll() is None:
                time.sleep(LOOK)
            process.kill()
        else:
            marker = self.place / "marker"
            marker.unlink(missing_ok=True)
            code = IN_A_SAVE.format(
                event=self.draw.randint(1, MOST),
                delay=self.draw.choice([0, self.draw.uniform(0.0, 0.02)]),
                events=EVENTS,
                marker=str(marker),
            )
            process = self.start(code)
        status = process.wait(600)
        if status == -signal.SIGKILL:
            self.stages[self.stage()] += 1
            return True
        if status:
            raise AssertionError(f"it ended with {status}: {last_words(self.log)}")
        return False

    def runs(self) -> None:
        """An undisturbed run."""
        if status := self.start().wait(1200):
            raise AssertionError(f"it ended with {status}: {last_words(self.log)}")

    def ends_well(self) -> bool:
        """Goes on to the end, and looks whether that is as it would have been."""
        status = self.start().wait(1200)
        if status:
            print(last_words(self.log), flush=True)
            return False
        return equal(self.folder, self.whole)


def main(options: Kills) -> int:
    """Kills, resumes, compares."""
    began, draw = time.monotonic(), random.Random(options.seed)
    place = Path(tempfile.mkdtemp())
    (place / "whole").mkdir()
    whole = Victim(options, place / "whole", place / "whole" / "run", draw)
    whole.runs()
    longest = options.longest
    if options.where == "random" and not longest:  # as long as a run that compiles nothing
        (place / "second").mkdir()
        again = time.monotonic()
        Victim(options, place / "second", whole.folder, draw).runs()
        longest = time.monotonic() - again
    kills, runs, lost, stages = 0, 0, 0, Counter[str]()
    while kills < options.n:
        (place / "victim").mkdir()
        victim = Victim(options, place / "victim", whole.folder, draw)
        victim.longest, here = longest, 0
        while here < options.each and kills + here < options.n and victim.kill():
            here += 1
            print(f"{kills + here}: {victim.stage()}", flush=True)
        kills, runs, stages = kills + here, runs + 1, stages + victim.stages
        good = victim.ends_well()
        lost += not good
        print(f"{kills} kills, {runs} runs, {lost} lost: {dict(stages)}", flush=True)
        shutil.rmtree(place / "victim") if good else shutil.move(
            place / "victim", place / f"lost{runs}"
        )
    result = {
        "kills": kills,
        "runs": runs,
        "lost_or_other_bits": lost,
        "killed_in": dict(stages),
        "place": str(place) if lost else "",
        "good": lost == 0,
    }
    if not lost:
        shutil.rmtree(place)
    return finish("kills", options, result, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Kills)))
