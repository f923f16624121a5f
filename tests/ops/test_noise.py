import numpy as np
from scipy import stats

from ptde.ops.noise import coarse_normal


def test_it_is_standard_normal(getkey):
    noise = np.asarray(coarse_normal((101, 3, 131), key=getkey())).ravel()
    assert abs(noise).max() < 4.5
    assert stats.kstest(noise, "norm").pvalue > 1e-3
    assert abs(stats.kurtosis(noise)) < 0.1


def test_halves_of_a_word_are_independent(getkey):
    noise = np.asarray(coarse_normal((2, 20_000), key=getkey()))
    assert abs(np.corrcoef(noise)[0, 1]) < 0.03
