import dataclasses

import pytest

from ptde import build, presets
from ptde.cli import main
from ptde.cli.arguments import parse, start_of
from ptde.config import Run
from ptde.presets import PAPER_MAPS, PRESETS, as_paper


def typed(text):
    words, start = start_of(text.split())
    return parse(Run, words, "run", start)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_run_that_can_be_made(name):
    assert PRESETS[name][0]
    run = presets.start_of(name)
    assert build.training(run, build.world(run), "teacher").schedule.ends


def test_in_another_world_the_rest_are_that_worlds_defaults():
    run = typed("--preset quick --world jaxmarl --map MPE_simple_spread_v3")
    assert (run.steps, run.value.buffer) == (8_000, 200)
    assert (run.value.openings, run.time_out) == (0.0, "bootstrap")
    run = typed("--preset quick --world football --map academy_3_vs_1_with_keeper")
    assert (run.value.lr, run.value.batch, run.value.buffer) == (2e-3, 32, 200)
    assert typed("--preset quick").value.openings == Run().value.openings > 0


def test_paper_is_table_7_and_the_released_code():
    run = presets.start_of("paper")
    v, s = run.value, run.student
    assert (v.gamma, v.td_lambda, v.lr, v.lr_end, v.max_grad_norm) == (
        0.99,
        0.6,
        1e-3,
        1.0,
        10,
    )
    assert (run.envs, v.buffer, v.batch, v.updates) == (8, 5_000, 128, 1)
    assert v.target_period == 200
    assert (v.epsilon_start, v.epsilon_end, v.epsilon_steps) == (1.0, 0.05, 100_000)
    assert v.openings == 0
    assert (run.hidden, run.info_config.z, run.info_config.hyper_hidden) == (64, 64, 64)
    assert (run.mixer_config.embed, run.mixer_config.hypernet_hidden) == (32, 64)
    assert (run.test_every, run.test_episodes) == (10_000, 32)
    assert (run.z_test, run.time_out) == ("sample", "terminal")
    assert (s.steps, s.batch, s.lr, s.hidden) == (500_001, 2_048, 1e-4, 64)
    assert (s.data_segments, s.data_epsilon, s.held_out) == (8 * 100, 0.05, 0.2)


@pytest.mark.parametrize("name", PAPER_MAPS)
def test_a_segment_of_paper_has_room_for_one_longest_episode(name):
    run = typed(f"--preset paper --map {name}")
    env = build.world(run)
    assert build.segment_of(run, env.spec) == env.spec.time_limit
    assert env.time_out == "terminal"
    task = build.distillation(run, env)
    assert task.segment == env.spec.time_limit
    two = dataclasses.replace(run.value, segment_episodes=2)
    room = build.segment_of(dataclasses.replace(run, value=two), env.spec)
    assert room == 2 * env.spec.time_limit + 1  # one step between them, the restart


def test_options_on_top_of_paper():
    run = typed("--preset paper --map 6h_vs_8z --steps 5_000_000 --lr 5e-4 --student.lr 1")
    assert (run.map, run.steps, run.value.lr, run.value.td_lambda) == (
        "6h_vs_8z",
        5_000_000,
        5e-4,
        0.6,
    )
    assert (run.student.lr, run.student.batch) == (1, 2_048)


def test_paper_goes_with_the_other_world_of_its_table():
    run = typed("--preset paper --world football")
    assert (run.world, run.map) == ("football", "academy_3_vs_1_with_keeper")
    assert (run.value.updates, run.value.td_lambda, run.time_out) == (1, 0.6, "terminal")
    assert as_paper(run) == run


def test_paper_says_nothing_of_ranking(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--preset", "paper", "--world", "ranking"]) == 2
    assert "does not say how it learnt to rank" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
