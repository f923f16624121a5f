"""What finished runs leave in a comparison's entries."""

import csv
import json

import pytest

from ptde.compare import outcome
from ptde.compare.milestones import milestones
from ptde.compare.outcome import gather
from ptde.compare.tables import comma_separated, markdown, marl_eval
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.jobs.record import Record

SEEDS = 3


def row(steps, joint_steps, seconds, won, **more):
    measured = {"win_rate": [won + 0.1 * i for i in range(SEEDS)], **more}
    measured["return"] = measured["win_rate"]
    counts = {"steps": steps, "joint_steps": joint_steps, "seconds": seconds}
    return {**counts, **measured}


def finished(path, **records):
    """A run folder as a run of three seeds leaves it, as far as a table reads it."""
    RunFolder.create(Run(world="probe", map="personal", seeds=SEEDS), path, "run")
    score = {"win_rate": 0.6, "low": 0.0, "high": 1.0, "return": 0.6, "episodes": 48}
    seeds = [0.5, 0.6, 0.7]
    result = {role: {**score, "seeds": seeds, "returns": seeds} for role in records}
    last = max(rows[-1]["joint_steps"] for rows in records.values() if rows)
    (path / "result.json").write_text(json.dumps({**result, "steps": last}))
    for role, rows in records.items():
        (path / role).mkdir()
        for each in rows:
            Record(path / role / "record.jsonl").append(each)
    return path


@pytest.fixture
def distilled(tmp_path):
    """A teacher of 100 joint steps, and its student, who took 40 more."""
    teacher = [row(50, 50, 5.0, 0.1), row(100, 100, 10.0, 0.2)]
    student = [row(4, 140, 2.0, 0.3), row(8, 140, 4.0, 0.6)]
    return finished(tmp_path / "run", teacher=teacher, student=student)


def entries_of(folder, *methods, seeds=None):
    return gather({name: [("personal", folder)] for name in methods}, seeds)


def test_a_teachers_steps_are_its_own(distilled):
    entries = entries_of(distilled, "qmix_gip", "qmix_kd")
    assert entries["qmix_gip"]["personal"].steps == 100
    assert entries["qmix_kd"]["personal"].steps == 140
    rows = csv.DictReader(comma_separated(entries, ["personal"]).splitlines())
    assert {(row["method"], row["steps"]) for row in rows} == {
        ("QMIX_GIP", "100"),
        ("QMIX_KD", "140"),
    }


def test_a_fine_tuned_team_is_compared_with_its_teacher_too(tmp_path):
    tests = [row(50, 50, 5.0, 0.1)]
    path = finished(tmp_path / "run", teacher=tests, student=tests, finetuned=tests)
    result = json.loads((path / "result.json").read_text())
    result["finetuned"]["seeds"] = result["finetuned"]["returns"] = [0.4, 0.48, 0.56]
    (path / "result.json").write_text(json.dumps(result))
    entry = entries_of(path, "qmix_ptde")["qmix_ptde"]["personal"]
    assert (entry.seeds, entry.teacher) == ([0.4, 0.48, 0.56], [0.5, 0.6, 0.7])
    assert "PRR 0.80" in markdown({"qmix_ptde": {"personal": entry}}, ["personal"])


def test_without_its_record_a_runs_own_steps_stand_there(distilled):
    (distilled / "teacher" / "record.jsonl").unlink()
    entries = entries_of(distilled, "qmix_gip")
    assert entries["qmix_gip"]["personal"].steps == 140


def test_every_test_of_a_distilled_student_is_in_the_exchange_format(distilled):
    data = marl_eval(entries_of(distilled, "qmix_gip", "qmix_kd"), "probe")
    runs = data["probe"]["personal"]
    student = runs["QMIX_KD"]["seed_2"]
    assert list(student) == ["step_0", "step_1", "absolute_metrics"]
    assert student["step_1"] == {
        "step_count": 140,
        "elapsed_time": 14.0,  # its teacher's 10, too
        "win_rate": [pytest.approx(0.8)],
        "mean_episode_return": [pytest.approx(0.8)],
    }
    assert runs["QMIX_GIP"]["seed_2"]["step_1"]["step_count"] == 100


def test_a_student_that_learns_on_has_the_tests_of_both_stages(tmp_path):
    beside = {"student_win_rate": [0.2] * SEEDS, "student_return": [0.2] * SEEDS}
    teacher = [row(50, 50, 5.0, 0.7, **beside), row(100, 100, 10.0, 0.7, **beside)]
    student = [row(4, 100, 2.0, 0.7)] * 5
    path = finished(tmp_path / "run", teacher=teacher, student=student)
    tests = outcome.tests_of(path, "student")
    assert [(t["steps"], t["seconds"]) for t in tests[:3]] == [
        (50, 5.0),
        (100, 10.0),
        (100, 12.0),
    ]
    assert [t["win_rate"][0] for t in tests] == [0.2, 0.2, *[0.7] * 5]
    entries = entries_of(path, "online_longer")
    assert entries["online_longer"]["personal"].steps == 100
    (_, reached) = milestones(entries, ["personal"])
    assert reached[2].startswith("0 k in 0:12")  # in stage 2
    data = marl_eval(entries, "probe")["probe"]["personal"]
    (runs,) = data.values()
    assert len(runs["seed_0"]) == len(tests) + 1


def test_the_seeds_that_are_asked_for_alone_are_added(distilled):
    entry = entries_of(distilled, "qmix_kd", seeds=range(1, 9))["qmix_kd"]["personal"]
    assert entry.seeds == entry.returns == entry.teacher == [0.6, 0.7]
    assert entry.episodes == 32
    assert [(n, place) for n, place, _ in entry.tested()] == [(1, 0), (2, 1)]
    assert entry.tests[0][1][0]["win_rate"] == pytest.approx([0.4, 0.5])
    assert entry.distillations[0][0]["win_rate"] == pytest.approx([0.4, 0.5])
