"""A battle that is written by hand, as an animated picture."""

import dataclasses

import numpy as np
from PIL import Image

from ptde.report.replay import ENEMY, GROUND, HEAD, SIZE, TEAM, Scene, draw_replay

SCENE = Scene(
    position=np.array([[6, 6], [10, 26], [26, 16], [26, 26]], np.float32),
    health=np.array([1.0, 0.5, 1.0, 0.0], np.float32),  # the last one is dead
    radius=np.full(4, 1.5, np.float32),
    letter=["m", "m", "s", "s"],
    target=np.array([-1, 2, 0, -1], np.int32),
    sight=np.full(4, 3, np.float32),
    allies=2,
    width=32.0,
    caption="3m    0.0 s",
    seconds=0.0,
)


def colour(picture, x, y):
    """Beside the centre of a unit at (x, y), where no letter is."""
    zoom = SIZE / SCENE.width
    return picture.getpixel((round((x - 1.1) * zoom), round(HEAD + SIZE - y * zoom)))


def test_a_scene_shows_who_lives_where(tmp_path):
    moved = dataclasses.replace(SCENE, position=SCENE.position + np.float32([0, 2]))
    path = draw_replay([SCENE, moved, moved], tmp_path / "battle.gif")
    with Image.open(path) as film:
        assert film.n_frames == 2  # a picture that does not change is shown for longer
        picture = film.convert("RGB")
    assert picture.size == (SIZE, SIZE + HEAD)
    expected = [TEAM, TEAM, ENEMY, GROUND]
    for (x, y), wanted in zip(SCENE.position, expected, strict=True):
        found = np.array(colour(picture, float(x), float(y)))
        assert np.abs(found - wanted).max() < 40, (x, y, found)
