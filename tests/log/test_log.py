"""Loggers: one schema, every row once, and the line to type where one is not installed."""

import json
import struct
import sys

import pytest
from tests.documents import EXAMPLES, ROOT, TINY, fenced

from ptde.cli import main
from ptde.jobs.record import Record
from ptde.log import LOGGERS, AbstractLogger, RunLog, check_log, log_row

PROBE = ["run", "--world", "probe", "--map", "personal", *TINY]
RUN = {"seed": 3, "world": "probe"}
OWN = """
import json

class Lines:
    def __init__(self, folder, run):
        self.file = (folder / "lines.jsonl").open("a")
        self.file.write(json.dumps({"begun": run["seed"]}) + "\\n")

    def __call__(self, row):
        self.file.write(json.dumps(dict(row)) + "\\n")
        self.file.flush()

    def close(self):
        self.file.write('"closed"\\n')
        self.file.close()

class Within:
    def __init__(self, folder, run):
        self.heard = []
    def __enter__(self):
        return self.heard.append
    def __exit__(self, *failure):
        seen.append(self.heard)

def broken(folder, run):
    def hear(row):
        raise RuntimeError("the disk is full")
    return hear

def deaf(folder, run):
    return 3

def offline(folder, run):
    raise ConnectionError("no way\\nto the server")

seen = []
number = 3
"""


def row_at(steps, *won):
    counts = {"steps": steps, "joint_steps": steps, "seconds": 1.5}
    return {**counts, "win_rate": list(won), "return": list(won)}


def add(folder, role, *rows):
    (folder / role).mkdir(exist_ok=True)
    for row in rows:
        Record(folder / role / "record.jsonl").append(row)


def tell(log, folder, role, *rows):
    """What the loop does with its rows."""
    for row in rows:
        add(folder, role, row)
        for hear in log.hears(role):
            hear(row)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A folder with a logger of one's own, and ptde started there."""
    (tmp_path / "my_log.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("my_log", None)
    yield tmp_path
    sys.modules.pop("my_log", None)


def lines(folder):
    return [json.loads(line) for line in (folder / "lines.jsonl").read_text().splitlines()]


def test_a_row_is_named_by_its_stage():
    assert log_row("teacher", row_at(64, 0.25), 0) == {
        "joint_steps": 64,
        "teacher/steps": 64,
        "teacher/seconds": 1.5,
        "teacher/win_rate": 0.25,
        "teacher/return": 0.25,
    }


def test_seeds_stand_below_their_mean_by_their_own_numbers():
    row = log_row("student", row_at(64, 0.25, 0.75), 3)
    assert row["student/win_rate"] == 0.5
    assert row["student/win_rate/seed_3"] == 0.25
    assert row["student/win_rate/seed_4"] == 0.75


def test_every_row_is_heard_once_though_the_run_was_stopped(mine):
    rows = [row_at(steps, steps / 100) for steps in (10, 20, 30, 40)]
    with RunLog(mine, RUN, ["my_log:Lines"]) as log:
        tell(log, mine, "teacher", *rows[:3])
    Record(mine / "teacher" / "record.jsonl").cut(10)  # a checkpoint was there
    with RunLog(mine, RUN) as log:  # the folder knows its loggers
        tell(log, mine, "teacher", *rows[1:])
    begun, *heard, closed = lines(mine)
    assert begun == {"begun": 3} and closed == "closed"
    assert [x["joint_steps"] for x in heard if "joint_steps" in x] == [10, 20, 30, 40]


def test_a_logger_that_comes_later_is_told_what_it_missed(mine):
    add(mine, "teacher", row_at(10, 0.0), row_at(20, 0.0))
    with RunLog(mine, RUN, ["my_log:Lines"]) as log:
        tell(log, mine, "teacher", row_at(30, 0.0))
    assert [row["joint_steps"] for row in lines(mine)[1:-1]] == [10, 20, 30]


@pytest.mark.parametrize("text", ["{", "[3]", '{"my_log:Lines": "much"}'])
def test_a_damaged_note_of_what_was_told_costs_no_row(mine, capsys, text):
    add(mine, "teacher", row_at(10, 0.0))
    (mine / "teacher" / "logged.json").write_text(text)
    with RunLog(mine, RUN, ["my_log:Lines"]) as log:
        tell(log, mine, "teacher", row_at(20, 0.0), row_at(30, 0.0))
    assert [row["joint_steps"] for row in lines(mine)[1:-1]] == [10, 20, 30]
    assert capsys.readouterr().out.count("logged.json is damaged") == 1


def test_a_context_manager_is_entered_and_left(mine):
    with RunLog(mine, RUN, ["my_log:Within"]) as log:
        tell(log, mine, "teacher", row_at(10, 1.0))
    import my_log

    (heard,) = my_log.seen
    assert [row["teacher/win_rate"] for row in heard] == [1.0]


def test_the_examples_logger_says_when_a_height_is_passed(mine, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    with RunLog(mine, RUN, ["my_logger:Milestones"]) as log:
        tell(log, mine, "teacher", *(row_at(n, n / 100) for n in (40, 50, 60, 85)))
        tell(log, mine, "finetuned", row_at(95, 0.55))
    assert (mine / "milestones.txt").read_text().splitlines() == [
        "teacher wins 0.5 after 50 joint steps",
        "teacher wins 0.8 after 85 joint steps",
        "finetuned wins 0.5 after 95 joint steps",
    ]


def test_a_logger_that_fails_stops_no_training(mine, capsys):
    with RunLog(mine, RUN, ["my_log:broken", "my_log:Lines"]) as log:
        tell(log, mine, "teacher", row_at(10, 1.0), row_at(20, 1.0))
    shown = capsys.readouterr().out
    assert shown.count("my_log:broken failed") == 1 and "the disk is full" in shown
    assert len(lines(mine)) == 4


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("tensorbord", "tensorboard"),
        ("my_log:Nothing", "has no 'Nothing'"),
        ("my_log:number", "name a class or function"),
        ("not_there:Log", "is it installed"),
    ],
)
def test_a_logger_that_cannot_be_is_refused(mine, name, advice):
    with pytest.raises(ValueError, match=advice):
        check_log([name])


