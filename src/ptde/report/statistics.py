"""Confidence intervals of test results, and the PRR."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

Interval = tuple[float, float]
RESAMPLES = 2_000
"""Resamples of a bootstrap."""


def win_interval(won: np.ndarray) -> Interval:
    """The 95 % interval of a win rate.

    One seed: Wilson's score interval over its episodes, or Student's t where results are
    not just 0 or 1. Several seeds: Student's t over the seeds' win rates, clipped to
    [0, 1], because seeds differ far more than episodes do.

    Args:
        won: [seeds, episodes], 1 where an episode was won, 0 where it was lost.
    """
    if len(won) == 1 and won.size > 1 and not np.isin(won, (0, 1)).all():
        return rate_interval(won[0])
    if len(won) == 1:
        result = stats.binomtest(int(won.sum()), won.size)
        interval = result.proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)
    return rate_interval(won.mean(axis=1))


def rate_interval(rates: Sequence[float] | np.ndarray) -> Interval:
    """Student's 95 % interval of the mean of at least two rates, clipped to [0, 1]."""
    low, high = t_interval(rates)
    return max(low, 0.0), min(high, 1.0)


def t_interval(values: Sequence[float] | np.ndarray) -> Interval:
    """Student's 95 % interval of the mean of at least two values."""
    values = np.asarray(values, dtype=float)
    mean, error = values.mean(), stats.sem(values)
    half = error * stats.t.ppf(0.975, len(values) - 1)
    return float(mean - half), float(mean + half)


def bootstrap_interval(
    samples: Sequence[np.ndarray], statistic: Callable, seed: int = 0
) -> Interval:
    """The 95 % percentile interval of ``statistic(*samples, axis)``, resampled in pairs."""
    result = stats.bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    interval = result.confidence_interval
    return float(interval.low), float(interval.high)


def retention(student: float, teacher: float) -> float | None:
    """The performance retention ratio: student's / teacher's win rate (Paper Sec. 4.1).

    None for a teacher that never wins.
    """
    return student / teacher if teacher > 0 else None
