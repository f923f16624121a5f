import pytest

from ptde.compare.milestones import area, milestones, steps_to
from ptde.compare.outcome import Entry


def rows(*seeds):
    return [
        {"steps": 10 * (i + 1), "win_rate": list(rates)}
        for i, rates in enumerate(zip(*seeds, strict=True))
    ]


RISING = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0]
"""Means of five: 0, .1, .2, .3, .4, .6, .76, .88, .96, 1."""
LUCKY = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_level_is_passed_where_the_mean_of_five_tests_is():
    record = rows(RISING, LUCKY)
    assert [steps_to(record, 0, x) for x in (0.5, 0.8, 0.9)] == [60, 80, 90]
    assert steps_to(record, 1, 0.8) is None  # one lucky test is none
    assert area(record, 0) == pytest.approx(0.7)


def test_the_table_names_the_median_and_every_seed():
    entry = Entry(seeds=[1.0, 0.0, 1.0])
    entry.records = [(range(3), rows(RISING, LUCKY, RISING))]
    table = milestones({"qmix": {"3m": entry}}, ["3m", "8m"])
    assert table[0][:3] == ["method", "map", "steps to 0.5"]
    assert table[1][:2] == ["QMIX (D)", "3m"]
    assert table[1][3] == "0 k (0 k, -, 0 k)"
    entry.records = [(range(3), rows(RISING, LUCKY, LUCKY))]
    assert milestones({"qmix": {"3m": entry}}, ["3m"])[1][4].startswith("never")


def test_what_has_no_curves_has_no_milestones():
    assert (
        len(milestones({"qmix_kd": {"3m": Entry(records=[(range(1), [])])}}, ["3m"])) == 1
    )
