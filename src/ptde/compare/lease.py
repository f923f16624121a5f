"""A lease on a run folder, for programs on machines that may lose sight of one another.

The lock in a run folder (``RunFolder.alone``) ends with its process, but on some network
disks it holds on one machine alone, and on others it outlives a machine that is gone. A
lease needs no more than a file that all machines read and write:

- Who holds it writes a higher count every ``BEAT`` seconds, and stops its run at once if it
  could not for ``LOSE`` seconds, or finds the name of another there.
- Who wants it watches the count: if that stands still for ``STALE`` seconds, by its own
  clock, the holder is gone. As STALE is longer than LOSE, the holder's run is, too.

On the holder's own machine nobody needs to wait: there one sees whether it lives.
"""

import json
import os
import secrets
import socket
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
    """The lease could not be kept: the run must stop, and not be saved."""


class Lease:
    """The lease on a run folder, for one program."""

    def __init__(
        self, folder: Path, lose: float = LOSE, stale: float = STALE, beat: float = BEAT
    ):
        self.path = folder / FILE
        self.lose, self.stale, self.beat = lose, stale, beat
        self.token, self.count = secrets.token_hex(8), 0
        self.renewed = time.monotonic()

    def take(self, wait: Callable[[float], None] = time.sleep) -> None:
        """Waits until no other program holds the lease, and takes it.

        Args:
            wait: called with seconds to wait; what it raises ends the waiting.
        """
        while True:
            self._outlast(wait)
            self._write()
            wait(min(1.0, self.beat))  # of several that take it at once the last one stays
            if self._read().get("token") == self.token:
                return

    def _outlast(self, wait: Callable[[float], None]) -> None:
        """Waits until the holder is gone, or has given the lease back."""
        seen, since = self._read(), time.monotonic()
        while seen and not _dead(seen):
            wait(min(1.0, self.beat))
            now = self._read()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.stale:
                return

    def keep(self) -> None:
        """Renews the lease if it is time to; to be called more often than ``beat``.

        Raises:
            Lost: another program has it, or it could not be renewed for too long.
        """
        now = time.monotonic()
        if now - self.renewed > self.lose:
            raise Lost(f"{self.path} was not renewed for {now - self.renewed:.0f} s")
        if now - self.renewed < self.beat:
            return
        with suppress(OSError):  # a disk that is away for a moment
            there = self._read()
            if there.get("token") != self.token:
                raise Lost(f"{self.path} is held by {there.get('host', 'another program')}")
            self._write()

    def give_back(self) -> None:
        """Lets others have the lease at once, if it is still this program's."""
        with suppress(OSError):
            if self._read().get("token") == self.token:
                self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any]:
        """What the file says; nothing if there is none, or if it is damaged."""
        with suppress(FileNotFoundError, ValueError):
            data = json.loads(self.path.read_bytes())
            return data if isinstance(data, dict) else {}
        return {}

    def _write(self) -> None:
        began = time.monotonic()  # the file may be there long before the disk says so
        self.count += 1
        mine = {**_here(), "token": self.token, "count": self.count}
        write_whole(self.path, json.dumps(mine))
        self.renewed = began


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
