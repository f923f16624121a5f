import errno
import os
import resource
import signal
from contextlib import contextmanager

import jax.numpy as jnp
import pytest

from ptde.files import whole, write_whole, writing
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.record import Record


@contextmanager
def files_of_at_most(size):
    """The system refuses to write more: what a full disk is to a program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, usual)


def one_line(error, *parts):
    text = str(error)
    assert "\n" not in text
    assert all(part in text for part in parts), text
    return True


def test_a_file_is_whole_or_what_it_was(tmp_path):
    path = tmp_path / "result.json"
    write_whole(path, "old")
    with files_of_at_most(1000), pytest.raises(OSError) as error:
        write_whole(path, "n" * 5000)
    assert one_line(error.value, str(path), "5.0 kB are needed", "`ptde resume`")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.json"]
    write_whole(path, "new")
    assert path.read_text() == "new"


def test_the_folder_of_a_file_is_made(tmp_path):
    write_whole(tmp_path / "a" / "b" / "replay.gif", b"GIF")
    assert (tmp_path / "a" / "b" / "replay.gif").read_bytes() == b"GIF"


def test_a_picture_that_was_begun_does_not_stay(tmp_path):
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "curves.png") as part:
        assert part.suffix == ".png"
        part.write_text("half")
        raise KeyboardInterrupt
    assert not os.listdir(tmp_path)


def test_a_record_keeps_the_rows_before(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    record.append({"steps": 1})
    with files_of_at_most(20), pytest.raises(OSError) as error:
        record.append({"steps": 2, "text": "x" * 5000})
    assert one_line(error.value, "record.jsonl", "make room")
    assert record.cut(10) == [{"steps": 1}]
    record.append({"steps": 3})
    assert [row["steps"] for row in record.rows()] == [1, 3]


def test_a_checkpoint_keeps_the_one_before(tmp_path, capfd):
    kept = Checkpoints(tmp_path)
    kept.save(1, {"x": jnp.ones(10)})
    with files_of_at_most(10_000), pytest.raises(OSError) as error:
        kept.save(2, {"x": jnp.arange(100_000.0) ** 0.5})
    assert one_line(error.value, str(tmp_path / "2"), "400.0 kB are needed", "resume")
    assert kept.newest({"x": jnp.ones(10)})[0] == 1
    assert os.listdir(tmp_path) == ["1"]
    assert len(capfd.readouterr().err.splitlines()) < 3


def test_no_room_is_seen_before_anything_is_written(tmp_path, monkeypatch):
    kept = Checkpoints(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Room)
    with pytest.raises(OSError, match=r"No space left on device.*resume"):
        kept.save(2, {"x": jnp.ones(10)})
    assert not kept.steps()


class Room:
    free = 10


def test_an_error_of_another_kind_keeps_its_number(tmp_path):
    with pytest.raises(OSError) as error, writing(tmp_path, 1):
        raise PermissionError(errno.EACCES, "no")
    assert error.value.errno == errno.EACCES
