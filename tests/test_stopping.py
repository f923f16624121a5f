"""Ctrl-C and SIGTERM, sent to a real ``ptde run`` that has compiled nothing before."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.documents import TINY

from ptde.cli import main
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.interrupt import HEARD, STOPPED

CATCHES = 1 << (signal.SIGTERM - 1)
WORDS = ["run", "--world", "probe", "--map", "personal", *TINY]
LONG = [*WORDS, "--steps", "6400"]


class Command:
    """``ptde run``, in the foreground or behind a shell's ``&``."""

    def __init__(self, place: Path, background: bool, words=WORDS):
        self.folder, self.said = place / "run", place / "said"
        typed = [sys.executable, "-m", "ptde", *words, "--out", str(self.folder)]
        if background:  # a shell without job control has its children ignore SIGINT
            pid, line = place / "pid", shlex.join(typed)
            typed = ["sh", "-c", f"{line} & echo $! > {pid}; wait $!"]
        env = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "COLUMNS": "200"}
        with open(self.said, "w") as out:
            self.process = subprocess.Popen(typed, stdout=out, stderr=out, env=env)
        self.pid = self.process.pid
        if background:
            self.wait(lambda: pid.exists() and pid.read_text().strip())
            self.pid = int(pid.read_text())

    def wait(self, condition) -> None:
        until = time.monotonic() + 240
        while not condition():
            assert self.process.poll() is None, self.said.read_text()
            assert time.monotonic() < until
            time.sleep(0.005)

    def catches(self) -> bool:
        """Whether it has begun to hear: before, it is Python that starts."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return False
        found = [line.split()[1] for line in status.splitlines() if "SigCgt" in line]
        return bool(found) and bool(int(found[0], 16) & CATCHES)

    def stop(self, number: int) -> str:
        """Sends a signal; what was said in all, when it has ended as it should."""
        os.kill(self.pid, number)
        assert self.process.wait(120) == STOPPED, self.said.read_text()
        said = self.said.read_text()
        assert "Traceback" not in said
        assert "terminate called" not in said
        return said


@pytest.mark.parametrize(
    ("number", "background", "seconds"),
    [
        (signal.SIGINT, False, 0.7),
        (signal.SIGINT, True, 0.0),
        (signal.SIGTERM, False, 0.0),
        (signal.SIGTERM, True, 0.7),
    ],
)
def test_one_that_starts_ends_and_nothing_was_begun(tmp_path, number, background, seconds):
    command = Command(tmp_path, background)
    command.wait(command.catches)
    time.sleep(seconds)
    assert "stopped at once: no run was begun" in command.stop(number)
    assert not command.folder.exists()


@pytest.mark.parametrize(
    ("number", "background"), [(signal.SIGINT, True), (signal.SIGTERM, False)]
)
def test_one_that_compiles_ends_at_once_and_goes_on(tmp_path, number, background):
    command = Command(tmp_path, background)
    command.wait(lambda: "teacher: compiling" in command.said.read_text())
    time.sleep(0.4)  # in the middle of it: it takes seconds
    began = time.monotonic()
    said = command.stop(number)
    assert time.monotonic() - began < 2
    assert f"stopped at once: `ptde resume {command.folder}` goes on" in said
    assert HEARD not in said
    if number == signal.SIGINT:
        assert main(["resume", str(command.folder)]) == 0


def test_one_that_learns_is_saved_first(tmp_path):
    command = Command(tmp_path, background=True, words=LONG)
    record = command.folder / "teacher" / "record.jsonl"
    command.wait(lambda: record.exists() and len(record.read_text().splitlines()) > 1)
    os.kill(command.pid, signal.SIGINT)  # a terminal's; the next is passed on by others
    said = command.stop(signal.SIGINT)
    assert said.count(HEARD) == 1
    saved = Checkpoints(command.folder / "teacher" / "checkpoints").steps()
    assert f"stopped: teacher is saved at {saved[-1]:,} steps" in said
