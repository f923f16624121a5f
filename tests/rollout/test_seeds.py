import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from tests.students import NO_STAGE_3

from ptde import build
from ptde.algos import ValueConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.evaluation import replay_key
from ptde.info import InfoSizes
from ptde.jobs.record import Record
from ptde.jobs.teach import teach
from ptde.mixers import MixerSizes
from ptde.rollout.seeds import (
    Stream,
    of_seed,
    over_seeds,
    seed_keys,
    stream_key,
    stream_keys,
)


def test_one_seed_has_a_leading_axis_too():
    run = over_seeds(lambda x: {"y": x + 1}, 1)
    assert run(jnp.zeros((1, 3)))["y"].shape == (1, 3)


def test_a_later_seed_is_the_same_alone():
    together = jax.random.key_data(seed_keys(5, 3))
    alone = jax.random.key_data(seed_keys(7, 1))
    np.testing.assert_array_equal(together[2], alone[0])


def test_the_keys_of_a_stream_are_those_of_its_seeds():
    both, alone = stream_keys(Stream.FIT, 3, 2), stream_key(Stream.FIT, 4)
    np.testing.assert_array_equal(*map(jax.random.key_data, (of_seed(both, 1), alone)))


def test_no_two_uses_of_randomness_share_a_key():
    keys = [key for seed in (0, 1) for key in [*seed_keys(seed, 1)]]
    for seed in (0, 1):
        streams = [stream_key(stream, seed) for stream in Stream]
        keys += [k for key in streams for k in (key, *jax.random.split(key, 3))]
        # Episode i is the i-th key below its stream, as the i-th of a split is.
        keys += [replay_key(seed, episode) for episode in range(3, 40)]
    assert len({tuple(jax.random.key_data(k).tolist()) for k in keys}) == len(keys)


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
