import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.students import NO_STAGE_3, PAPERS

from ptde import anew, build
from ptde.algos import ValueConfig
from ptde.algos.finetune import FinetuneConfig
from ptde.cli import main
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.folder import DIAGNOSIS, FITTED, RunFolder
from ptde.info import InfoSizes
from ptde.jobs import job
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.interrupt import Interrupted
from ptde.jobs.job import Diverged
from ptde.jobs.record import Record
from ptde.log import RunLog
from ptde.mixers import MixerSizes
from ptde.pipeline import (
    _slower,
    distill_run,
    evaluate_run,
    replay_run,
    resume,
    run,
)
from ptde.report.result import load_result
from ptde.run_json import FORMAT, load_run

TINY = Run(
    world="probe",
    map="personal",
    steps=320,
    envs=4,
    segment=8,
    hidden=8,
    test_every=32,
    test_episodes=4,
    checkpoint_every=64,
    episodes=16,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=16, batch=4, epsilon_steps=100),
    finetune=NO_STAGE_3,
    student=DistillConfig(
        **PAPERS, steps=40, batch=16, hidden=8, data_steps=64, tests=2, test_episodes=4
    ),
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    return run(dataclasses.replace(TINY, baseline=True), folder)


def test_a_run_writes_what_it_says(finished):
    folder = finished.folder
    result = json.loads((folder / "result.json").read_text())
    for role in ("teacher", "student", "baseline"):
        score = result[role]
        assert {"win_rate", "low", "high", "return", "episodes"} <= score.keys()
        assert 0 <= score["low"] <= score["win_rate"] <= score["high"] <= 1
        assert score["episodes"] == 16
    assert {"prr", "world", "method", "steps", "seconds"} <= result.keys()
    assert result["world"] == "probe/personal"
    assert result["method"] == "QMIX_GIP"
    assert result["steps"] == 320 + 64  # stage 2 rolled its data
    assert (folder / "curves.png").stat().st_size > 5_000
    for role in ("teacher", "baseline"):
        rows = Record(folder / role / "record.jsonl").rows()
        assert [row["steps"] for row in rows] == list(range(32, 321, 32))


