"""Ctrl-C and SIGTERM while a run is in the middle of a period."""

import signal

import pytest

from ptde.jobs.interrupt import HEARD, patient_interrupt


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
