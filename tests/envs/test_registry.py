import dataclasses

import pytest

from ptde import build
from ptde.config import Run
from ptde.envs.registry import WORLDS
from ptde.processes.games.football import SCENARIOS
from ptde.processes.games.starcraft import SIZES
from ptde.types import EnvSpec

FOOTBALL = {
    "academy_run_pass_and_shoot_with_keeper": (150, 2, 19, 33, 99),
    "academy_3_vs_1_with_keeper": (150, 3, 19, 38, 114),
    "academy_3_vs_2_with_keeper": (150, 3, 19, 42, 129),
    "academy_counterattack_easy": (150, 4, 19, 109, 354),
    "academy_counterattack_hard": (150, 4, 19, 109, 354),
}
"""As the engine shows them (tests/processes/test_football.py)."""


def test_footballs_sizes_are_known_without_the_engine():
    assert set(SCENARIOS) == set(FOOTBALL)
    for name, sizes in FOOTBALL.items():
        assert WORLDS["football"].sizes(name) == sizes


def units(side):
    """``3s5z`` as (stalkers or all, zealots)."""
    counts = [int(c) for c in side if c.isdigit()]
    return sum(counts), len(counts)


@pytest.mark.parametrize("name", SIZES)
def test_starcrafts_sizes_follow_from_smacs_layout(name):
    """Health, shields of Protoss, unit type where a team is mixed; see SMAC's get_obs."""
    (ally, kinds), (enemy, _) = (units(side) for side in name.split("_vs_"))
    ours, theirs = (0 if side[1] in "mh" else 1 for side in name.split("_vs_"))
    bits = 2 if kinds > 1 else 0
    obs = 4 + enemy * (5 + theirs + bits) + (ally - 1) * (5 + ours + bits) + 1 + ours + bits
    actions = 6 + enemy
    state = ally * (4 + ours + bits) + enemy * (3 + theirs + bits) + ally * actions
    assert WORLDS["starcraft"].sizes(name)[1:] == (ally, actions, obs, state)


def test_worlds_that_must_be_opened_first_have_none():
    assert WORLDS["processes"].sizes("a:b") is None
    assert WORLDS["ranking"].sizes("letor") is None


def spec(limit):
    return EnvSpec("test", 2, 3, 4, 5, time_limit=limit)


@pytest.mark.parametrize(
    ("limit", "value", "mappo"),
    [(179, 179, 359), (50, 152, 407), (107, 107, 431), (250, 250, 501), (1, 127, 399)],
)
def test_a_segment_holds_whole_episodes_and_about_as_many_steps(limit, value, mappo):
    plain = Run(map="3m")
    assert build.segment_of(plain, spec(limit)) == value
    assert build.segment_of(dataclasses.replace(plain, algo="mappo"), spec(limit)) == mappo
    for length in (value, mappo):
        assert (length + 1) % (limit + 1) == 0
    assert build.segment_of(dataclasses.replace(plain, segment=9), spec(limit)) == 9


def test_a_segment_that_cannot_hold_an_episode_is_refused():
    run = Run(segment=100)
    with pytest.raises(ValueError, match="type --segment 179 or --time-limit 100"):
        build.check_fits(run, build.world(run))
    enough = dataclasses.replace(run, smax=dataclasses.replace(run.smax, time_limit=100))
    build.check_fits(enough, build.world(enough))
