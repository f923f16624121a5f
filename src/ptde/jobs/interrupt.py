"""Ctrl-C and SIGTERM, after which a run saves itself before it stops."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

HEARD = "\nstopping: saved as soon as the next test is done; Ctrl-C again stops at once\n"


class Interrupted(Exception):
    """The user stopped the run after it had saved itself."""


class Stop:
    """Whether the user asked to stop."""

    requested = False


@contextmanager
def patient_interrupt() -> Iterator[Stop]:
    """A context in which the first Ctrl-C only sets ``requested``; a second interrupts.

    SIGTERM, by which clusters announce the end of a job, does the same.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    usual = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def back():
        for number, handler in usual.items():
            signal.signal(number, handler)

    def ask(number, frame):
        stop.requested = True
        back()
        with suppress(OSError):  # not print, which may be what was interrupted
            os.write(2, HEARD.encode())

    for number in usual:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        back()
