"""Runs side by side, of which some end badly."""

import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ptde.compare import workers
from ptde.compare.cores import cores
from ptde.compare.workers import WorkerFailed, ending, run_side_by_side


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """Folders that hold no run: each process says so, and ends with status 2."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(workers, "LOOK", 0.1)
    made = [tmp_path / name for name in ("first", "second")]
    for folder in made:
        folder.mkdir()
    return made


def process_of(folder: Path) -> psutil.Process:
    """Its process, which has to become the program that it is started as first."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if str(folder) in child.cmdline():
                    return child
    raise AssertionError(f"no process has {folder}")


def test_all_that_fail_are_named_in_the_end_and_the_others_go_on(folders, capsys):
    first, second = folders
    seen = []

    def look(running):
        if running == [second] and not seen:
            process_of(second).send_signal(signal.SIGKILL)
        seen.extend(folder for folder in running if folder is second)

    with pytest.raises(WorkerFailed) as error:
        run_side_by_side(folders, 1, look)
    said = str(error.value)
    assert said.startswith("runs that failed: 2. ")
    assert "the same command tries again" in said
    assert f"{first} failed with exit status 2:\nerror: {first} is not a run folder" in said
    assert f"{second} was ended by signal 9: out of memory? (type fewer --workers)" in said
    early = capsys.readouterr().out  # days before the end, perhaps
    assert f"{first} failed with exit status 2; the others go on" in early


def test_a_worker_takes_a_core_that_no_other_command_has(folders):
    there = psutil.Process().cpu_affinity()
    left = []

    def look(running):
        if running and not left:
            with cores(len(there)) as mine:
                left.append(mine)
            process_of(folders[0]).kill()

    with pytest.raises(WorkerFailed):
        run_side_by_side(folders[:1], 1, look)
    assert left == [[]]
    with cores(len(there)) as mine:
        assert mine == there  # it is given back


def test_other_signals_have_their_names():
    assert ending(-signal.SIGSEGV, "") == "was ended by signal 11 (Segmentation fault)"
