"""One lease on a folder, whoever lives, dies, or is out of reach."""

import errno
import json
import subprocess
import sys
import threading
import time

import pytest

from ptde.compare.lease import Lease, Lost

HOLDER = """
import sys, time
from pathlib import Path
from ptde.compare.lease import Lease
lease = Lease(Path(sys.argv[1]))
lease.about["run"] = 12
lease.take()
print("held", flush=True)
time.sleep(600)
"""


def quick(folder, **seconds):
    return Lease(folder, **{"lose": 1.0, "stale": 2.0, "beat": 0.1, **seconds})


def seconds_of(work) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


@pytest.fixture
def elsewhere(tmp_path):
    """A lease that is held by a program of another machine, which says nothing more."""
    lease = quick(tmp_path)
    lease.take()
    lease.ended.set()
    time.sleep(0.3)
    there = {**json.loads(lease.path.read_text()), "host": "far", "run": 12}
    lease.path.write_text(json.dumps(there))
    return there


def test_who_waits_gets_it_when_it_is_given_back(tmp_path):
    first, second = quick(tmp_path), quick(tmp_path)
    first.take()
    threading.Timer(1.0, first.give_back).start()
    assert 0.9 < seconds_of(second.take) < 10
    second.check()
    assert second.before == {}
    second.give_back()
    assert not second.path.exists()


def test_it_is_not_taken_from_one_who_lives_however_long_it_takes(tmp_path):
    class EnoughWaited(Exception):
        pass

    def wait(seconds):
        time.sleep(seconds)
        if time.monotonic() - began > 5:  # more than twice ``stale``
            raise EnoughWaited

    first, second = quick(tmp_path), quick(tmp_path)
    first.take()
    there = json.loads(first.path.read_text())
    first.ended.set()
    began = time.monotonic()

    def beat():  # as a machine does of whose processes one knows nothing
        count = 0
        while not done.wait(0.1):
            count += 1
            text = json.dumps({**there, "host": "far", "n": count})
            part = tmp_path / "part"
            part.write_text(text)
            part.replace(first.path)

    done = threading.Event()
    beating = threading.Thread(target=beat)
    beating.start()
    time.sleep(0.3)
    with pytest.raises(EnoughWaited):
        second.take(wait)
    done.set()
    beating.join()


def test_of_one_who_is_silent_it_is_taken_when_it_must_have_ended(elsewhere, tmp_path):
    lease = quick(tmp_path)
    assert seconds_of(lease.take) > lease.stale > lease.lose
    assert lease.before == elsewhere
    lease.check()
    lease.give_back()


def test_a_damaged_one_is_waited_for(tmp_path):
    lease = quick(tmp_path)
    lease.path.write_text('{"tok')
    assert seconds_of(lease.take) > lease.stale
    lease.give_back()


def test_of_a_dead_process_of_this_machine_it_is_taken_soon(tmp_path):
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    lease = quick(tmp_path, stale=600.0)
    lives = threading.Timer(1.5, process.kill)
    lives.start()
    assert 1.2 < seconds_of(lease.take) < 60
    assert process.wait() < 0
    assert lease.before["run"] == 12 and lease.before["pid"] == process.pid
    lease.give_back()


def test_one_whose_lease_was_taken_is_told_to_end(elsewhere, tmp_path):
    first = quick(tmp_path, lose=60.0)
    first.take()
    first.check()
    first.path.write_text(json.dumps({**elsewhere, "token": "another"}))
    time.sleep(1)
    with pytest.raises(Lost, match="held by far"):
        first.check()
    first.give_back()
    assert json.loads(first.path.read_text())["token"] == "another"


def test_one_that_cannot_write_ends_before_another_may_begin(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    lease = quick(place)
    lease.take()
    time.sleep(0.4)
    lease.check()
    place.rename(tmp_path / "away")
    place.write_text("the disk is away")  # opening a file below it is an OSError
    time.sleep(1.2)
    with pytest.raises(Lost, match="was not renewed"):
        lease.check()
    lease.ended.set()


def test_one_that_stood_still_does_not_take_it_back(tmp_path):
    lease = quick(tmp_path)
    lease.take()
    usual, slept = lease._read, threading.Event()

    def read():
        there = usual()
        if not slept.is_set():
            time.sleep(1.3)  # longer than ``lose``; another has it by now
            lease.path.write_text(json.dumps({**there, "token": "another"}))
            slept.set()
        return there

    lease._read = read
    lease.thread.join(10)
    assert slept.is_set() and not lease.thread.is_alive()
    assert json.loads(lease.path.read_text())["token"] == "another"
    with pytest.raises(Lost):
        lease.check()


def test_one_that_was_late_once_is_lost_for_good(tmp_path):
    lease = quick(tmp_path)
    lease.take()
    usual = lease._write

    def write():
        lease._write = usual
        began = usual()
        time.sleep(1.3)  # the disk is slow to say that it is written
        return began

    lease._write = write
    time.sleep(2.0)  # many beats more
    with pytest.raises(Lost, match="was not renewed"):
        lease.check()
    lease.give_back()
    assert not lease.path.exists()


def test_a_write_that_fails_because_another_was_faster_loses_that_round_alone(
    elsewhere, tmp_path
):
    late, fast = quick(tmp_path), quick(tmp_path)
    usual = late._write

    def write():
        late._write = usual
        fast._write()
        threading.Timer(1.0, fast.give_back).start()
        raise FileNotFoundError(errno.ENOENT, "another has replaced it")

    late._write = write
    late.take()
    assert json.loads(late.path.read_text())["token"] == late.token
    late.give_back()


def test_a_write_that_fails_because_of_the_disk_is_said(elsewhere, tmp_path):
    def write():
        raise OSError(errno.ENOSPC, "the disk is full")

    lease = quick(tmp_path)
    lease._write = write
    with pytest.raises(OSError, match="the disk is full"):
        lease.take()


def test_of_many_who_want_it_at_once_one_gets_it(tmp_path):
    leases = [quick(tmp_path, stale=60.0) for _ in range(4)]
    got = []

    def take(lease):
        lease.take()
        got.append(lease)

    for lease in leases:
        threading.Thread(target=take, args=(lease,), daemon=True).start()
    for count in range(1, 5):
        until = time.monotonic() + 30
        while len(got) < count and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.5)
        assert len(got) == count
        got[-1].give_back()
