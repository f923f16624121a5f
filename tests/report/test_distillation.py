"""The panels of Figure 7 hold what stage 2 recorded."""

import copy
import dataclasses
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
from tests.students import PAPERS
from tests.test_pipeline import TINY

from ptde.compare.curves import distilled
from ptde.compare.outcome import gather
from ptde.compare.tables import write
from ptde.distill.config import DistillConfig
from ptde.folder import RunFolder
from ptde.jobs.record import Record, joined
from ptde.pipeline import run
from ptde.report.curves import draw_curves
from ptde.report.distillation import (
    Distilled,
    draw_figure7,
    loss_panel,
    series,
    student_panel,
)
from ptde.report.palette import BLUE, VERMILION, look_of

LOOKS = {"teacher": look_of("QMIX_GIP"), "student": look_of("QMIX_KD")}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A run of seed 0, and what a run of seed 1 could have left."""
    out = tmp_path_factory.mktemp("runs")
    run(dataclasses.replace(TINY, steps=64), out / "0")
    shutil.copytree(out / "0", out / "1")
    other = RunFolder(out / "1")
    other.rewrite(dataclasses.replace(other.run, seed=1))
    record = Record(out / "1" / "student" / "record.jsonl")
    rows = record.rows()
    record.cut(0)
    for row in rows:
        for value in ("loss", "held_out_loss", "win_rate"):
            row[value] = [x + 0.125 for x in row[value]]
        record.append(row)
    return [out / "0", out / "1"]


def rows_of(folder):
    return Record(folder / "student" / "record.jsonl").rows()


@pytest.fixture(scope="module")
def rows(folders):
    """The students of both runs."""
    return joined([rows_of(folder) for folder in folders])


def test_a_series_is_what_the_record_holds(rows):
    for value in ("loss", "held_out_loss", "win_rate"):
        steps, values = series(rows, value)
        assert steps.tolist() == [20, 40]
        assert values.tolist() == [row[value] for row in rows]
        assert values.shape == (2, 2)


def test_runs_are_joined_seed_beside_seed_as_far_as_all_go(folders):
    one, other = map(rows_of, folders)
    two = joined([one, other])
    whole = joined([two, one])
    assert [row["steps"] for row in whole] == [20, 40]
    assert whole[1]["loss"] == [*two[1]["loss"], *one[1]["loss"]]
    assert joined([two, one[:1]]) == whole[:1]
    assert joined([]) == []


def lines(axis):
    """What a panel's lines are called, and their heights."""
    return [(line.get_label(), np.asarray(line.get_ydata())) for line in axis.lines]


def test_the_panels_draw_each_seed_and_the_mean(rows):
    _, (left, right) = plt.subplots(1, 2)
    loss_panel(left, rows, DistillConfig(**PAPERS))
    finals = {"teacher": 0.7}
    student_panel(right, rows, finals, "win rate", DistillConfig(**PAPERS), LOOKS)
    seeds = np.array([row["loss"] for row in rows])
    held = np.array([row["held_out_loss"] for row in rows])
    drawn = [heights for _, heights in lines(left)]
    wanted = [*seeds.T, seeds.mean(1), *held.T, held.mean(1)]
    for a, b in zip(drawn, wanted, strict=True):
        np.testing.assert_allclose(a, b)
    named = [label for label, _ in lines(left) if not label.startswith("_")]
    assert named == ["training", "held out"]
    *student, (label, final) = lines(right)
    won = np.array([row["win_rate"] for row in rows])
    np.testing.assert_allclose(student[-1][1], won.mean(1))
    assert (label, set(final)) == ("teacher, final", {0.7})
    line = right.lines[-1]
    assert (line.get_color(), line.get_linestyle()) == (BLUE, "--")
    assert {line.get_color() for line in right.lines[:-1]} == {VERMILION}
    assert left.get_ylabel() == "loss (Eq. 6)"
    assert {x.get_xlabel() for x in (left, right)} == {"gradient steps of the distillation"}
    own = DistillConfig(data="own", objective="q")
    loss_panel(left, rows, own)
    assert left.get_ylabel() == "loss (action values and policy)"
    assert left.get_xlabel() == "joint steps of the student's own battles"
    plt.close("all")


def test_the_picture_follows_the_numbers(rows, tmp_path):
    def drawn(rows, teacher=0.7):
        cell = Distilled("QMIX_KD on personal", rows, teacher)
        return draw_figure7([cell], tmp_path / "a.png").read_bytes()

    first = drawn(rows)
    assert drawn(rows) == first
    assert drawn(rows, teacher=0.6) != first
    for value in ("loss", "held_out_loss", "win_rate"):
        other = copy.deepcopy(rows)
        other[0][value][1] += 0.2
        assert drawn(other) != first, value


def test_a_runs_curves_show_its_distillation(folders, rows, tmp_path):
    records = {"teacher": Record(folders[0] / "teacher" / "record.jsonl").rows()}

    def drawn(**roles):
        path = tmp_path / "curves.png"
        draw_curves(
            {**records, **roles},
            {"teacher": {"win_rate": 0.5, "return": 1.0}},
            path,
            "a run",
        )
        return path.read_bytes()

    taught, whole = drawn(), drawn(student=rows)
    assert len({taught, whole}) == 2
    other = copy.deepcopy(rows)
    other[1]["held_out_loss"][0] *= 2
    assert drawn(student=other) != whole
    assert (folders[0] / "curves.png").stat().st_size > len(taught)


def test_a_comparison_has_a_row_of_panels_for_each_student_of_stage_2(
    folders, rows, tmp_path
):
    where = "personal"
    runs = [(where, folder) for folder in folders]
    entries = gather(dict.fromkeys(("qmix_gip", "qmix_kd"), runs))
    (cell,) = distilled(entries, [where])
    assert cell.title == "QMIX_KD on personal"
    assert cell.rows == rows
    assert cell.student == TINY.student
    assert cell.teacher == pytest.approx(np.mean(entries["qmix_gip"][where].seeds))
    paths = write(entries, [where], "probe", tmp_path)
    assert tmp_path / "figure7.png" in paths
    assert all(path.exists() for path in paths)
    alone = {"qmix_gip": entries["qmix_gip"]}
    assert distilled(alone, [where]) == []
    (tmp_path / "figure7.png").unlink()
    write(alone, [where], "probe", tmp_path)
    assert not (tmp_path / "figure7.png").exists()
