"""Parts that all learning curves share, in pictures and in pages."""

import itertools
from collections.abc import Sequence
from typing import TypeVar

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Int

from ptde.report.palette import Look
from ptde.report.statistics import rate_interval, t_interval

T = TypeVar("T")
MOST = 5
"""Most curves in one panel; more are spread over several panels."""
FEW = 5
"""Most seeds that are drawn each; of more, their mean's interval is drawn."""


def groups(items: Sequence[T], most: int = MOST) -> list[list[T]]:
    """Splits items, in order, into parts of about equal length of at most ``most``."""
    count = -(-len(items) // most)
    edges = [len(items) * i // count for i in range(count + 1)] if count else [0]
    return [list(items[a:b]) for a, b in itertools.pairwise(edges)]


def spread(
    values: Float[np.ndarray, "tests seeds"], rates: bool
) -> Float[np.ndarray, "tests 2"] | None:
    """Student's 95 % interval of the mean at each test; None for a single seed.

    Args:
        values: the values of every seed.
        rates: whether they, and so the interval, are in [0, 1].
    """
    if values.shape[1] < 2:
        return None
    interval = rate_interval if rates else t_interval
    return np.array([interval(at) for at in values]).reshape(-1, 2)


def draw_curve(
    axis: plt.Axes,
    steps: Int[np.ndarray, " tests"],
    values: Float[np.ndarray, "tests seeds"],
    look: Look,
    label: str,
    rates: bool,
) -> None:
    """Draws the mean over seeds, with few seeds as thin lines, or with its interval."""
    many = values.shape[1] > FEW
    if not many and values.shape[1] > 1:
        axis.plot(steps, values, color=look.colour, linewidth=0.7, alpha=0.5)
    band = spread(values, rates) if many else None
    if band is not None:
        axis.fill_between(steps, *band.T, color=look.colour, alpha=0.15, linewidth=0)
    axis.plot(
        steps,
        values.mean(axis=1),
        color=look.colour,
        linestyle=look.linestyle,
        linewidth=1.8,
        label=label,
    )
