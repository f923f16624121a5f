"""Replays: animated pictures of episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ptde.files import whole

SIZE = 440
"""Side of the map, in pixels."""
HEAD = 34
SCALE = 2
"""Factor by which pictures are drawn larger, and then reduced, for smooth edges."""
TEAM, ENEMY = (37, 99, 176), (196, 62, 62)
GROUND, GRID, INK = (246, 245, 240), (232, 230, 222), (60, 60, 60)


@dataclass(frozen=True)
class Scene:
    """One moment of a battle: allies first in every array, lengths in map units."""

    position: np.ndarray
    health: np.ndarray
    """Health as a share of full health, 0 for the dead."""
    radius: np.ndarray
    letter: Sequence[str]
    target: np.ndarray
    """Index of the unit that each unit shoots at now; -1 for none."""
    sight: np.ndarray
    """Sight range of the allies."""
    allies: int
    width: float
    """Side of the map."""
    seconds: float
    """Time since the battle began, in seconds."""
    caption: str

    @property
    def living(self) -> tuple[int, int]:
        """The numbers of allies and of enemies that are alive."""
        alive = self.health > 0
        return int(alive[: self.allies].sum()), int(alive[self.allies :].sum())


@dataclass(frozen=True)
class Film:
    """One episode, as scenes of a battle, or as its world itself drew or recorded it."""

    scenes: Sequence[Scene] = ()
    pictures: Sequence[np.ndarray] = ()
    """The world's own pictures, [height, width, 3], before and after every joint step."""
    record: str | None = None
    """The path of the game's own recording."""

    def draw(self, path: Path) -> Path:
        """Writes an animated GIF; its path, or the record's if there is nothing to draw."""
        if not self.scenes and not self.pictures:
            assert self.record is not None
            return Path(self.record)
        with whole(path) as part:
            if self.scenes:
                draw_replay(self.scenes, part)
            else:
                draw_film(self.pictures, part)
        return path


def draw_replay(scenes: Sequence[Scene], path: Path, milliseconds: int = 70) -> Path:
    """Writes scenes as an animated GIF, which stays at the last for a while."""
    frames = [draw_scene(scene) for scene in scenes]
    # One palette for all: finding one for each would take as long as drawing.
    picked = frames[:: -(-len(frames) // 8)]
    strip = Image.fromarray(np.concatenate([np.asarray(frame) for frame in picked]))
    palette = strip.quantize(64)
    plain = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    return _write(plain, path, milliseconds)


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


def draw_scene(scene: Scene) -> Image.Image:
    """A picture of a scene: the map from above, below the caption."""
    side = SIZE * SCALE
    image = Image.new("RGB", (side, side + HEAD * SCALE), GROUND)
    pen = ImageDraw.Draw(image)
    zoom = side / scene.width

    def place(point: np.ndarray) -> tuple[float, float]:
        x, y = (float(x) * zoom for x in point)
        return x, HEAD * SCALE + side - y

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
    write_caption(image, scene.caption, SCALE)
    return image.reduce(SCALE)


def write_caption(image: Image.Image, caption: str, scale: int = 1) -> None:
    """Writes one or two lines on a white band at the top, ``HEAD`` pixels high."""
    pen = ImageDraw.Draw(image)
    pen.rectangle([0, 0, image.width, HEAD * scale], fill=(255, 255, 255))
    size = 12 if "\n" in caption else 13
    middle = (8 * scale, HEAD * scale / 2)
    pen.text(middle, caption, INK, font_size=size * scale, anchor="lm", spacing=2 * scale)


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
