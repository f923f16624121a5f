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
    [0, 1], because seeds differ far more than episodes do; where they do not, as when all
    of them win, Wilson's over all episodes, whichever is wider at either end.

    Args:
        won: [seeds, episodes], 1 where an episode was won, 0 where it was lost.
    """
    whole = won.size == 1 or bool(np.isin(won, (0, 1)).all())
    if len(won) == 1:
        return wilson(int(won.sum()), won.size) if whole else rate_interval(won[0])
    return seeds_interval(won.mean(axis=1), won.size if whole else 0)


def seeds_interval(rates: Sequence[float] | np.ndarray, episodes: int) -> Interval:
    """The same from each seed's win rate and the number of all episodes; 0 where they are
    more or less won.
    """
    low, high = rate_interval(rates)
    if episodes:
        least, most = wilson(round(float(np.mean(rates)) * episodes), episodes)
        low, high = min(low, least), max(high, most)
    return low, high


def wilson(won: int, episodes: int) -> Interval:
    """Wilson's 95 % score interval of a win rate over episodes."""
    interval = stats.binomtest(won, episodes).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


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
