"""Ctrl-C, or SIGTERM: they wait for a good moment, or stop the program at once.

Python tells of a signal when its main thread comes back from compiled code, which may take
a minute, and then by an exception out of whatever that thread is in: a compiler that is
left so aborts the process, and a callback swallows it. So the command line hears signals
in a thread of its own (``hearing``), and stops by ending the process. In a notebook, or in
a program that imports ptde, Python's way stays.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEARD = "\nstopping: saved as soon as the next test is done; Ctrl-C again stops at once\n"
STOPPED = 130
"""Exit status of a program that was told to stop."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)
ONE = 0.5
"""Seconds within which two signals are one: `timeout`, and programs that start others, pass
on what the terminal has sent already."""
SHOW_CURSOR = b"\x1b[?25h"


class Interrupted(Exception):
    """The user stopped the run after it had saved itself."""


class Stop:
    """Whether the user asked to stop."""

    requested = False
    nothing_to_lose = False
    """Nothing was done since the last save: a command need not wait."""


class _Ears:
    """Hears signals even while the main thread is in compiled code."""

    def __init__(self):
        self.stop: Stop | None = None
        self.advice = "no run was begun"
        self.counts = {"thread": 0, "main": 0}
        self.done, self.last = 0, -ONE
        self.lock = threading.RLock()
        read, write = os.pipe()
        os.set_blocking(write, False)
        for number in SIGNALS:  # also where a shell's "&" had them ignored
            signal.signal(number, lambda *_: self.hear("main"))
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self.listen, args=(read,), daemon=True).start()

    def listen(self, pipe: int) -> None:
        """Is told of every signal when it comes."""
        while heard := os.read(pipe, 1):
            if heard[0] in SIGNALS:
                self.hear("thread")

    def hear(self, who: str) -> None:
        """Both threads hear each signal, the main one perhaps much later or not at all."""
        with self.lock:
            self.counts[who] += 1
            if self.counts[who] <= self.done:
                return
            self.done, now = self.counts[who], time.monotonic()
            if now - self.last < ONE:
                return
            self.last = now
            stop = self.stop
            if stop is None or stop.requested or stop.nothing_to_lose:
                self.end()
            else:
                stop.requested = True
                _say(HEARD)

    def end(self) -> None:
        """Ends the process, whatever its threads are doing."""
        if sys.stdout.isatty():
            with suppress(OSError):
                os.write(1, SHOW_CURSOR)
        _say(f"\nstopped at once: {self.advice}\n")
        os._exit(STOPPED)


_ears: _Ears | None = None


def hearing() -> None:
    """From now on the process, a command's, hears SIGINT and SIGTERM whatever it does.

    Outside of ``patient_interrupt`` the first one ends it, with ``STOPPED``.
    """
    global _ears
    _ears = _ears or _Ears()


@contextmanager
def resumable(advice: str) -> Iterator[None]:
    """Within, whoever stops the process at once is told how to go on."""
    if _ears is None:
        yield
        return
    before, _ears.advice = _ears.advice, advice
    try:
        yield
    finally:
        _ears.advice = before


@contextmanager
def patient_interrupt() -> Iterator[Stop]:
    """A context in which the first Ctrl-C only sets ``requested``; a second interrupts.

    SIGTERM, by which clusters announce the end of a job, does the same.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    if _ears is not None:
        _ears.stop = stop
        try:
            yield stop
        finally:
            _ears.stop = None
        if stop.requested:  # too late for whoever was to look
            _ears.end()
        return
    usual = {n: signal.getsignal(n) for n in SIGNALS}

    def back():
        for number, handler in usual.items():
            signal.signal(number, handler)

    def ask(number, frame):
        stop.requested = True
        back()
        _say(HEARD)

    for number in usual:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        back()


def _say(text: str) -> None:
    with suppress(OSError):  # print may be what was interrupted
        os.write(2, text.encode())
