import pytest

from ptde.compare import outcome
from ptde.compare.milestones import area, first_at, milestones
from ptde.compare.outcome import Entry
from ptde.jobs.record import Record


def rows(*seeds):
    return [
        {"steps": 10 * (i + 1), "seconds": 30.0 * (i + 1), "win_rate": list(rates)}
        for i, rates in enumerate(zip(*seeds, strict=True))
    ]


RISING = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0]
"""Means of five: 0, .1, .2, .3, .4, .6, .76, .88, .96, 1."""
LUCKY = [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]


def test_a_level_is_passed_where_the_mean_of_five_tests_is():
    record = rows(RISING, LUCKY)
    assert [first_at(record, 0, x)["steps"] for x in (0.5, 0.8, 0.9)] == [60, 80, 90]
    assert first_at(record, 1, 0.8) is None  # one lucky test is none
    assert area(record, 0) == pytest.approx(0.7)


def entry_of(*seeds):
    runs = [(range(len(seeds)), rows(*seeds))]
    return Entry(seeds=[1.0] * len(seeds), records=runs, tests=runs)


def test_the_table_names_the_median_and_every_seed():
    table = milestones({"qmix": {"3m": entry_of(RISING, LUCKY, RISING)}}, ["3m", "8m"])
    assert table[0][:3] == ["method", "map", "steps to 0.5"]
    assert table[1][:2] == ["QMIX (D)", "3m"]
    assert table[1][3] == "0 k in 4:00 (0 k, -, 0 k)"
    assert table[1][-1] == "0.500"
    table = milestones({"qmix": {"3m": entry_of(RISING, LUCKY, LUCKY)}}, ["3m"])
    assert table[1][4].startswith("never")


def test_of_two_seeds_the_later_one_is_named():
    sooner = [0.9] * 10
    (_, row) = milestones({"qmix": {"3m": entry_of(sooner, RISING)}}, ["3m"])
    assert row[2] == "0 k in 3:00 (0 k, 0 k)"  # not 0:30
    (_, row) = milestones({"qmix": {"3m": entry_of(RISING, LUCKY)}}, ["3m"])
    assert row[3] == "never (0 k, -)"


def test_the_median_seed_is_that_of_the_steps_not_of_the_clock():
    def run(seed, at, seconds):
        return range(seed, seed + 1), [{"steps": at, "seconds": seconds, "win_rate": [0.9]}]

    runs = [run(0, 100_000, 1000.0), run(1, 200_000, 300.0), run(2, 300_000, 400.0)]
    entry = Entry(seeds=[0.9] * 3, records=runs, tests=runs)
    (_, row) = milestones({"qmix": {"3m": entry}}, ["3m"])
    assert row[2] == "200 k in 5:00 (100 k, 200 k, 300 k)"


def test_a_run_whose_record_is_lost_is_left_out():
    entry = entry_of(RISING, RISING)
    entry.tests = [*entry.tests, (range(2, 4), [])]
    (_, row) = milestones({"qmix": {"3m": entry}}, ["3m"])
    assert row[2] == "0 k in 3:00 (0 k, 0 k)"


def test_what_has_no_tests_has_no_milestones():
    entry = Entry(records=[(range(1), [])], tests=[(range(1), [])])
    assert len(milestones({"qmix_kd": {"3m": entry}}, ["3m"])) == 1


def test_a_students_tests_count_from_the_beginning_of_its_run(tmp_path):
    def write(role, *lines):
        (tmp_path / role).mkdir()
        for line in lines:
            Record(tmp_path / role / "record.jsonl").append(line)

    def row(steps, joint_steps, seconds, won):
        counts = {"steps": steps, "joint_steps": joint_steps, "seconds": seconds}
        return {**counts, "win_rate": [won], "return": [0.0]}

    write("teacher", row(500, 500, 60.0, 0.5))
    write("student", row(20, 510, 5.0, 0.1), row(40, 520, 9.0, 0.2))
    write("finetuned", row(8, 528, 2, 0.3))
    spent = lambda role: [
        (r["steps"], r["seconds"]) for r in outcome.tests_of(tmp_path, role)
    ]
    assert spent("teacher") == [(500, 60.0)]
    assert spent("student") == [(510, 65.0), (520, 69.0)]
    assert spent("finetuned") == [(528, 71.0)]
    student = Entry(seeds=[0.2], tests=[(range(1), outcome.tests_of(tmp_path, "student"))])
    table = milestones({"qmix_kd": {"3m": student}}, ["3m"])
    assert table[1][2:] == [
        "never",
        "never",
        "never",
        "",
    ]  # no area: it is no learning curve
