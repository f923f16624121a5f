"""Google Research Football, on the real engine (`make football` installs it)."""

import importlib.util
import json
from hashlib import sha256

import numpy as np
import pytest

from ptde.processes.games.football import LINES, SCENARIOS, Football, observation, state

if importlib.util.find_spec("gfootball_engine") is None:
    pytest.skip("gfootball is not installed: `make football`", allow_module_level=True)

SIZES = {
    "academy_run_pass_and_shoot_with_keeper": (2, 33, 99),
    "academy_3_vs_1_with_keeper": (3, 38, 114),
    "academy_3_vs_2_with_keeper": (3, 42, 129),
    "academy_counterattack_easy": (4, 109, 354),
    "academy_counterattack_hard": (4, 109, 354),
}
"""Agents, observation and state of the paper's scenarios, with one-hot players."""

GAMES = {
    "academy_3_vs_1_with_keeper": "2c9f946820a6db69",
    "academy_counterattack_hard": "200acdf6f931fa94",
}
"""Digests of 1,000 steps (``digest``) of gfootball 2.10.2 as released, without
scripts/football.patch and its flags; gcc 12 and glibc 2.36 of Debian 12, x86-64."""


@pytest.fixture(scope="module")
def game():
    return Football("academy_3_vs_1_with_keeper")


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("control", ["stock", "fixed"])
def test_the_papers_scenarios_have_the_papers_sizes(scenario, control):
    env = Football(scenario, control)
    step = env.reset(0)
    n, obs, width = SIZES[scenario]
    assert step.obs.shape == (n, obs)
    assert step.state.shape == (width,)
    assert step.legal.shape == (n, 19)
    assert step.legal.all()
    env.close()


def test_what_an_agent_sees_is_table_8(game):
    game.reset(1)
    raw = game.raw
    player = raw["left_agent_controlled_player"][1]
    seen = observation(raw, player)
    place = raw["left_team"][player]
    np.testing.assert_allclose(seen[:2], place, rtol=1e-6)
    np.testing.assert_allclose(seen[2:4], raw["left_team_direction"][player], rtol=1e-6)
    left = seen[4:20].reshape(4, 4)
    np.testing.assert_allclose(left[player], [0, 0, *seen[2:4]], atol=1e-7)
    np.testing.assert_allclose(left[:, :2] + place, raw["left_team"], atol=1e-6)
    right = seen[20:28].reshape(2, 4)
    np.testing.assert_allclose(right[:, :2] + place, raw["right_team"], atol=1e-6)
    np.testing.assert_allclose(seen[28:31], raw["ball"], rtol=1e-6)
    assert seen[31:34].sum() == 1  # whose ball
    assert np.flatnonzero(seen[34:]) == player


def test_the_state_is_table_8(game):
    game.reset(1)
    raw, s = game.raw, state(game.raw)
    np.testing.assert_allclose(s[:8], raw["left_team"].ravel(), rtol=1e-6)
    np.testing.assert_allclose(s[8:16], raw["left_team_direction"].ravel(), rtol=1e-6)
    np.testing.assert_allclose(s[16:20], raw["left_team_tired_factor"], atol=1e-7)
    roles = s[20:60].reshape(4, 10)
    np.testing.assert_array_equal(roles.argmax(1), raw["left_team_roles"])
    ball = s[-24:]
    np.testing.assert_allclose(ball[:3], raw["ball"], rtol=1e-6)
    assert ball[9:12].sum() == 1
    assert ball[12:].sum() == 1
    assert len(ball[12:]) == 12


def test_the_same_seed_plays_the_same_game(game):
    def play(seed):
        step, draw, seen = game.reset(seed), np.random.default_rng(0), []
        for _ in range(20):
            seen.append(step.state)
            if step.ended:
                break
            step = game.step(draw.integers(19, size=3))
        return np.stack(seen)

    a, other, again = play(3), play(4), play(3)
    np.testing.assert_array_equal(a, again)
    assert not np.array_equal(a[: len(other)], other[: len(a)])


