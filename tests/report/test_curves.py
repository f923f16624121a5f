"""Learning curves on one axis of joint steps."""

import matplotlib.pyplot as plt
import numpy as np

from ptde.report.curves import draw_curves


def rows(*tests):
    return [
        {"joint_steps": at, "steps": at, "win_rate": [won], "return": [10 * won]}
        for at, won in tests
    ]


def gradient_steps(*rates):
    losses = {"loss": [0.0], "held_out_loss": [0.0]}
    tests = rows(*((500, won) for won in rates))
    return [{**row, "steps": 100 * i, **losses} for i, row in enumerate(tests)]


def test_a_student_without_joint_steps_is_drawn_where_its_final_battles_put_it(
    tmp_path, monkeypatch
):
    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    records = {
        "teacher": rows((100, 0.0), (500, 0.5)),
        "student": gradient_steps(0.1, 0.25),
    }
    finals = {
        "teacher": {"win_rate": 0.75, "return": 8.0},
        "student": {"win_rate": 0.625, "return": 7.0},
    }
    draw_curves(records, finals, tmp_path / "a.png", "a run")
    rate, score, *_ = figures[0].axes
    drawn = {line.get_label(): line for line in rate.lines}
    assert drawn["student"].get_xydata().tolist() == [[500, 0.625]]
    np.testing.assert_allclose(drawn["teacher"].get_ydata(), [0.0, 0.25])  # smoothed tests
    drawn = {line.get_label(): line for line in score.lines}
    assert drawn["student"].get_xydata().tolist() == [[500, 7.0]]


def test_where_nobody_wins_returns_are_drawn_alone(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(plt, "close", figures.append)
    records = {"teacher": rows((100, 0.0), (500, 0.5)), "student": gradient_steps(0.1, 0.2)}
    finals = {"teacher": {"win_rate": 0.0, "return": -8.0}}
    draw_curves(records, finals, tmp_path / "a.png", "a run", "return")
    labels = [axis.get_ylabel() for axis in figures[0].axes]
    assert labels == ["test return", "loss (action values and policy)", "test return"]
    drawn = {line.get_label(): line for line in figures[0].axes[2].lines}
    assert drawn["student"].get_ydata().tolist() == [1.0, 2.0]
    assert list(drawn["teacher, final"].get_ydata()) == [-8.0, -8.0]
