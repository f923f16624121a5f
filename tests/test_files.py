import errno
import os
import resource
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import jax.numpy as jnp
import pytest

from ptde.config import Run
from ptde.files import LEFT_OVER, another_run, check_writable, whole, write_whole, writing
from ptde.folder import RunFolder
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.record import Record
from ptde.trust import is_own, sign


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


def test_two_writers_of_a_file_are_not_in_each_others_way(tmp_path):
    path = tmp_path / "[a] result.json"
    with whole(path) as slow:
        slow.write_text("slow")
        write_whole(path, "fast")
        assert path.read_text() == "fast"
    assert path.read_text() == "slow"
    assert os.listdir(tmp_path) == [path.name]


def test_what_a_killed_writer_left_is_removed_after_a_day(tmp_path):
    path = tmp_path / "[a] result.json"
    with whole(path) as part:
        part.write_text("whole")
        others = [part.with_name(part.name.replace("-", f"-{n}")) for n in range(2)]
        for other in others:
            other.write_text("half")
    os.utime(others[0], (0, time.time() - LEFT_OVER - 60))
    write_whole(path, "new")
    assert sorted(os.listdir(tmp_path)) == sorted([others[1].name, path.name])


def test_a_record_keeps_the_rows_before(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    row = {"steps": 1, "joint_steps": 1, "win_rate": [0.5], "return": [1.0]}
    record.append(row)
    with files_of_at_most(100), pytest.raises(OSError) as error:
        record.append({"steps": 2, "text": "x" * 5000})
    assert one_line(error.value, "record.jsonl", "make room")
    assert record.cut(10) == [row]
    record.append({**row, "steps": 3})
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


def test_a_folder_whose_lock_cannot_be_written_says_what_to_do(tmp_path):
    folder = RunFolder.create(Run(world="probe"), tmp_path / "run", "run")
    with files_of_at_most(0), pytest.raises(OSError) as error, folder.alone():
        raise AssertionError("it is not begun")
    assert one_line(error.value, ".lock", "make room", "`ptde resume`")
    with folder.alone():
        pass


def test_what_is_to_be_typed_can_be_typed_where_a_path_has_spaces(tmp_path):
    folder = RunFolder.create(Run(world="probe"), tmp_path / "my run", "run")
    with pytest.raises(ValueError) as error:
        folder.check_has("teacher")
    assert one_line(error.value, f"`ptde resume '{tmp_path}/my run'` ends it")


def test_a_disk_without_locks_says_what_to_do(tmp_path, monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")  # Lustre with noflock

    folder = RunFolder.create(Run(world="probe"), tmp_path / "run", "run")
    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(OSError) as error, folder.alone():
        raise AssertionError("it is not begun")
    assert one_line(error.value, ".lock", "no file locks", "-o flock", "another --out")


def test_a_folder_that_cannot_be_made_is_not_there(tmp_path):
    with files_of_at_most(10), pytest.raises(OSError, match="type another --out") as error:
        RunFolder.create(Run(world="probe"), tmp_path / "run", "run")
    assert one_line(error.value, "File too large", str(tmp_path / "run"))
    assert not os.listdir(tmp_path)
    RunFolder.create(Run(world="probe"), tmp_path / "run", "run")


def test_runs_that_begin_at_once_have_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin = lambda _: RunFolder.create(Run(world="probe"), None, "run").path
    with ThreadPoolExecutor(8) as together:
        made = set(together.map(begin, range(8)))
    assert len(made) == 8
    assert {path.name for path in made} == set(os.listdir("runs"))  # nothing else is left


def test_a_note_of_origin_that_was_cut_off_spoils_no_later_one(tmp_path):
    sign(tmp_path, b"old")
    room = (tmp_path / "origin").stat().st_size + 9
    with files_of_at_most(room), pytest.raises(OSError, match="make room"):
        sign(tmp_path, b"never")
    sign(tmp_path, b"new")
    assert is_own(tmp_path, b"old")
    assert is_own(tmp_path, b"new")
    assert not is_own(tmp_path, b"never")


def test_an_error_of_another_kind_keeps_its_number_and_says_nothing_of_room(tmp_path):
    with pytest.raises(OSError) as error, writing(tmp_path, 1):
        raise PermissionError(errno.EACCES, "no")
    assert error.value.errno == errno.EACCES
    says = "Permission denied): type another path (`--out`), or make it writable"
    assert one_line(error.value, str(tmp_path), says)
    assert "room" not in str(error.value)


def test_a_folder_that_nobody_can_write_to_is_named_at_once(tmp_path):
    check_writable(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(OSError) as error:
        check_writable(Path("/proc"))
    assert one_line(error.value, "/proc", "or make it writable")


def test_what_cannot_be_a_file_says_nothing_of_room(tmp_path):
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError, match=r"Is a directory.*type another path") as error:
        write_whole(tmp_path / "page.html", "x")
    assert "room" not in str(error.value)


def test_a_folder_without_a_run_is_answered_with_what_to_type(tmp_path):
    for place in ("search", "cmp/3m/qmix/0+2"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "run.json").touch()
    assert another_run(tmp_path / "serch") == f"Did you mean {tmp_path / 'search'}?"
    assert f"e.g. {tmp_path}/cmp/3m/qmix/0+2, or" in another_run(tmp_path / "cmp")
    assert "the path that `ptde run` printed" in another_run(tmp_path / "nowhere-near")