def digest(scenario, steps=1000):
    """The digest of all raw observations of random play, seed after seed."""
    game, draw, seen = Football(scenario), np.random.default_rng(0), sha256()
    seed, ended = 0, True
    for _ in range(steps):
        if ended:
            seed += 1
            game.reset(seed)
        for key in sorted(game.raw):
            seen.update(np.asarray(game.raw[key]).tobytes())
        ended = game.step(draw.integers(19, size=game.n)).ended
    game.close()
    return seen.hexdigest()[:16]


@pytest.mark.parametrize("scenario", GAMES)
def test_the_built_engine_plays_the_released_engines_game(scenario):
    assert digest(scenario) == GAMES[scenario]


def test_a_game_is_the_same_again_over_1000_steps():
    scenario = "academy_run_pass_and_shoot_with_keeper"
    assert digest(scenario) == digest(scenario)


def attack(game, seed):
    """An episode of random runs at the goal, passes and shots."""
    step, draw, steps = game.reset(seed), np.random.default_rng(seed), []
    while not step.ended and len(steps) < 150:
        step = game.step(draw.choice([5, 5, 12, 4, 6, 11], size=3))
        steps.append(step)
    return steps


def test_goals_and_lines_are_rewarded_and_a_goal_wins():
    game = Football("academy_3_vs_1_with_keeper")
    for seed in range(13, 80):  # at least one of them scores
        steps = attack(game, seed)
        ours, theirs = game.raw["score"]
        score, last = ours - theirs, steps[-1]
        # 3 agents: 3 a goal, and 0.1 for every line that each has crossed.
        lines = 0.1 * game.crossed.sum()
        assert sum(step.reward for step in steps) == pytest.approx(3 * score + lines)
        assert last.won == (score == 1)
        assert last.score == score
        assert all(step.won == 0 for step in steps[:-1])
        if score == 1:
            break
    assert last.won
    assert last.ended
    assert (game.crossed == LINES).all()
    game.close()


def test_without_checkpoints_only_goals_count():
    game = Football("academy_3_vs_1_with_keeper", rewards="scoring")
    for seed in range(13, 17):
        steps = attack(game, seed)
        ours, theirs = game.raw["score"]
        assert sum(step.reward for step in steps) == 3 * (ours - theirs)
    game.close()


def test_fixed_control_keeps_every_agents_player():
    game, draw = Football("academy_3_vs_1_with_keeper", "fixed"), np.random.default_rng(0)
    for seed in range(4):
        step = game.reset(seed)
        players = set()
        while not step.ended:
            players.add(tuple(game.raw["left_agent_controlled_player"]))
            step = game.step(draw.integers(19, size=3))
        assert len(players) == 1
        assert 0 not in next(iter(players))  # the keeper plays by itself
    game.close()


def test_it_draws_itself_and_keeps_the_engines_dump(tmp_path):
    game = Football("academy_3_vs_1_with_keeper", record=str(tmp_path))
    step = game.reset(0)
    while not step.ended:
        picture = game.frame()
        step = game.step(np.full(3, 5))
    assert picture.shape == (280, 600, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4
    dump = game.replay()
    assert dump is not None
    assert (tmp_path / dump.split("/")[-1]).stat().st_size > 1000
    game.close()


def test_a_short_training_on_the_real_engine(tmp_path):
    from ptde.cli import main

    words = (
        "run --world football --map academy_run_pass_and_shoot_with_keeper --steps 600 "
        "--envs 2 --test-every 300 --test-episodes 2 --episodes 4 --buffer 8 --batch 2 "
        "--hidden 8 --z 4 --hyper-hidden 4 --embed 4 --hypernet-hidden 4 "
        "--student.steps 20 --student.data-steps 300 --student.tests 1 "
        "--student.test-episodes 2 --student.network mlp --student.objective z "
        "--student.data teacher --student.share 0 --finetune.share 0"
    )
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 0
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["world"] == "football/academy_run_pass_and_shoot_with_keeper"
    for role in ("teacher", "student"):
        assert -1 <= result[role]["score"] <= result[role]["win_rate"] <= 1
        assert 1 <= result[role]["length"] <= 150
    assert (tmp_path / "run" / "replay.gif").exists()