def test_the_table_says_who_sees_what(finished):
    from rich.console import Console

    console = Console(record=True, width=100, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(finished.result.table())
    lines = console.export_text().splitlines()
    row = {role: line for role in finished.result.scores for line in lines if role in line}
    assert " centralised" in row["teacher"]
    assert "decentralised" in row["student"]
    assert "decentralised" in row["baseline"]


def test_evaluation_is_on_the_same_keys_each_time(finished):
    again = evaluate_run(finished.folder)
    assert again.result.to_json() == finished.result.to_json()
    more = evaluate_run(finished.folder, episodes=40)
    assert more.result.scores["student"].episodes == 40
    evaluate_run(finished.folder)


def test_a_run_that_is_done_is_left_as_it_is(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    evaluate_run(tmp_path / "run", episodes=40)
    written = (tmp_path / "run/result.json").read_bytes()
    shown = resume(tmp_path / "run").result
    assert shown.scores["student"].episodes == 40
    assert (tmp_path / "run/result.json").read_bytes() == written
    lacking = json.loads(written)
    del lacking["student"]
    for damaged in (json.dumps(lacking), "{"):
        (tmp_path / "run/result.json").write_text(damaged)
        assert resume(tmp_path / "run").result.to_json() == finished.result.to_json()


def arrays(folder):
    """All arrays of the finished models, and the records without wall times."""
    held = RunFolder(folder)
    env = build.world(held.run)
    models = [
        held.teacher("teacher", held.run, env),
        held.model("student", env),
    ]
    clocks = ("seconds", "test_seconds", "steps_per_second")
    rows = [
        {k: v for k, v in row.items() if k not in clocks}
        for role in ("teacher", "student")
        for row in Record(folder / role / "record.jsonl").rows()
    ]
    return jax.tree.leaves(models), rows


def saved_rows(folder, stage="teacher"):
    """The rows, clocks and all, that a resumed run goes on from."""
    saved = Checkpoints(folder / stage / "checkpoints").steps()
    rows = Record(folder / stage / "record.jsonl").rows()
    return [row for row in rows if saved and row["steps"] <= saved[-1]]


def goes_on_from(folder, rows, stage="teacher"):
    """What was saved was not done again: its clocks are still those of the first time."""
    return Record(folder / stage / "record.jsonl").rows()[: len(rows)] == rows


def equal(a, b):
    (leaves, rows), (other_leaves, other_rows) = arrays(a), arrays(b)
    same = [np.array_equal(x, y) for x, y in zip(leaves, other_leaves, strict=True)]
    return all(same) and rows == other_rows


CHILD = """
import pickle, sys
import jax
from ptde.pipeline import run
jax.config.update("jax_num_cpu_devices", 2)  # as here: it decides how sums are parted
config, folder = pickle.loads(bytes.fromhex(sys.argv[1]))
run(config, folder)
"""


def start_child(config, folder):
    import pickle

    words = [sys.executable, "-c", CHILD, pickle.dumps((config, str(folder))).hex()]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(words, stdout=quiet, stderr=quiet, env=os.environ)


def wait_for(condition, child, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert child.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(
    "stage", ["teacher", pytest.param("student", marks=pytest.mark.slow)]
)
def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path, finished, stage):
    folder = tmp_path / "killed"
    # long enough to be caught in the middle of the stage
    child = start_child(TINY, folder)
    rows = {"teacher": 4, "student": 1}[stage]
    record = Record(folder / stage / "record.jsonl")
    wait_for(lambda: len(record.rows()) >= rows, child)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (folder / "result.json").exists()
    rows = saved_rows(folder)
    assert rows
    resume(folder)
    assert goes_on_from(folder, rows)
    assert equal(folder, finished.folder)


def test_a_damaged_newest_checkpoint_costs_time_but_nothing_else(
    tmp_path, finished, monkeypatch, capsys
):
    folder = tmp_path / "damaged"
    stop_after(monkeypatch, 5)
    with pytest.raises(Interrupted):
        run(TINY, folder)
    monkeypatch.undo()
    kept = Checkpoints(folder / "teacher" / "checkpoints")
    newest = kept.folder / str(kept.steps()[-1])
    big = max((p for p in newest.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    big.write_bytes(big.read_bytes()[:-7])
    rows = saved_rows(folder)[:4]  # of the checkpoint before
    resume(folder)
    assert str(newest) in capsys.readouterr().err
    assert goes_on_from(folder, rows)
    assert equal(folder, finished.folder)


def stop_after(monkeypatch, periods, number=signal.SIGINT):
    """Presses Ctrl-C (or sends another signal) during the given period of stage 1."""
    update, seen = job.Tracker.update, []

    def pressing(self, done, text):
        update(self, done, text)
        seen.append(done)
        if len(seen) == periods:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(job.Tracker, "update", pressing)


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_signal_saves_and_the_run_goes_on(tmp_path, finished, monkeypatch, number):
    folder = tmp_path / "stopped"
    stop_after(monkeypatch, 3, number)
    with pytest.raises(Interrupted, match=r"saved at 96 steps: `ptde resume .*` goes on"):
        run(TINY, folder)
    monkeypatch.undo()
    assert Checkpoints(folder / "teacher" / "checkpoints").steps()[-1] == 96
    rows = saved_rows(folder)
    resume(folder)
    assert goes_on_from(folder, rows)
    assert equal(folder, finished.folder)


def test_a_run_of_more_steps_ends_as_if_it_had_begun_with_them(tmp_path, finished):
    folder = shutil.copytree(finished.folder, tmp_path / "longer")
    held = RunFolder(folder)
    held.rewrite(dataclasses.replace(held.run, steps=256))
    for role in ("teacher", "baseline"):  # as a run of 256 steps leaves it
        shutil.rmtree(folder / role / "checkpoints" / "320")
        (folder / role / "model" / "arrays.npz").write_bytes(b"of 256 steps")
    before = (folder / "result.json").read_text()
    with pytest.raises(ValueError, match="has --steps 256 already: type more"):
        resume(folder, steps=256)
    assert (folder / "result.json").read_text() == before
    assert main(["resume", str(folder), "--steps", "320"]) == 0
    assert equal(folder, finished.folder)
    ends = [load_result(path) for path in (folder, finished.folder)]
    assert ends[0]["baseline"] == ends[1]["baseline"]
    assert ends[0]["prr"] == ends[1]["prr"]
    for part in folder.glob("baseline/checkpoints/*/arrays.npz"):
        part.write_bytes(b"damaged")
    with pytest.raises(ValueError, match=r"baseline/checkpoints holds no whole checkpoint"):
        resume(folder, steps=640)
    assert equal(folder, finished.folder)  # and nothing is lost


def test_a_longer_run_is_diagnosed_anew_and_says_what_each_stage_has(tmp_path, capsys):
    staged = dataclasses.replace(TINY, finetune=FinetuneConfig(share=0.25), baseline=True)
    folder = RunFolder.create(staged, tmp_path / "run", "run")
    (folder.path / FITTED / "student").mkdir(parents=True)
    longer = anew.longer(folder, 640)
    assert "480 joint steps for the teacher, 64 for the student's data, 160 for" in (
        capsys.readouterr().out.replace("\n", " ")
    )
    anew.remove(folder, "student")
    assert (folder.path / FITTED).exists()  # the teacher is what it was
    anew.remove(folder, "teacher")
    assert not (folder.path / FITTED).exists()
    folder.rewrite(longer.apart)
    record = Record(folder.path / "baseline" / "record.jsonl")
    record.path.parent.mkdir()
    record.append({"steps": 640, "joint_steps": 640, "win_rate": [0.0], "return": [0.0]})
    with pytest.raises(ValueError, match=r"the baseline of .* has had 640 joint steps"):
        anew.longer(folder, 600)


def test_a_baseline_is_taught_though_the_student_diverged(finished, tmp_path):
    folder = RunFolder(shutil.copytree(finished.folder, tmp_path / "run"))
    for role in ("student", "baseline"):
        shutil.rmtree(folder.path / role)
    wild = dataclasses.replace(TINY.student, lr=1e30)
    folder.rewrite(dataclasses.replace(folder.run, student=wild))
    with pytest.raises(Diverged, match=r"Try `ptde distill .* --student.lr 2e\+29`"):
        resume(folder.path)
    assert folder.has("baseline")  # or no other student could be made


def test_nan_stops_the_run_with_what_one_needs_to_know(tmp_path):
    wild = dataclasses.replace(TINY.value, lr=1e30, max_grad_norm=1e30)
    told = (
        r"not finite at [\d,]+ steps. The batch: .*loss.* smaller --lr or --max-grad-norm"
    )
    with pytest.raises(Diverged, match=told):
        run(dataclasses.replace(TINY, value=wild), tmp_path / "wild")


@pytest.mark.parametrize(
    ("role", "advice"),
    [
        ("teacher", "another run with a smaller --lr or --max-grad-norm"),
        ("student", "`ptde distill {} --student.lr 2e-05`"),
        ("finetuned", "`ptde finetune {} --finetune.lr 0.0002`"),
    ],
)
def test_who_diverged_tells_which_rate_to_lower(finished, role, advice):
    advised = _slower(RunFolder(finished.folder), role)
    assert advice.format(finished.folder) in advised


@pytest.mark.slow
def test_teach_then_distill_is_run(tmp_path, finished):
    folder = tmp_path / "staged"
    taught = run(TINY, folder, goal="teach")
    assert set(taught.result.scores) == {"teacher"}
    distill_run(folder)
    assert equal(folder, finished.folder)


def test_a_distillation_refuses_what_it_does_not_read(finished):
    before = (finished.folder / "run.json").read_text()
    words = ["--student.data", "replay", "--student.data-epsilon", "0.5"]
    with pytest.raises(ValueError, match=r"--student\.data-epsilon is not read with"):
        student = dataclasses.replace(TINY.student, data="replay", data_epsilon=0.5)
        distill_run(finished.folder, dataclasses.replace(TINY, student=student))
    assert main(["distill", str(finished.folder), *words]) == 2
    assert (finished.folder / "run.json").read_text() == before
    assert RunFolder(finished.folder).has("student")


def lose(checkpoints):
    shutil.rmtree(checkpoints)


def damage(checkpoints):
    for path in checkpoints.glob("*/arrays.npz"):
        path.write_bytes(path.read_bytes()[:-100])


def replace_by_another(checkpoints):
    kept = Checkpoints(checkpoints)
    kept.save(kept.steps()[-1], {"of": np.zeros(3)})  # as one of another version


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (lose, "no checkpoint with the replay"),
        (damage, "no checkpoint with the replay"),
        (replace_by_another, "another kind of run"),
    ],
)
def test_a_distillation_that_cannot_be_leaves_the_student(finished, tmp_path, lost, words):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    lost(folder / "teacher/checkpoints")
    kept = {path: path.stat().st_mtime_ns for path in folder.rglob("*.n*")}
    run = RunFolder(folder).run.apart
    new = dataclasses.replace(run, student=DistillConfig(steps=20, batch=4, tests=2))
    with pytest.raises(ValueError, match=words):
        distill_run(folder, new)
    own = DistillConfig(data="own", batch=5_000, data_steps=64, share=0.0)
    with pytest.raises(ValueError, match="batch"):
        distill_run(folder, dataclasses.replace(run, student=own))
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.n*")} == kept
    assert RunFolder(folder).run == RunFolder(finished.folder).run


def test_a_baseline_that_is_not_done_keeps_its_budget(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)
    shutil.rmtree(folder / "baseline/model")
    with pytest.raises(ValueError, match=r"`ptde resume .*` finishes it first"):
        distill_run(folder)


@pytest.mark.slow
def test_loggers_that_cannot_start_cost_no_student(finished, tmp_path, monkeypatch):
    folder = tmp_path / "run"
    shutil.copytree(finished.folder, folder)

    def refuse(self):
        raise ValueError("no network")

    monkeypatch.setattr(RunLog, "__enter__", refuse)
    with pytest.raises(ValueError, match="no network"):
        distill_run(folder)
    assert RunFolder(folder).has("student")
    assert load_result(folder) == load_result(finished.folder)


def test_another_distillation_replaces_the_student_alone(finished, tmp_path):
    folder, first = shutil.copytree(finished.folder, tmp_path / "run"), finished.result
    for name in DIAGNOSIS:  # of the first student
        (folder / name).write_text("{}")
    shorter = dataclasses.replace(TINY.student, steps=10)
    new = dataclasses.replace(RunFolder(folder).run.apart, student=shorter)
    second = distill_run(folder, new).result
    for role in ("teacher", "baseline"):
        assert first.scores[role] == second.scores[role]
    assert Record(folder / "student" / "record.jsonl").rows()[-1]["steps"] == 10
    assert not any((folder / name).exists() for name in DIAGNOSIS)


# -- bad input


def test_an_existing_folder_is_left_as_it_is(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("x")
    with pytest.raises(ValueError, match=r"exists and is left as it is.*--out"):
        run(TINY, mine)
    assert [p.name for p in mine.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("path", [".", "/"])
def test_a_folder_without_a_name_is_no_new_folder(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"^[./] exists and is left as it is.*--out"):
        run(TINY, Path(path))
    assert not [*tmp_path.parent.glob(".*.part")]


def test_two_processes_do_not_train_in_one_folder(finished):
    folder = RunFolder(finished.folder)
    before = {p: p.stat().st_mtime_ns for p in folder.path.rglob("*") if p.is_file()}
    with folder.alone():
        for start in (resume, distill_run):
            with pytest.raises(
                ValueError, match=f"being trained by process {os.getpid()} on "
            ):
                start(folder.path)
    del before[folder.path / ".lock"]
    assert before == {p: p.stat().st_mtime_ns for p in before}
    with folder.alone():
        pass


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot write a run folder there"):
        run(TINY, tmp_path / "file" / "run")


def test_an_unknown_map_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="did you mean --map personal"):
        run(dataclasses.replace(TINY, map="personnal"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_buffer_that_does_not_fit_is_refused_before_anything_is_allocated(tmp_path):
    huge = dataclasses.replace(TINY.value, buffer=2_000_000_000)
    with pytest.raises(ValueError, match=r"needs [\d.]+ GB.*are free. Type --buffer \d+"):
        run(dataclasses.replace(TINY, value=huge), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_distill_needs_a_teacher(tmp_path, monkeypatch):
    stop_after(monkeypatch, 1)
    with pytest.raises(Interrupted):
        run(TINY, tmp_path / "run")
    with pytest.raises(ValueError, match="no finished teacher"):
        distill_run(tmp_path / "run")
    with pytest.raises(ValueError, match="no finished team"):
        evaluate_run(tmp_path / "run")
    with pytest.raises(ValueError, match="not a run folder"):
        distill_run(tmp_path)


def test_a_run_without_information_has_nothing_to_distil(tmp_path):
    plain = {"info": "none", "info_config": InfoSizes()}
    plain |= {"student": DistillConfig(), "finetune": FinetuneConfig()}
    run(dataclasses.replace(TINY, **plain, steps=32), tmp_path / "run", goal="teach")
    with pytest.raises(ValueError, match="--info gip"):
        distill_run(tmp_path / "run")


def test_a_student_of_another_map_is_refused(tmp_path, finished):
    import shutil

    folder = tmp_path / "other"
    shutil.copytree(finished.folder, folder)
    data = json.loads((folder / "run.json").read_text())
    data["run"].update(world="smax", map="3m")
    (folder / "run.json").write_text(json.dumps(data))
    with pytest.raises(ValueError, match=r"cannot be used on smax/3m.*another map or size"):
        evaluate_run(folder)


def test_a_run_of_another_version_is_refused(tmp_path, finished):
    import shutil

    shutil.copytree(finished.folder, tmp_path / "old")
    path = tmp_path / "old" / "run.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "format": 99}))
    with pytest.raises(ValueError, match=f"format 99, this ptde reads format {FORMAT}"):
        resume(tmp_path / "old")
    data["run"]["gama"] = 0.9
    path.write_text(json.dumps(data))
    with pytest.raises(ValueError, match="unknown field of Run 'gama'"):
        resume(tmp_path / "old")


def test_a_probe_has_no_replay(finished):
    with pytest.raises(ValueError, match="has no replays"):
        replay_run(finished.folder, "student")


def test_a_config_is_read_back_as_it_was(finished):
    assert load_run(finished.folder)[0] == dataclasses.replace(TINY, baseline=True)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", 0),
        ("envs", 0),
        ("seeds", 0),
        ("segment", -1),
        ("seed", -1),
        ("hidden", 0),
        ("episodes", 0),
        ("test_every", 0),
        ("checkpoint_every", 0),
    ],
)
def test_values_out_of_range_say_what_to_type(field, value):
    with pytest.raises(ValueError, match="for example --" + field.replace("_", "-")):
        dataclasses.replace(TINY, **{field: value})


@pytest.mark.parametrize(("field", "near"), [("mixer", "qmix"), ("info", "gip")])
def test_unknown_names_suggest_the_nearest(field, near):
    wrong = near + "k"
    with pytest.raises(ValueError, match=f"did you mean --{field} {near}"):
        dataclasses.replace(TINY, **{field: wrong})