def test_a_logger_whose_module_raises_is_refused_in_a_line(mine):
    (mine / "bad_log.py").write_text("1 / 0")
    with pytest.raises(ValueError, match=r"^--log bad_log:Log: .*it raised ZeroDiv.*$"):
        check_log(["bad_log:Log"])


def test_what_cannot_be_called_is_refused_before_the_first_row(mine):
    with pytest.raises(ValueError, match="cannot be called with a row"):
        RunLog(mine, RUN, ["my_log:deaf"]).__enter__()


def test_a_logger_that_cannot_start_is_not_started_again(mine):
    with pytest.raises(ValueError, match="cannot start") as error:
        RunLog(mine, RUN, ["my_log:Lines", "my_log:offline"]).__enter__()
    said = str(error.value)
    assert said.startswith("--log my_log:offline cannot start: ConnectionError: no way to")
    assert said.endswith(f"go on without it, `ptde resume {mine} --log none`")
    assert lines(mine) == [{"begun": 3}, "closed"]
    with RunLog(mine, RUN) as log:  # as `ptde resume` does
        assert log.names == ()


class Absent(AbstractLogger):
    name, package = "absent", "a_package_that_is_nowhere"

    def start(self, folder, run):
        raise AssertionError

    row = start


def test_the_line_to_type_comes_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(LOGGERS, "absent", Absent)
    words = ["--log", "absent", "--out", str(tmp_path / "run")]
    assert main([*PROBE, *words]) == 2
    assert "pip install 'ptde[absent]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_extras_have_the_loggers_names():
    from tests.test_package import PROJECT

    for name, kind in LOGGERS.items():
        (need,) = PROJECT["optional-dependencies"][name]
        assert need.startswith(kind.package)


@pytest.mark.slow
def test_a_run_is_logged_whole(mine):
    """From the command: teacher and student, as many rows as their records have."""
    assert main([*PROBE, "--log", "my_log:Lines", "--out", "run"]) == 0
    heard = [row for row in lines(mine / "run") if "joint_steps" in row]
    for role in ("teacher", "student"):
        rows = Record(mine / "run" / role / "record.jsonl").rows()
        rates = [row[f"{role}/win_rate"] for row in heard if f"{role}/win_rate" in row]
        assert rates and rates == [row["win_rate"][0] for row in rows]


def test_the_how_tos_logger_writes(mine):
    (script,) = fenced(ROOT / "docs" / "howto" / "log.md", "python")
    (mine / "my_log.py").write_text(script)
    with RunLog(mine, RUN, ["my_log:Lines"]) as log:
        tell(log, mine, "teacher", row_at(16, 0.5))
        tell(log, mine, "student", row_at(16, 0.5))
    assert (mine / "won.txt").read_text() == "16 0.5\n"


def scalars(folder):
    """(name, joint steps, value) of a folder's event files, in order."""
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:  # each: its length in 8 bytes, 4 of checksum, itself, 4 of checksum
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            found += [
                (value.tag, event.step, value.simple_value)
                for value in event.summary.value
                if value.WhichOneof("value") == "simple_value"
            ]
    return found


def test_tensorboard_goes_on_in_its_folder_without_a_row_twice(tmp_path):
    pytest.importorskip("tensorboardX")
    rows = [row_at(steps, steps / 64) for steps in (16, 32, 48)]
    with RunLog(tmp_path, RUN, ["tensorboard"]) as log:
        tell(log, tmp_path, "teacher", *rows[:2])
    Record(tmp_path / "teacher" / "record.jsonl").cut(16)
    with RunLog(tmp_path, RUN) as log:
        tell(log, tmp_path, "teacher", *rows[1:])
        tell(log, tmp_path, "student", row_at(48, 0.5))
    seen = [x for x in scalars(tmp_path / "tensorboard") if x[0].endswith("win_rate")]
    teacher = [("teacher/win_rate", steps, steps / 64) for steps in (16, 32, 48)]
    assert sorted(seen) == sorted([*teacher, ("student/win_rate", 48, 0.5)])


def test_tensorboards_rows_outlive_a_kill(tmp_path):
    """What `row` was given is on disk when it returns, though nothing was closed."""
    pytest.importorskip("tensorboardX")
    log = RunLog(tmp_path, RUN, ["tensorboard"]).__enter__()
    tell(log, tmp_path, "teacher", row_at(16, 0.5))
    assert ("teacher/win_rate", 16, 0.5) in scalars(tmp_path / "tensorboard")
    log.close()


def test_wandb_keeps_rows_without_a_network(tmp_path, monkeypatch):
    """Offline, as on a cluster; a run that goes on is the same run of W&B's."""
    wandb = pytest.importorskip(
        "wandb", reason="wandb is not installed: pip install 'ptde[wandb]'"
    )
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for steps in (16, 32):
        with RunLog(tmp_path, RUN, ["wandb"]) as log:
            tell(log, tmp_path, "teacher", row_at(steps, 0.5))
    wandb.teardown()  # waits for its process, which writes the files
    files = sorted((tmp_path / "wandb").glob("offline-run-*/*.wandb"))
    name = (tmp_path / "wandb-id").read_text()
    assert len(files) == 2 and all(file.stem == f"run-{name}" for file in files)
    assert all(b"teacher/win_rate" in file.read_bytes() for file in files)
