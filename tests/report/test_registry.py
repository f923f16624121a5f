"""A world in JAX brings pictures and tables of its own; others have none."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from tests.test_pipeline import TINY
from tests.test_strategy import untaught

from ptde.envs import Probe
from ptde.jobs.record import Record
from ptde.pipeline import evaluate_run, replay_run
from ptde.report.registry import REPORTS, WorldReport, draws
from ptde.report.replay import Film
from ptde.rollout.collect import start

RUN = dataclasses.replace(TINY, seeds=2, episodes=4)


def filmed(env, policy, *, key):
    """One picture, as grey as the agents' first observation is bright."""
    begun = start(policy, env, 1, key=key)
    grey = 50 + 50 * int(np.argmax(begun.step.state[0]))
    return Film(pictures=[np.full((8, 8, 3), grey, np.uint8)])


def tabled(env, teams, folder):
    path = folder / "mine.md"
    path.write_text("\n".join(f"{role}: {len(teams[role])} teams" for role in teams))
    return path


@pytest.fixture
def mine(monkeypatch):
    monkeypatch.setitem(REPORTS, "probe", WorldReport(film=filmed, run=tabled))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = untaught(RUN, tmp_path_factory.mktemp("mine") / "run", ("teacher",))
    row = {"steps": 32, "joint_steps": 32, "seconds": 1.0}
    row |= {"win_rate": [0.5, 0.0], "return": [1.0, 0.5]}
    Record(path / "teacher" / "record.jsonl").append(row)
    return path


def test_a_world_of_ones_own_is_drawn_and_tabled(mine, folder, capsys):
    outcome = evaluate_run(folder)
    assert [path.name for path in outcome.tables] == ["mine.md"]
    with Image.open(folder / "replay.gif") as picture:
        assert picture.convert("RGB").getpixel((0, 0))[0] in (50, 100)
    outcome.show()
    shown = capsys.readouterr().out
    assert "teacher: 2 teams" in shown and "replay.gif" in shown


def test_a_world_without_an_entry_says_that_it_draws_nothing(folder, tmp_path):
    assert not draws("probe", Probe("personal"))
    with pytest.raises(ValueError, match="probe/personal has no replays"):
        replay_run(folder, "teacher", out=tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()
