"""Ctrl-C and SIGTERM while a run is in the middle of a period."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ptde.jobs.interrupt import HEARD, ONE, STOPPED, patient_interrupt


@pytest.fixture(autouse=True)
def in_the_foreground():
    """A shell that starts the tests in the background has them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_asks_and_says_so_and_the_second_interrupts(number, capfd):
    usual = signal.getsignal(number)
    with patient_interrupt() as stop:
        assert not stop.requested
        signal.raise_signal(number)
        assert stop.requested
        assert capfd.readouterr().err == HEARD
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(number) is usual


COMMAND = """
import hashlib, signal, sys
from ptde.jobs.interrupt import hearing, patient_interrupt, resumable
hearing()
kind = sys.argv[1]
def compiled():  # Python hears no signal in here
    print("in", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"a", b"b", 2_000_000_000)
with resumable("this goes on"):
    if kind == "outside":
        compiled()
    with patient_interrupt() as stop:
        stop.nothing_to_lose = kind == "nothing to lose"
        if kind == "too late":
            print("in", flush=True)
            while not stop.requested:
                pass
        else:
            compiled()
print("went on", flush=True)
"""


@pytest.fixture
def command():
    begun = []

    def start(kind):
        words = [sys.executable, "-c", COMMAND, kind]
        pipe = subprocess.PIPE
        process = subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True)
        begun.append(process)
        assert process.stdout.readline() == "in\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("kind", ["outside", "nothing to lose"])
def test_a_command_in_compiled_code_ends_at_once(command, kind, number):
    process = command(kind)
    process.send_signal(number)
    said, error = process.communicate(timeout=20)
    assert process.returncode == STOPPED
    assert (said, error) == ("", "\nstopped at once: this goes on\n")


def test_a_command_with_something_to_lose_waits_for_the_second(command):
    process = command("something to lose")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)  # as `timeout` does: they are one
    os.set_blocking(process.stderr.fileno(), True)
    assert process.stderr.readline() + process.stderr.readline() == HEARD
    time.sleep(1.5 * ONE)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    said, error = process.communicate(timeout=20)
    assert process.returncode == STOPPED
    assert (said, error) == ("", "\nstopped at once: this goes on\n")


def test_a_signal_that_nobody_looked_for_is_not_lost(command):
    process = command("too late")
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=20)
    assert process.returncode == STOPPED
    assert error == f"{HEARD}\nstopped at once: this goes on\n"
    assert said == ""
