"""Replays: an animated picture of a battle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIZE = 440
"""Pixels of the map's side."""
HEAD = 34
SCALE = 2
"""Drawn this many times as large, then reduced: smooth edges."""
TEAM, ENEMY = (37, 99, 176), (196, 62, 62)
GROUND, GRID, INK = (246, 245, 240), (232, 230, 222), (60, 60, 60)


@dataclass(frozen=True)
class Scene:
    """One moment of a battle; units in map units, allies first."""

    position: np.ndarray
    health: np.ndarray
    """Share of full health, 0 for the dead."""
    radius: np.ndarray
    letter: Sequence[str]
    target: np.ndarray
    """Index of the unit that each unit shoots at now; -1 for none."""
    sight: np.ndarray
    """Sight range of the allies."""
    allies: int
    width: float
    """Side of the map."""
    caption: str


def draw_replay(scenes: Sequence[Scene], path: Path, milliseconds: int = 70) -> Path:
    """Writes an animated GIF; the last scene stays for a while."""
    return _write([_draw(scene).quantize(64) for scene in scenes], path, milliseconds)


def _write(frames: list[Image.Image], path: Path, milliseconds: int) -> Path:
    durations = [milliseconds] * (len(frames) - 1) + [1500]
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return path


def draw_film(pictures: Sequence[np.ndarray], path: Path, milliseconds: int = 100) -> Path:
    """Writes pictures [height, width, 3] as an animated GIF."""
    return _write([Image.fromarray(p).quantize(64) for p in pictures], path, milliseconds)


def _draw(scene: Scene) -> Image.Image:
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side + HEAD * SCALE), GROUND)
    pen = ImageDraw.Draw(image)
    zoom = side / scene.width

    def place(point: np.ndarray) -> tuple[float, float]:
        x, y = point.tolist()
        return x * zoom, HEAD * SCALE + side - y * zoom

    for line in np.arange(0, scene.width, 4) * zoom:
        pen.line([(line, HEAD * SCALE), (line, side + HEAD * SCALE)], GRID, SCALE)
        level = line + HEAD * SCALE
        pen.line([(0, level), (side, level)], GRID, SCALE)
    alive = scene.health > 0
    for i in np.flatnonzero(alive[: scene.allies]):
        _ring(pen, place(scene.position[i]), float(scene.sight[i]) * zoom)
    for i in np.flatnonzero(alive & (scene.target >= 0)):
        ends = [place(scene.position[i]), place(scene.position[scene.target[i]])]
        pen.line(ends, TEAM if i < scene.allies else ENEMY, 2 * SCALE)
    for i in np.flatnonzero(alive):
        _unit(pen, scene, int(i), place(scene.position[i]), zoom)
    pen.rectangle([0, 0, side, HEAD * SCALE], fill=(255, 255, 255))
    pen.text((8 * SCALE, 9 * SCALE), scene.caption, INK, font_size=13 * SCALE)
    return image.resize((SIZE, SIZE + HEAD), Image.Resampling.LANCZOS)


def _ring(pen: ImageDraw.ImageDraw, centre: tuple[float, float], r: float) -> None:
    x, y = centre
    pen.ellipse([x - r, y - r, x + r, y + r], outline=(205, 214, 226), width=SCALE)


def _unit(
    pen: ImageDraw.ImageDraw,
    scene: Scene,
    i: int,
    centre: tuple[float, float],
    zoom: float,
) -> None:
    x, y = centre
    r = max(scene.radius[i], 0.5) * zoom
    colour = TEAM if i < scene.allies else ENEMY
    pen.ellipse([x - r, y - r, x + r, y + r], fill=colour, outline="white", width=SCALE)
    pen.text(centre, scene.letter[i], "white", font_size=1.1 * r, anchor="mm")
    left, top, width = x - 1.3 * r, y - 1.7 * r, 2.6 * r
    pen.rectangle([left, top, left + width, top + 0.35 * r], fill=(210, 210, 210))
    pen.rectangle(
        [left, top, left + width * scene.health[i], top + 0.35 * r], fill=(76, 160, 80)
    )
