"""The adapter, against a small battle with the interface of ``StarCraft2Env``."""

import json

import numpy as np
import pytest
from tests.processes.worlds import Battle

from ptde.envs import make_env
from ptde.envs.registry import WORLDS
from ptde.processes import WorldFailed
from ptde.processes.adapters.check import check
from ptde.processes.games import doctor
from ptde.processes.games.starcraft import MAPS, SPAWNED, StarCraft, _battle, maps


def battle(**options):
    return StarCraft("3s_vs_5z", make=lambda **o: Battle(**o, **options), seed=3)


def play(env, action):
    step = env.reset(0)
    while not (step.ended or step.cut):
        step = env.step(np.where(step.legal[:, 0], 0, action))
    return step


def test_a_won_battle():
    step = play(battle(), action=6)
    assert (step.ended, step.cut, step.won, step.reward, step.score) == (1, 0, 1, 20, 1)


def test_time_that_runs_out_is_not_the_end_of_the_task():
    step = play(battle(), action=1)
    assert (step.ended, step.cut, step.won) == (False, True, 0)
    assert step.score == -1


def test_smac_is_told_what_a_time_out_means(monkeypatch):
    """Without its flag, as in the paper's runs, it calls a time-out an end."""
    world = StarCraft("3s_vs_5z", make=Battle, continuing_episode=False)
    step = play(world, action=1)
    assert (step.ended, step.cut, step.won) == (True, False, 0)
    made = []
    monkeypatch.setattr("ptde.processes.games.starcraft.require", lambda name: None)
    monkeypatch.setattr(
        "ptde.envs.process.sizes_of", lambda maker, patience: made.append(maker)
    )
    for time_out in ("bootstrap", "terminal"):
        with pytest.raises(AttributeError):  # no sizes: nothing was started
            make_env("starcraft", "3s_vs_5z", {"time_out": time_out})
    told = [json.loads(maker.kwargs)["continuing_episode"] for maker in made]
    assert told == [True, False]


def test_the_dead_are_those_who_may_do_nothing():
    env = battle()
    step = env.reset(0)
    assert step.alive.all()
    for _ in range(3):
        step = env.step(np.array([1, 1, 1]))
    np.testing.assert_array_equal(step.alive, [False, True, True])
    assert not check(battle(), steps=30).violations


def test_a_crash_of_the_engine_loses_the_episode():
    with pytest.raises(WorldFailed, match="crashed"):
        play(battle(crash=2), action=1)


def test_a_replay_is_saved():
    env = StarCraft("3s_vs_5z", make=Battle, record="there")
    play(env, action=6)
    assert env.replay() == "there"
    assert env.env.saved == 1


def test_the_papers_new_maps_are_spawned_with_their_units():
    assert set(SPAWNED) < set(MAPS)
    for name, (n, m) in {"3s_vs_8z": (3, 8), "3s5z_vs_3s7z": (8, 10)}.items():
        config = _battle(SPAWNED[name], np.random.default_rng(0))
        assert len(config["team_gen"]["ally_team"]) == n
        assert len(config["team_gen"]["enemy_team"]) == m
        ours = config["ally_start_positions"]["item"]
        theirs = config["enemy_start_positions"]["item"]
        assert (ours.shape, theirs.shape) == ((n, 2), (m, 2))
        every = np.concatenate([ours, theirs])
        assert ((every > 0) & (every < 32)).all()
        apart = np.linalg.norm(every[:, None] - every[None], axis=-1)
        assert apart[~np.eye(n + m, dtype=bool)].min() >= 0.99


def test_the_doctor_names_what_is_missing_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    parts = {part.name: part for part in doctor.starcraft()}
    home = f"StarCraft II in {tmp_path}"
    assert not parts[home].there
    binary = tmp_path / "Versions" / "Base75689" / "SC2_x64"
    binary.parent.mkdir(parents=True)
    binary.write_text("")
    parts = {part.name: part for part in doctor.starcraft()}
    assert parts[home].there
    assert not parts["permission to run it"].there
    assert parts["permission to run it"].what_to_do == f"chmod +x {binary}"
    binary.chmod(0o755)
    maps = tmp_path / doctor.SMAC_MAPS
    maps.mkdir(parents=True)
    (maps / "3s_vs_5z.SC2Map").write_text("")
    there = {part.name: part.there for part in doctor.starcraft()}
    assert there["permission to run it"]
    assert there[f"SMAC's maps in {maps}"]


def test_a_game_that_is_not_installed_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_importable", lambda name: False)
    with pytest.raises(ValueError, match=r"(?s)--world starcraft .*oxwhirl/smac.*SC2PATH"):
        doctor.need("starcraft")
    with pytest.raises(ValueError, match=r"(?s)--world football .*make football"):
        doctor.need("football")


def test_every_map_of_the_installation_is_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    assert maps() == MAPS
    folder = tmp_path / doctor.SMAC_MAPS
    folder.mkdir(parents=True)
    for name in ("8m", "3m", "3s_vs_5z", "32x32_flat"):
        (folder / f"{name}.SC2Map").write_text("")
    assert maps() == (*MAPS, "3m", "8m")
    WORLDS["starcraft"].check_map("3m")
    assert WORLDS["starcraft"].sizes("3m") is None
    with pytest.raises(ValueError, match="did you mean --map 3m"):
        WORLDS["starcraft"].check_map("3n")
