"""A disk that fills up at every write: one line that says so, and nothing is lost.

    python -m campaigns.full_disk --n 40

A run of three stages meets a full disk at its first, second, ... write: from there on the
system refuses to open a file for writing, or to make a folder, below the run folder. As
root every other run has a small disk of its own instead (tmpfs), a little larger each time.
The run must end with status 2 and one line that says what to do; with room again it is
resumed, and ends with the bits of a run that always had room.
"""

import os
import random
import shutil
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

FULL = """
import errno, os, sys
left, place, count = [{at}], {place!r}, [0]
def hear(event, words):
    if event == "open":
        path, mode, flags = words
        writes = set(mode or "") & set("wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
    elif event == "os.mkdir":
        path, writes = words[0], True
    else:
        return
    if writes and isinstance(path, (str, os.PathLike)) and place in os.fspath(path):
        count[0] += 1
        if count[0] >= left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(path))
sys.addaudithook(hear)
import atexit
atexit.register(lambda: open({counted!r}, "w").write(str(count[0])))
"""
NEVER = 10**9
ADVICE = ("make room", "type another --out")


@dataclass(frozen=True)
class FullDisk:
    """How many disks fill up."""

    n: int = 40
    world: Literal["jax", "processes"] = "jax"
    seed: int = 0
    out: Path = Path("runs/campaigns/full_disk.json")


class Disk:
    """A run on a disk that fills up."""

    def __init__(self, options: FullDisk, place: Path, counted: Path):
        place.mkdir(exist_ok=True)
        self.options, self.folder, self.counted = options, place / "run", counted
        self.log = counted.with_name(f"log-{place.name}.txt")

    def start(self, at: int = NEVER) -> subprocess.Popen:
        """`ptde run` or `ptde resume`, with a disk that is full from a write on."""
        words = [*words_of(self.options.world), "--out", str(self.folder)]
        if self.folder.exists():
            words = ["resume", str(self.folder)]
        code = FULL.format(at=at, place=str(self.folder), counted=str(self.counted))
        return ptde(words, self.log, code)

    def fault(self, at: int, whole: Path, grow) -> str:
        """Fills up, gets room, goes on; what was wrong, or nothing."""
        if status := self.start(at).wait(1200):
            lines = [x for x in self.log.read_text().splitlines() if x.startswith("error:")]
            said = self.log.read_text()
            if status != 2 or len(lines) != 1 or "Traceback" in said:
                return f"status {status}: {last_words(self.log)}"
            if not any(advice in lines[0] for advice in ADVICE):
                return f"does not say what to do: {lines[0]}"
        grow()
        if self.start().wait(1200):
            return f"is not resumed: {last_words(self.log)}"
        return "" if equal(self.folder, whole) else "ends with other bits"


def mounted(place: Path, kilobytes: int) -> bool:
    """A disk of its own, if the system lets us."""
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)]
    return os.geteuid() == 0 and subprocess.run(words, capture_output=True).returncode == 0


def grown(place: Path) -> None:
    """The disk with all the room there can be."""
    words = ["mount", "-o", "remount,size=1g", str(place)]
    subprocess.run(words, check=True, capture_output=True)


def main(options: FullDisk) -> int:
    """Fills, frees, compares."""
    began, draw = time.monotonic(), random.Random(options.seed)
    place, faults, how = Path(tempfile.mkdtemp()), [], Counter[str]()
    whole = Disk(options, place / "whole", place / "count-whole")
    if status := whole.start().wait(1200):
        raise AssertionError(f"ended with {status}: {last_words(whole.log)}")
    writes = int(whole.counted.read_text())
    need = sum(p.stat().st_size for p in whole.folder.rglob("*") if p.is_file()) // 1000
    print(f"{writes} writes, {need} kB", flush=True)
    for i in range(options.n):
        disk, small = place / f"disk{i}", i % 2 == 1
        # The first and the last write, and others evenly between.
        at = 1 + (writes - 1) * i // max(1, options.n - 1)
        if small := small and mounted(disk, size := draw.randint(8, 1000 + 2 * need)):
            name, wrong = f"a disk of {size} kB", ""
            at = NEVER
        else:
            name = f"write {at}"
        how["small disks" if small else "writes"] += 1
        run = Disk(options, disk, place / f"count{i}")
        try:
            wrong = run.fault(
                at, whole.folder, lambda d=disk, s=small: grown(d) if s else 0
            )
        finally:
            if small:
                subprocess.run(["umount", "-l", str(disk)], check=False)
        if wrong:
            faults.append(f"{name}: {wrong}")
        print(f"{i + 1}: {name}: {wrong or 'well'}", flush=True)
        if not wrong and not small:
            shutil.rmtree(disk)
    result = {"filled": dict(how), "writes": writes, "faults": faults, "good": not faults}
    if not faults:
        shutil.rmtree(place)
    return finish("full_disk", options, result, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(FullDisk)))
