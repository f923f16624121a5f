"""A diagnosis as one picture: the ladder, the parts of the gap, teams of both."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from ptde.diagnosis.found import Diagnosis
from ptde.files import whole
from ptde.report.palette import BLUE, GREY, ROLES, SKY, VERMILION
from ptde.types import RETURN


def draw(found: Diagnosis, path: Path) -> Path:
    """Draws it as a PNG."""
    panels = 3 if found.takeover else 2
    height = 1.6 + 0.3 * max(len(found.ladder), 6)
    figure, axes = plt.subplots(1, panels, figsize=(5.6 * panels, height))
    _ladder(axes[0], found)
    _gap(axes[1], found)
    if found.takeover:
        _takeover(axes[2], found)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    with whole(path) as part:
        figure.savefig(part, dpi=110)
    plt.close(figure)
    return path


def _limits(axis: plt.Axes, found: Diagnosis, right: float) -> bool:
    """Whether an axis is one of rates: it ends at 0 and ``right`` then, and otherwise has
    room for numbers on its right.
    """
    if found.measure != RETURN:
        axis.set_xlim(0, right)
    else:
        axis.margins(x=0.25)
    return found.measure != RETURN


def _ladder(axis: plt.Axes, found: Diagnosis) -> None:
    rungs = found.ladder[::-1]
    reached = [rung.performance for rung in rungs]
    chance = [rung.chance for rung in rungs]
    colours = [ROLES.get(rung.team, GREY) for rung in rungs]
    axis.barh([r.team for r in rungs], reached, xerr=chance, color=colours, height=0.65)
    _limits(axis, found, 1.02)
    axis.set_xlabel(found.measure)
    axis.set_title("what teams reach", loc="left", fontsize=10)


def _gap(axis: plt.Axes, found: Diagnosis) -> None:
    """From the teacher, at the top, down to the student: each part begins where the one
    before it ends.
    """
    at = next(r.performance for r in found.ladder if r.team == "teacher")
    names = list(found.parts)
    for name, part in found.parts.items():
        axis.barh(
            name,
            -part.size,
            left=at,
            xerr=part.chance,
            color=VERMILION if part.stands else GREY,
            height=0.65,
        )
        axis.annotate(
            f"{part.size:+.3f}",
            (1.0, name),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=9,
        )
        at -= part.size
    axis.set_ylim(len(names) - 0.4, -0.6)
    if _limits(axis, found, 1.25):
        axis.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axis.set_xlabel(f"{found.measure}, from the teacher's down to the student's")
    title = f"what is lost: {found.gap.size:.3f}; grey: may be chance"
    axis.set_title(title, loc="left", fontsize=10)


def _takeover(axis: plt.Axes, found: Diagnosis) -> None:
    rows = list(found.takeover)[::-1]
    agents = max(row["students"] for row in rows)
    names = []
    for row in rows:
        told, limit = row["teacher_decides"], row["overruled_above"]
        some = f"{row['students']} of {agents} are students"
        names.append(some if limit is None else f"regret > {limit:g}: {told:.1%} overruled")
    colours = [BLUE if row["overruled_above"] is None else SKY for row in rows]
    reached = [row["performance"] for row in rows]
    chance = [row["chance"] for row in rows]
    axis.barh(names, reached, xerr=chance, color=colours, height=0.65)
    for rung in found.ladder:
        if rung.team in ("teacher", "student"):
            axis.axvline(rung.performance, color=ROLES[rung.team], linestyle=":")
    _limits(axis, found, 1.02)
    axis.set_xlabel(f"{found.measure}; dotted: each alone")
    axis.set_title("teams of both", loc="left", fontsize=10)
