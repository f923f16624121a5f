"""Statistics of a set of runs: means, interquartile means and retention, with intervals.

Intervals of a mean are Student's; of everything else, bootstrap over the seeds, stratified
by map (Agarwal et al. 2021). Seeds are few, so the intervals are rightly wide.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from ptde.report.statistics import (
    RESAMPLES,
    Interval,
    bootstrap_interval,
    retention,
    seeds_interval,
)


def iqm(scores: np.ndarray) -> float:
    """The interquartile mean: the mean of the middle half."""
    return float(stats.trim_mean(scores, 0.25))


def mean_interval(seeds: Sequence[float], episodes: int = 0) -> Interval | None:
    """The 95 % interval of a win rate over seeds, from the number of all their episodes
    (``seeds_interval``); None for a single seed.
    """
    return None if len(seeds) < 2 else seeds_interval(seeds, episodes)


def iqm_interval(strata: Mapping[str, Sequence[float]], seed: int = 0) -> Interval | None:
    """The 95 % interval of the IQM over all maps' seeds; each map is resampled by itself.

    None if a map has a single seed.
    """
    scores = [np.asarray(x, dtype=float) for x in strata.values()]
    if not scores or min(len(x) for x in scores) < 2:
        return None
    random = np.random.default_rng(seed)
    draws = np.concatenate(
        [x[random.integers(len(x), size=(RESAMPLES, len(x)))] for x in scores], axis=1
    )
    low, high = np.quantile(stats.trim_mean(draws, 0.25, axis=1), (0.025, 0.975))
    return float(low), float(high)


def improvement(
    one: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]]
) -> float:
    """The probability of improvement (Agarwal et al. 2021): that a run of one method scores
    more than a run of the other on the same map, as the mean over maps; ties count half.

    Args:
        one: each seed's score, by map.
        other: the same of the other method, on the same maps at least.
    """
    return float(np.mean([_above(np.array(x), np.array(other[m])) for m, x in one.items()]))


def improvement_interval(
    one: Mapping[str, Sequence[float]],
    other: Mapping[str, Sequence[float]],
    seed: int = 0,
) -> Interval | None:
    """The 95 % interval of ``improvement``: each method is resampled by itself on each map.

    None if a map has a single seed.
    """
    pairs = [(np.array(x), np.array(other[m])) for m, x in one.items()]
    if not pairs or min(len(x) for pair in pairs for x in pair) < 2:
        return None
    random = np.random.default_rng(seed)
    draw = lambda x: x[random.integers(len(x), size=(RESAMPLES, len(x)))]
    draws = np.mean([_above(draw(x), draw(y)) for x, y in pairs], axis=0)
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def _above(one: np.ndarray, other: np.ndarray) -> np.ndarray | np.floating:
    """The share of pairs in which the first is larger, over the last axes."""
    gap = one[..., :, None] - other[..., None, :]
    return ((gap > 0) + 0.5 * (gap == 0)).mean(axis=(-2, -1))


def retention_interval(
    student: Sequence[float], teacher: Sequence[float], seed: int = 0
) -> Interval | None:
    """The 95 % interval of the PRR, the ratio of the means over seeds.

    A seed's student and teacher are resampled together. None for a single seed, or if a
    resample could consist of teachers that never win.
    """
    if len(student) < 2 or min(teacher) <= 0:
        return None
    return bootstrap_interval(
        (np.asarray(student), np.asarray(teacher)),
        lambda s, t, axis: s.mean(axis=axis) / t.mean(axis=axis),
        seed,
    )


def prr(student: Sequence[float], teacher: Sequence[float]) -> float | None:
    """The PRR of the means over seeds, as in the paper."""
    return retention(float(np.mean(student)), float(np.mean(teacher)))
