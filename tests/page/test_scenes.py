import base64
import dataclasses
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from tests.page.conftest import untaught
from tests.test_pipeline import TINY
from tests.test_process_pipeline import LINE

from ptde.agents.watch import ActionValues
from ptde.folder import RunFolder
from ptde.page.scenes import pack, record, shown_values
from ptde.strategy import Side

ROOM = 1_000_000


def unpacked(packed):
    """As ``views.js`` does it."""
    kind, top = {1: ("u1", 255), 2: ("<u2", 65_535)}[packed["bytes"]]
    codes = np.frombuffer(base64.b64decode(packed["data"]), kind).reshape(packed["shape"])
    return np.where(codes == top, np.nan, packed["low"] + codes * packed["step"])


@pytest.mark.parametrize(("fine", "error"), [(False, 1 / 508), (True, 1 / 131_068)])
def test_packed_numbers_are_nearly_what_they_were(fine, error):
    values = np.random.default_rng(0).uniform(-3, 5, (4, 3, 2))
    values[1, 2] = np.nan
    again = unpacked(pack(values, fine))
    assert np.array_equal(np.isnan(again), np.isnan(values))
    assert np.nanmax(np.abs(again - values)) <= error * np.ptp(values[~np.isnan(values)])


@pytest.mark.parametrize("value", [np.nan, 0.0, -2.5])
def test_packed_numbers_may_all_be_the_same(value):
    np.testing.assert_array_equal(unpacked(pack(np.full((2, 2), value))), value)


def test_shown_values_leave_out_what_is_illegal_and_z_where_there_is_none():
    values = jnp.array([[[1.0, 2.0], [3.0, 4.0]]])
    legal = jnp.array([[[True, True], [True, False]]])
    plain = shown_values(ActionValues(values, values, legal))
    assert plain["without"] is None
    shown = unpacked(plain["values"])[0]
    np.testing.assert_allclose(shown, [[1, 2], [3, np.nan]], atol=0.01)
    told = shown_values(ActionValues(values, values[..., ::-1], legal))
    shown = unpacked(told["without"])[0]
    np.testing.assert_allclose(shown, [[2, 1], [4, np.nan]], atol=0.01)
    assert shown_values(None) == {"values": None, "without": None}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Teams of a world that is a program and draws itself."""
    config = dataclasses.replace(LINE, baseline=True)
    return untaught(config, tmp_path_factory.mktemp("scenes") / "film")


def sides(folder):
    return [Side(folder, role, 0) for role in ("teacher", "student", "baseline")]


def test_a_film_shows_every_team_from_the_same_beginning(film):
    kept, remark = record(sides(film), 2, ROOM)
    assert remark == ""
    assert [scenes["title"] for scenes in kept] == ["game 1", "game 2"]
    for scenes in kept:
        assert scenes["kind"] == "film"
        assert [side["role"] for side in scenes["sides"]] == [
            "teacher",
            "student",
            "baseline",
        ]
        for side in scenes["sides"]:
            steps = side["steps"]
            assert len(side["frames"]) == steps + 1  # before the first step, and after each
            assert side["frames"][0].startswith("data:image/webp;base64,")
            assert side["values"]["shape"][0] == steps
            assert side["end"] == f"score +{steps}"
    teacher, _, baseline = kept[0]["sides"]
    assert teacher["without"] is not None  # z has a part in it
    assert baseline["without"] is None


def test_what_does_not_fit_is_left_out_and_told(film):
    kept, remark = record(sides(film), 2, 0)
    assert kept == []
    assert remark == "0 of 2 fit into a page of 2 MB."


def test_a_world_that_draws_nothing_is_told(tmp_path):
    folder = untaught(dataclasses.replace(TINY, baseline=True), tmp_path / "run")
    kept, remark = record(sides(folder), 1, ROOM)
    assert kept == []
    assert remark.startswith("probe/personal draws nothing")
    assert record([], 1, ROOM) == record(sides(folder), 0, ROOM) == ([], "")


def test_a_world_that_is_not_here_leaves_the_rest_of_the_page(film, tmp_path):
    folder = RunFolder(shutil.copytree(film.path, tmp_path / "moved"))
    folder.rewrite(dataclasses.replace(folder.run, map="tests.processes.worlds:Gone"))
    kept, remark = record(sides(folder), 1, ROOM)
    assert kept == []
    assert remark.startswith("Nothing could be played here: ")
    assert "Gone" in remark
