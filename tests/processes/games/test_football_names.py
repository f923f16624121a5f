"""What the entries of a footballer's observation are called: without the engine."""

import numpy as np
import pytest

from ptde.processes.games.football import (
    ACTIONS,
    PLAYERS,
    Football,
    observation,
    observation_names,
    sizes,
)


def shown(scenario, draw):
    """What gfootball shows, in numbers of which no two are the same."""
    raw = {"ball": draw.normal(size=3), "ball_owned_team": -1}
    for team, count in zip(("left_team", "right_team"), PLAYERS[scenario], strict=True):
        raw[team] = draw.normal(size=(count, 2))
        raw[f"{team}_direction"] = draw.normal(size=(count, 2))
    return raw


@pytest.mark.parametrize("scenario", PLAYERS)
def test_every_entry_has_the_name_of_what_it_shows(scenario):
    raw = shown(scenario, np.random.default_rng(0))
    names = observation_names(scenario)
    assert len(names) == len(set(names)) == sizes(scenario)[0]
    seen = dict(zip(names, observation(raw, 1), strict=True))
    own = raw["left_team"][1]
    away = raw["right_team"][1] - own
    last = len(raw["left_team"]) - 1
    expected = {
        "own: y": own[1],
        "own: velocity x": raw["left_team_direction"][1, 0],
        "left 0: dx": raw["left_team"][0, 0] - own[0],
        f"left {last}: velocity y": raw["left_team_direction"][last, 1],
        "right 1: dx": away[0],
        "right 1: dy": away[1],
        "right 1: velocity x": raw["right_team_direction"][1, 0],
        "ball: z": raw["ball"][2],
        "ball: left has it": 0,
        "ball: nobody has it": 1,
        "ball: right has it": 0,
        "own number: is 0": 0,
        "own number: is 1": 1,
    }
    assert {name: seen[name] for name in expected} == pytest.approx(expected, rel=1e-6)


def test_actions_have_names():
    assert len(Football.action_names) == ACTIONS
