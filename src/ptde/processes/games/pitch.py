"""Pictures of a football pitch from above."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT, EDGE = 600, 280, 18
"""Sizes in pixels; the pitch is 2.0 long and 0.84 wide in the engine's units."""
SCALE = 2
GRASS, LINE = (70, 128, 72), (214, 228, 214)
TEAM, ENEMY, BALL = (37, 99, 176), (196, 62, 62), (250, 250, 250)


def picture(raw: dict[str, Any]) -> np.ndarray:
    """The picture [height, width, 3], uint8, of the engine's raw observation."""
    size = (WIDTH * SCALE, HEIGHT * SCALE)
    image = Image.new("RGB", size, GRASS)
    pen = ImageDraw.Draw(image)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (WIDTH - 2 * EDGE) * (x + 1) / 2 + EDGE
        down = (HEIGHT - 2 * EDGE) * (y + 0.42) / 0.84 + EDGE
        return across * SCALE, down * SCALE

    pen.rectangle([place(-1.0, -0.42), place(1.0, 0.42)], outline=LINE, width=SCALE)
    pen.line([place(0.0, -0.42), place(0.0, 0.42)], LINE, SCALE)
    for side in (-1.0, 1.0):
        pen.line([place(side, -0.044), place(side, 0.044)], LINE, 5 * SCALE)
    controlled = set(raw["left_agent_controlled_player"])
    for team, colour in (("left_team", TEAM), ("right_team", ENEMY)):
        for i, (x, y) in enumerate(raw[team]):
            ours = team == "left_team" and i in controlled
            _dot(pen, place(x, y), 6.0, colour, "white" if ours else None)
    x, y, z = raw["ball"]
    _dot(pen, place(x, y), 3.0 + min(z, 4.0), BALL, "black")
    ours, theirs = raw["score"]
    text = f"{ours} : {theirs}"
    pen.text(
        (WIDTH * SCALE / 2, 2 * SCALE), text, "white", font_size=12 * SCALE, anchor="ma"
    )
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def _dot(
    pen: ImageDraw.ImageDraw,
    centre: tuple[float, float],
    radius: float,
    colour: tuple[int, int, int],
    outline: str | None,
) -> None:
    x, y, r = *centre, radius * SCALE
    pen.ellipse([x - r, y - r, x + r, y + r], colour, outline, SCALE)
