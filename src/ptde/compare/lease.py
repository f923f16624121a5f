"""A lease on a run folder, for programs on machines that may lose sight of one another.

The lock in a run folder (``RunFolder.alone``) ends with its process, but on some network
disks it holds on one machine alone, and on others it outlives a machine that is gone. A
lease needs no more than a file that all machines read and write:

- Who holds it writes a higher count every ``BEAT`` seconds, and ends its run at once if it
  could not for ``LOSE`` seconds, or finds the name of another there.
- Who wants it watches the count: if that stands still for ``STALE`` seconds, by its own
  clock, the holder is gone. As STALE is longer than LOSE, the holder's run is, too.

On the holder's own machine nobody needs to wait: there one sees whether it lives.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from ptde.files import write_whole

FILE = ".lease"
BEAT, LOSE, STALE = 5.0, 30.0, 90.0
"""Seconds; STALE is also how long most NFS servers keep a lock of a client that is gone."""


class Lost(Exception):
    """The lease could not be kept: the run must end at once, and not be saved."""


class Lease:
    """The lease on a run folder, for one program."""

    def __init__(
        self, folder: Path, lose: float = LOSE, stale: float = STALE, beat: float = BEAT
    ):
        self.path = folder / FILE
        self.lose, self.stale, self.beat = lose, stale, beat
        self.token, self.count = secrets.token_hex(8), 0
        self.about: dict[str, Any] = {}
        """What the file says beside the holder's name."""
        self.before: dict[str, Any] = {}
        """What the file said of the holder before, if that was gone."""
        self.renewed = time.monotonic()
        self.other, self.ended = "", threading.Event()
        self.thread = threading.Thread(target=self._renew, daemon=True)

    def take(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Waits until no other program holds the lease, takes it, and keeps renewing it.

        Args:
            wait: called with seconds to wait; what it raises ends the waiting.
        """
        while True:
            seen = self._outlast(wait)
            if seen is None:
                if self._create():
                    break
                continue
            self.before = seen
            try:
                self.renewed = self._write()
            except OSError:
                if self._read() == seen:  # nobody was faster: it is the disk
                    raise
            wait(2 * self.beat)  # of several that take it at once the last one stays
            if (self._read() or {}).get("token") == self.token:
                break
        self.thread.start()

    def check(self) -> None:
        """Raises Lost if another program has the lease, or it is renewed no more."""
        if self.other:
            raise Lost(f"{self.path} is held by {self.other}")
        if self._late():
            passed = time.monotonic() - self.renewed
            raise Lost(f"{self.path} was not renewed for {passed:.0f} s")

    def _late(self) -> bool:
        """Whether the lease is lost, for good: another may have it, or be about to."""
        return time.monotonic() - self.renewed > self.lose

    def give_back(self) -> None:
        """Lets others have the lease at once, if it is still this program's."""
        self.ended.set()
        if self.thread.is_alive():
            self.thread.join(self.lose)  # or it might write once more
        with suppress(OSError):
            if (self._read() or {}).get("token") == self.token:
                self.path.unlink(missing_ok=True)

    def _renew(self) -> None:
        """Renews the lease, in a thread of its own, as a network disk may hang for long."""
        while not self.ended.wait(self.beat):
            with suppress(OSError):  # a disk that is away for a moment
                there = self._read()
                if there is None or there.get("token") != self.token:
                    self.other = (there or {}).get("host", "another program")
                    return
                if self._late():  # the machine stood still, perhaps since the read
                    return
                began = self._write()
                if self._late():
                    return
                self.renewed = began

    def _outlast(self, wait: Callable[[float], None]) -> dict[str, Any] | None:
        """Waits until the holder is gone, or has given the lease back; None if it has."""
        seen, since = self._read(), time.monotonic()
        while seen is not None and not _dead(seen):
            wait(min(1.0, self.beat))
            now = self._read()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.stale:
                break
        return seen

    def _read(self) -> dict[str, Any] | None:
        """What the file says: None if there is none, nothing if it is damaged."""
        with suppress(ValueError):
            try:
                data = json.loads(self.path.read_bytes())
            except FileNotFoundError:
                return None
            return data if isinstance(data, dict) else {}
        return {}

    def _create(self) -> bool:
        """Makes the file; False if another program was first."""
        began = time.monotonic()
        try:
            with open(self.path, "x") as file:
                file.write(self._text())
        except FileExistsError:
            return False
        self.renewed = began
        return True

    def _write(self) -> float:
        """Writes the file; the time before, as it may be there long before the disk says
        so.
        """
        began = time.monotonic()
        write_whole(self.path, self._text())
        return began

    def _text(self) -> str:
        self.count += 1
        return json.dumps({**self.about, **_here(), "token": self.token, "n": self.count})


def _here() -> dict[str, Any]:
    """This process, and the machine or container whose processes it sees."""
    return {
        "host": socket.gethostname(),
        "boot": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "processes": os.readlink("/proc/self/ns/pid"),
        "pid": os.getpid(),
        "began": psutil.Process().create_time(),
    }


def _dead(holder: dict[str, Any]) -> bool:
    """Whether the holder is a process of this machine that is gone.

    False where that cannot be known from here.
    """
    here = _here()
    if any(holder.get(name) != here[name] for name in ("host", "boot", "processes")):
        return False
    try:
        process = psutil.Process(holder["pid"])
        gone = process.status() == psutil.STATUS_ZOMBIE
        return gone or process.create_time() != holder["began"]
    except (psutil.NoSuchProcess, KeyError):
        return True
