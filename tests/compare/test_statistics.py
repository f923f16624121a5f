import numpy as np
import pytest

from ptde.compare.statistics import (
    improvement,
    improvement_interval,
    iqm,
    iqm_interval,
    mean_interval,
    prr,
    retention_interval,
)


def test_iqm_is_the_mean_of_the_middle_half():
    assert iqm(np.array([0.0, 1.0, 2.0, 100.0])) == 1.5
    assert iqm(np.array([0.3])) == pytest.approx(0.3)


def test_one_seed_has_no_interval():
    assert mean_interval([0.5]) is None
    assert iqm_interval({"a": [0.5, 0.6], "b": [0.5]}) is None
    assert iqm_interval({}) is None
    assert retention_interval([0.5], [0.6]) is None


def test_intervals_hold_what_they_are_about():
    low, high = mean_interval([0.5, 0.6, 0.7])
    assert low < 0.6 < high
    assert mean_interval([0.0, 1.0]) == (0.0, 1.0)  # cut to what a rate can be
    assert mean_interval([1.0, 1.0], 200) == pytest.approx((0.981, 1.0), abs=1e-3)
    assert mean_interval([0.0, 1.0], 200) == (0.0, 1.0)
    seeds = {"a": [0.5, 0.6, 0.7, 0.9], "b": [0.1, 0.2, 0.2, 0.3]}
    low, high = iqm_interval(seeds)
    pooled = np.concatenate([np.array(x) for x in seeds.values()])
    assert low < iqm(pooled) < high
    assert iqm_interval(seeds) == (low, high)  # the same each time


def test_maps_are_resampled_apart():
    # every seed of a map alike: stratified draws cannot differ
    low, high = iqm_interval({"easy": [1.0, 1.0, 1.0], "hard": [0.0, 0.0, 0.0]})
    assert low == high == 0.5


def test_retention_is_the_ratio_of_means_and_pairs_seeds():
    student, teacher = [0.4, 0.2, 0.6], [0.8, 0.4, 1.2]
    assert prr(student, teacher) == pytest.approx(0.5)
    low, high = retention_interval(student, teacher)
    assert low == pytest.approx(0.5)  # each student has half of its own teacher
    assert high == pytest.approx(0.5)
    low, high = retention_interval([0.4, 0.5, 0.6], [0.8, 0.8, 0.8])
    assert low < 0.625 < high


def test_a_teacher_that_never_wins_has_no_retention():
    assert prr([0.0, 0.0], [0.0, 0.0]) is None
    assert retention_interval([0.0, 0.0], [0.0, 0.5]) is None


def test_improvement_counts_pairs_of_runs_map_by_map():
    one = {"a": [0.5, 0.9], "b": [0.2, 0.2]}
    other = {"a": [0.4, 0.6], "b": [0.2, 0.1], "c": [1.0, 1.0]}
    # a: .5 > .4, .9 > both: 3 of 4; b: two ties, two wins: 3 of 4; c is not played by both
    assert improvement(one, other) == pytest.approx(0.75)
    back = {where: other[where] for where in one}
    assert improvement(back, one) == pytest.approx(0.25)
    low, high = improvement_interval(one, other)
    assert 0 <= low < 0.75 < high <= 1
    assert improvement_interval({"a": [0.5]}, {"a": [0.1, 0.2]}) is None
    # Methods whose runs never cross leave no doubt about these seeds.
    assert improvement_interval({"a": [0.9, 0.8]}, {"a": [0.1, 0.2]}) == (1.0, 1.0)
