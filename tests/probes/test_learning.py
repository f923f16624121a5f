"""Tiny worlds with a known optimum: a definite answer about each method."""

import dataclasses
import itertools

import numpy as np
import pytest
from tests.students import NO_STAGE_3, PAPERS

from ptde.algos import ValueConfig
from ptde.algos.mappo import MappoConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs.probes import KEYS
from ptde.info import InfoSizes
from ptde.mixers import MixerSizes
from ptde.pipeline import run
from ptde.unread import without_unread

BASE = Run(
    world="probe",
    steps=12_000,
    envs=16,
    segment=8,
    hidden=16,
    test_every=6_000,
    test_episodes=8,
    episodes=512,
    checkpoint_every=1_000_000,
    info_config=InfoSizes(z=8, hyper_hidden=16),
    mixer_config=MixerSizes(embed=8, hypernet_hidden=16),
    value=ValueConfig(
        lr=5e-3, buffer=256, batch=32, updates=4, target_period=64, epsilon_steps=4_000
    ),
    finetune=NO_STAGE_3,
    student=DistillConfig(
        **PAPERS, steps=1_500, batch=256, lr=3e-3, hidden=32, data_steps=4_000, tests=1
    ),
)
MAPPO = MappoConfig(lr=3e-3, epochs=5)


def scores(tmp_path, **changes):
    config = without_unread(dataclasses.replace(BASE, **changes), BASE)
    goal = "teach" if config.info == "none" else "run"
    result = run(config, tmp_path / "run", goal).result
    return {role: score.mean_return for role, score in result.scores.items()}


def last_row(tmp_path, name):
    import json

    lines = (tmp_path / "run" / "teacher" / "record.jsonl").read_text().splitlines()
    return json.loads(lines[-1])[name][0]


@pytest.mark.slow
def test_delayed_the_value_is_the_discounted_reward(tmp_path):
    scores(
        tmp_path,
        map="delayed",
        info="none",
        value=dataclasses.replace(BASE.value, gamma=0.5),
    )
    # three steps to the reward: 0.25, 0.5 and 1, equally often
    assert last_row(tmp_path, "q_tot") == pytest.approx((0.25 + 0.5 + 1) / 3, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["value", "mappo"])
def test_cut_beyond_a_time_limit_there_is_as_much_again(tmp_path, algo):
    short = dataclasses.replace(MAPPO if algo == "mappo" else BASE.value, gamma=0.5)
    scores(tmp_path, map="cut", info="none", algo=algo, **{algo: short})
    # 1.42 if the limit were the task's end
    assert last_row(tmp_path, "target") == pytest.approx(1 / (1 - 0.5), abs=0.04)


BARRED = (1 + 0.99**2 + 0.99 + 1) / 3
"""The mean value of the three steps of ``barred``; more is there for illegal actions."""


def test_barred_what_is_illegal_is_neither_played_nor_hoped_for(tmp_path):
    one_step = dataclasses.replace(BASE.value, td_lambda=0.0)
    assert scores(tmp_path, map="barred", info="none", value=one_step)["teacher"] == 2
    # 1.6 if the next action might be the illegal one, of which no step has told
    assert last_row(tmp_path, "q_tot") == pytest.approx(BARRED, abs=0.06)


@pytest.mark.slow
def test_mappo_barred_what_is_illegal_is_neither_played_nor_likely(tmp_path):
    mappo = dataclasses.replace(MAPPO, entropy=0.1)
    reached = scores(tmp_path, map="barred", algo="mappo", info="none", mappo=mappo)
    assert reached["teacher"] == 2
    assert last_row(tmp_path, "target") < BARRED + 0.01
    # Where one action is legal, nothing is random, and no ratio moves.
    assert last_row(tmp_path, "entropy") < 0.03
    assert last_row(tmp_path, "clipped") < 0.02


def test_memory_a_cue_is_carried_to_the_end(tmp_path):
    assert scores(tmp_path, map="memory", info="none")["teacher"] > 0.97


