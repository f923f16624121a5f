import numpy as np
import pytest

from ptde.compare.statistics import (
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
