"""Paper Fig. 8: pictures from early and late in a battle, a row for each team."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from ptde.files import whole
from ptde.report.replay import HEAD, Scene, draw_scene, write_caption

MOMENTS = {"early": 0.25, "late": 0.75}
"""Shares of a battle's length at which it is shown."""
GAP = 8
"""Pixels between pictures."""
ROOM = 300
"""Pixels that a caption takes."""


@dataclass(frozen=True)
class Battle:
    """The battle, or game, of one team."""

    team: str
    scenes: Sequence[Scene] = ()
    """All scenes of an SMAX battle; empty in other worlds."""
    pictures: Sequence[np.ndarray] = ()
    """The world's own pictures, [height, width, 3], before and after every joint step."""


def moments(count: int) -> dict[str, int]:
    """The indices of the pictures that are shown, of a battle's ``count``."""
    return {stage: round(share * (count - 1)) for stage, share in MOMENTS.items()}


def captioned(battle: Battle) -> list[Scene]:
    """The scenes that are shown, with captions of the team, the time and the living."""
    end = battle.scenes[-1]
    ours, theirs = end.living
    result = "won" if ours and not theirs else "not won"
    shown = []
    for stage, at in moments(len(battle.scenes)).items():
        scene = battle.scenes[at]
        allies, enemies = scene.living
        shown.append(
            replace(
                scene,
                caption=f"{battle.team}, {stage}: {scene.seconds:.1f} s of "
                f"{end.seconds:.1f} s ({result})\n"
                f"alive: {allies} of {scene.allies}, "
                f"enemies: {enemies} of {len(scene.health) - scene.allies}",
            )
        )
    return shown


def draw_moments(battles: Sequence[Battle], path: Path) -> Path:
    """Writes a PNG: a row for each battle, early on the left and late on the right."""
    rows = [_row(battle) for battle in battles]
    widths = [max(row[i].width for row in rows) for i in range(len(MOMENTS))]
    heights = [max(picture.height for picture in row) for row in rows]
    size = (
        sum(widths) + GAP * (len(widths) - 1),
        sum(heights) + GAP * (len(heights) - 1),
    )
    page, y = Image.new("RGB", size, (255, 255, 255)), 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for picture, width in zip(row, widths, strict=True):
            page.paste(picture, (x, y))
            x += width + GAP
        y += height + GAP
    with whole(path) as part:
        page.save(part)
    return path


def _row(battle: Battle) -> list[Image.Image]:
    if battle.scenes:
        return [draw_scene(scene) for scene in captioned(battle)]
    last = len(battle.pictures) - 1
    return [
        _framed(battle.pictures[at], f"{battle.team}, {stage}: step {at} of {last}")
        for stage, at in moments(len(battle.pictures)).items()
    ]


def _framed(picture: np.ndarray, caption: str) -> Image.Image:
    """A world's own picture below a caption, enlarged if it is too narrow for one."""
    inner = Image.fromarray(picture)
    times = max(1, -(-ROOM // inner.width))
    inner = inner.resize((inner.width * times, inner.height * times))
    image = Image.new("RGB", (inner.width, inner.height + HEAD), (255, 255, 255))
    image.paste(inner, (0, HEAD))
    write_caption(image, caption)
    return image
