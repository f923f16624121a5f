import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.students import NO_STAGE_3

from ptde import build
from ptde.algos import ValueConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.info import InfoSizes
from ptde.jobs.record import Record
from ptde.jobs.teach import teach
from ptde.mixers import MixerSizes
from ptde.rollout.loop import Schedule, first_bad, over_seeds, seed_keys


@pytest.mark.parametrize("steps", [1, 100, 1000, 1001, 5000])
def test_a_schedule_covers_its_steps(steps):
    schedule = Schedule(envs=4, segment=10, steps=steps, test_every=200)
    assert steps <= schedule.total < steps + schedule.per_iteration
    assert schedule.ends[-1] == schedule.total
    gaps = np.diff([0, *schedule.ends])
    assert (gaps[:-1] == 200).all() and 0 < gaps[-1] <= 200


def test_one_seed_has_a_leading_axis_too():
    run = over_seeds(lambda x: {"y": x + 1}, 1)
    assert run(jnp.zeros((1, 3)))["y"].shape == (1, 3)


def test_a_later_seed_is_the_same_alone():
    together = jax.random.key_data(seed_keys(5, 3))
    alone = jax.random.key_data(seed_keys(7, 1))
    np.testing.assert_array_equal(together[2], alone[0])


def test_first_bad_names_the_iteration():
    metrics = {"loss": np.ones((2, 5)), "q": np.ones((2, 5))}
    assert first_bad(metrics) is None
    metrics["q"][1, 3] = np.inf
    metrics["loss"][0, 4] = np.nan
    iteration, values = first_bad(metrics)
    assert iteration == 3
    assert values == {"loss": 1.0, "q": np.inf}


SMALL = Run(
    world="probe",
    map="personal",
    steps=192,
    envs=4,
    segment=8,
    hidden=8,
    test_every=32,
    test_episodes=8,
    seeds=2,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=16, batch=4, epsilon_steps=50),
    student=DistillConfig(share=0.0),
    finetune=NO_STAGE_3,
)


def test_seeds_in_one_program_are_the_seeds_alone(tmp_path):
    env = build.world(SMALL)
    both = teach(build.training(SMALL, env, "both"), tmp_path / "both")
    run = dataclasses.replace(SMALL, seeds=1, seed=1)
    alone = teach(build.training(run, env, "alone"), tmp_path / "alone")
    for a, b in zip(jax.tree.leaves(both), jax.tree.leaves(alone), strict=True):
        np.testing.assert_allclose(a[1], b[0], atol=2e-4)
    rows = Record(tmp_path / "both" / "record.jsonl").rows()
    assert [row["steps"] for row in rows] == [32, 64, 96, 128, 160, 192]
    assert all(len(row["win_rate"]) == 2 for row in rows)


def test_a_record_drops_what_a_killed_run_left_unfinished(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    for steps in (1, 2, 3):
        record.append({"steps": steps})
    with record.path.open("a") as file:
        file.write('{"steps": 4, "los')
    assert [row["steps"] for row in record.rows()] == [1, 2, 3]
    assert [row["steps"] for row in record.cut(2)] == [1, 2]
    record.append({"steps": 3})
    assert [row["steps"] for row in record.rows()] == [1, 2, 3]
