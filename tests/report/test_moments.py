import dataclasses

import numpy as np
from PIL import Image

from ptde.report.moments import Battle, captioned, draw_moments, moments
from ptde.report.replay import HEAD, SIZE, Scene


def scene(second, health):
    """Two against one, at a second of the battle."""
    return Scene(
        position=np.array([[4, 4], [4, 8], [10, 6]], np.float32),
        health=np.array(health),
        radius=np.full(3, 0.5, np.float32),
        letter="mmm",
        target=np.array([2, -1, 0]),
        sight=np.full(3, 6.0, np.float32),
        allies=2,
        width=16.0,
        seconds=second,
        caption="",
    )


SCENES = [scene(t / 2, [1.0, float(t < 5), (8 - t) / 8]) for t in range(9)]


def test_the_moments_are_a_quarter_and_three_quarters_of_the_battle():
    assert moments(9) == {"early": 2, "late": 6}
    assert moments(1) == {"early": 0, "late": 0}
    assert moments(101) == {"early": 25, "late": 75}


def test_the_captions_tell_team_time_and_who_lives():
    early, late = captioned(Battle("QMIX_KD", SCENES))
    assert early.caption == (
        "QMIX_KD, early: 1.0 s of 4.0 s (won)\nalive: 2 of 2, enemies: 1 of 1"
    )
    assert late.caption == (
        "QMIX_KD, late: 3.0 s of 4.0 s (won)\nalive: 1 of 2, enemies: 1 of 1"
    )
    lost = captioned(Battle("QMIX", SCENES[:8]))[1]
    assert "(not won)" in lost.caption


def test_the_picture_has_a_row_for_each_team_and_shows_its_battle(tmp_path):
    def drawn(*battles):
        return np.asarray(Image.open(draw_moments(battles, tmp_path / "a.png")))

    one, two = Battle("QMIX_KD", SCENES), Battle("QMIX", SCENES[:5])
    whole = drawn(one, two)
    height, width, _ = whole.shape
    assert width > 2 * SIZE
    assert height > 2 * (SIZE + HEAD)
    alone = drawn(one)
    np.testing.assert_array_equal(alone, whole[: len(alone)])
    assert (whole[-SIZE:] != drawn(one, one)[-SIZE:]).any()  # below its caption
    moved = [dataclasses.replace(s, position=s.position + 2.0) for s in SCENES]
    assert (drawn(Battle("QMIX_KD", moved)) != alone).any()


def test_a_worlds_own_pictures_are_shown_below_their_captions(tmp_path):
    pictures = [np.full((10, 20, 3), 20 * t, np.uint8) for t in range(9)]
    path = draw_moments([Battle("QMIX", pictures=pictures)], tmp_path / "a.png")
    shown = np.asarray(Image.open(path))
    bottom = shown[-1]
    assert (bottom[0] == 40).all() and (bottom[-1] == 120).all()
    assert (shown[:HEAD] < 128).any()  # a caption on white
    assert shown.shape[1] >= 2 * 300  # with room for it