def test_state_without_information_there_is_only_chance(tmp_path):
    assert scores(tmp_path, map="state", info="none")["teacher"] == pytest.approx(
        0.5, abs=0.08
    )


def test_state_gip_reaches_the_optimum_and_its_student_cannot(tmp_path):
    reached = scores(tmp_path, map="state", info="gip")
    assert reached["teacher"] > 0.98
    assert reached["student"] == pytest.approx(0.5, abs=0.08)


def test_recoverable_the_student_keeps_it_all(tmp_path):
    reached = scores(tmp_path, map="recoverable", info="gip")
    assert reached["teacher"] > 0.98
    assert reached["student"] / reached["teacher"] > 0.97


def unified_optimum() -> float:
    """The most that the same information for all can reach in ``personal``.

    The head is affine: an agent plays 1 where f(key) + g(bits) > 0. Whatever g is, the
    agents that play 1 are then the first m keys in one order, for an m that may depend on
    the bits. All orders are equally good, so take the keys' own.
    """
    best = [
        max(sum(b == (k < m) for k, b in enumerate(bits)) / KEYS for m in range(KEYS + 1))
        for bits in itertools.product([0, 1], repeat=KEYS)
    ]
    return float(np.mean(best))


def test_personal_gip_reaches_what_unified_information_cannot(tmp_path):
    limit = unified_optimum()
    assert limit == pytest.approx(0.8125, abs=0.03)
    longer = {"map": "personal", "steps": 40_000}
    personal = scores(tmp_path / "gip", info="gip", **longer)["teacher"]
    unified = scores(tmp_path / "giu", info="giu", **longer)["teacher"]
    assert personal > 0.95
    assert unified < limit + 0.04


@pytest.mark.slow
def test_personal_copas_coach_looks_for_each_agent_and_reaches_it(tmp_path):
    config = dataclasses.replace(BASE, map="personal", info="copa", steps=20_000)
    config = without_unread(config, BASE)
    result = run(config, tmp_path / "run", "teach").result
    assert result.scores["teacher"].mean_return > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("mixer", ["vdn", "qplex"])
def test_every_mixer_learns_with_gip(tmp_path, mixer):
    assert scores(tmp_path, map="recoverable", info="gip", mixer=mixer)["teacher"] > 0.95


@pytest.mark.slow
def test_csrl_reaches_the_optimum(tmp_path):
    assert scores(tmp_path, map="state", info="csrl")["teacher"] > 0.98


@pytest.mark.slow
def test_mappo_carries_a_cue_to_the_end(tmp_path):
    reached = scores(tmp_path, map="memory", algo="mappo", info="none", mappo=MAPPO)
    assert reached["teacher"] > 0.97


@pytest.mark.slow
def test_mappo_gip_reaches_the_optimum_that_needs_personal_information(tmp_path):
    reached = scores(tmp_path, map="personal", algo="mappo", info="gip", mappo=MAPPO)
    assert reached["teacher"] > 0.97


@pytest.mark.slow
def test_ctds_its_teacher_reaches_what_its_student_cannot(tmp_path):
    reached = scores(
        tmp_path, map="state", info="none", teacher_sight="all", online_distillation=True
    )
    assert reached["teacher"] > 0.97
    assert reached["student"] == pytest.approx(0.5, abs=0.08)


@pytest.mark.slow
def test_together_the_student_keeps_what_it_can_see(tmp_path):
    reached = scores(tmp_path, map="recoverable", info="gip", online_distillation=True)
    assert reached["student"] > 0.97


@pytest.mark.parametrize("openings, reached", [(0.0, 1.2), (0.25, 6.0)])
def test_detour_takes_openings(tmp_path, openings, reached):
    """Six steps of two agents come right by chance in 1 of 4,096 episodes."""
    value = dataclasses.replace(BASE.value, openings=openings)
    found = scores(tmp_path, map="detour", info="none", segment=12, value=value)
    assert found["teacher"] == pytest.approx(reached, abs=0.05)
