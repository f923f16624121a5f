import numpy as np
import pytest

from ptde.distill.config import DistillConfig
from ptde.page.charts import POINTS, Curve, Panel, curves_of, run_panels
from ptde.report.palette import LOOKS, ROLES, Look

BLUE = Look("#0072B2")
LOOK_OF = {role: Look(colour) for role, colour in ROLES.items()}


def rows(steps, seeds=2, value=0.5, first=0, joint=None):
    """Rows of a record: seed ``i`` has ``value + i / 10`` throughout."""
    return [
        {
            "steps": step,
            "joint_steps": joint or first + step,
            "win_rate": [value + i / 10 for i in range(seeds)],
            "return": [2.0 + i for i in range(seeds)],
        }
        for step in steps
    ]


def by_name(panel):
    return {curve["name"]: curve for curve in panel.to_json()["curves"]}


def test_all_stages_share_the_axis_of_joint_steps():
    records = {
        "teacher": rows([10, 20, 30]),
        "student": rows([5, 10], joint=30),  # gradient steps: no joint steps of its own
        "finetuned": rows([10, 20], first=30),
        "baseline": rows([10, 20, 30]),
    }
    finals = {
        "teacher": {"win_rate": 0.7, "return": 3.0},
        "student": {"win_rate": 0.6, "return": 2.75},
    }
    won, returns, stage2 = run_panels(records, LOOK_OF, finals, "win rate", DistillConfig())
    shown = won.to_json()
    assert won.x == returns.x == "joint steps"
    assert shown["steps"] == [10, 20, 30, 40, 50]
    means = {name: curve["mean"] for name, curve in by_name(won).items()}
    assert means["teacher"] == [0.55, 0.55, 0.55, None, None]
    assert means["student"] == [None, None, 0.6, None, None]  # in its final battles
    assert means["finetuned"] == [None, None, None, 0.55, 0.55]
    assert set(means) == set(records)
    assert by_name(returns)["baseline"]["mean"][0] == 2.5
    assert by_name(returns)["student"]["mean"][2] == 2.75
    colours = [curve["colour"] for curve in by_name(won).values()]
    assert colours == [ROLES[name] for name in records]
    assert stage2.x != "joint steps"
    assert [level["name"] for level in stage2.to_json()["levels"]] == ["teacher, final"]


def test_where_nobody_wins_returns_are_drawn_alone():
    records = {"teacher": rows([10, 20]), "student": rows([5, 10], joint=20)}
    finals = {"teacher": {"win_rate": 0.0, "return": -3.0}}
    score, stage2 = run_panels(records, LOOK_OF, finals, "return", DistillConfig())
    assert (score.y, stage2.y, stage2.rates) == ("test return", "test return", False)
    assert by_name(stage2)["student"]["mean"] == [2.5, 2.5]
    assert [level["value"] for level in stage2.to_json()["levels"]] == [-3.0]


def test_a_record_that_begins_late_is_drawn_at_its_steps():
    late = rows([300, 500], seeds=1, value=0.3)
    (curve,) = curves_of(
        {"a": [rows([100, 300, 500], seeds=1), late]}, {"a": BLUE}, "win_rate"
    )
    assert curve.steps.tolist() == [100, 300, 500]
    np.testing.assert_allclose(curve.values, [[0.5, np.nan], [0.5, 0.3], [0.5, 0.3]])


def test_few_seeds_are_drawn_themselves_and_many_as_an_interval():
    def drawn(seeds):
        values = np.linspace(0, 1, seeds)[None].repeat(3, 0)
        curve = Curve("a", BLUE, np.arange(3), values)
        (shown,) = Panel("t", "x", "y", [curve], rates=True).to_json()["curves"]
        return shown

    assert len(drawn(5)["seeds"]) == 5
    many = drawn(6)
    assert many["seeds"] == []
    assert many["count"] == 6
    assert 0 <= many["low"][0] < many["mean"][0] < many["high"][0] <= 1
    assert drawn(1)["low"] is None


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    steps = np.arange(5_000)
    curve = Curve("a", BLUE, steps, np.zeros((5_000, 1))).thinned()
    assert len(curve.steps) <= POINTS
    assert (curve.steps[0], curve.steps[-1]) == (0, 4_999)


def test_a_run_that_is_behind_ends_where_it_is():
    records = {"QMIX": [rows([10, 20, 30], 1), rows([10], 1, 0.7)]}
    (curve,) = curves_of(records, {"QMIX": LOOKS["QMIX"]}, "win_rate")
    shown = Panel("t", "x", "y", [curve], rates=True).to_json()["curves"][0]
    assert shown["mean"] == [0.6, None, None]
    assert shown["seeds"] == [[0.5, 0.5, 0.5], [0.7, None, None]]


def test_students_that_took_no_joint_steps_are_one_point():
    def drawn(finals):
        runs = [rows([5, 10], joint=30), rows([5, 10], joint=30, value=0.7)]
        (curve,) = curves_of({"a": runs}, {"a": BLUE}, "win_rate", finals)
        return curve.steps.tolist(), curve.values.tolist()

    assert drawn({"a": 0.9}) == ([30], [[0.9]])
    assert drawn({"b": 0.9}) == ([30], [pytest.approx([0.5, 0.6, 0.7, 0.8])])


def test_what_has_no_rows_has_no_curve():
    assert curves_of({"QMIX": [[]]}, {}, "win_rate") == []
    assert run_panels({}, LOOK_OF, {}, "win rate", DistillConfig()) == []


@pytest.mark.parametrize("value", [0.5, 0.123456789])
def test_numbers_are_short(value):
    (curve,) = curves_of({"a": [rows([1], 1, value)]}, {"a": BLUE}, "win_rate")
    (shown,) = Panel("t", "x", "y", [curve]).to_json()["curves"]
    assert shown["mean"] == [pytest.approx(value, rel=1e-3)]
    assert len(str(shown["mean"][0])) <= 6
