import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde import Run, build
from ptde.algos.base import AbstractAlgorithm
from ptde.algos.value_config import ValueConfig
from ptde.distill.config import DistillConfig
from ptde.info import InfoSizes
from ptde.jobs.checkpoint import load, save
from ptde.mixers import MixerSizes
from ptde.rollout import devices
from ptde.rollout.devices import Division, use_devices
from ptde.rollout.runner import runner_of

RUN = Run(
    world="probe",
    map="personal",
    envs=4,
    segment=8,
    steps=320,
    test_every=96,
    test_episodes=8,
    hidden=8,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=64, batch=8, epsilon_steps=300, openings=0.5),
    student=DistillConfig(hidden=8, batch=8, updates=2),
)


@pytest.fixture
def on(monkeypatch):
    """A function that sets the number of devices to use."""
    return lambda number: monkeypatch.setattr(devices, "_usable", number)


def own(run):
    """A student's training on its own episodes, by an untrained teacher."""
    env = build.world(run)
    task = build.distillation(run, env)
    first = build.training(run, env, "teacher")
    return task.own(first.taught(first.start().learner).teacher, 1_000)


def first_stage(run):
    return build.training(run, build.world(run), "teacher")


def played(training):
    """State, metrics and test after two periods."""
    runner, state = runner_of(training.env), training.start()
    run = runner.period(training.algo, training.schedule, training.seeds)
    for _ in range(2):
        state, metrics = run(state, training.schedule.iterations)
    taught = training.taught(state.learner)
    test = runner.test(training.test_episodes, training.seeds)
    model = taught.team or taught.teacher
    return state, metrics, test(model, training.keys(training.streams[1]))


def alike(one, two, tolerance=2e-4):
    for (path, x), y in zip(
        jax.tree_util.tree_flatten_with_path(one)[0], jax.tree.leaves(two), strict=True
    ):
        if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        name = jax.tree_util.keystr(path)
        np.testing.assert_allclose(x, y, atol=tolerance, rtol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("make", "run", "by"),
    [
        pytest.param(first_stage, RUN, "copies", id="value"),
        pytest.param(
            first_stage,
            dataclasses.replace(RUN, algo="mappo"),
            "copies",
            id="mappo",
            marks=pytest.mark.slow,
        ),
        pytest.param(own, RUN, "copies", id="student"),
        pytest.param(first_stage, dataclasses.replace(RUN, seeds=2), "seeds", id="seeds"),
    ],
)
def test_two_devices_learn_what_one_does_up_to_the_order_of_sums(on, make, run, by):
    training = make(run)
    alone = played(training)
    on(2)
    runner = runner_of(training.env)
    division = runner.division(training.algo, training.schedule, training.seeds)
    assert (division.by, division.devices) == (by, 2)
    alike(alone, played(training))


def test_a_training_goes_on_on_another_number_of_devices(on, tmp_path):
    training = first_stage(RUN)
    runner, states = runner_of(training.env), []
    for first in (1, 2):
        on(first)
        run = runner.period(training.algo, training.schedule, 1)
        state, _ = run(training.start(), 3)
        save(tmp_path / f"{first}", state)
        on(1)
        state = load(tmp_path / f"{first}", training.shapes())
        run = runner.period(training.algo, training.schedule, 1)
        states.append(run(state, 3))
    alike(*states)


def test_as_many_devices_are_taken_as_have_equal_shares(on):
    on(2)
    assert Division.of(seeds=1, parts=8) == Division("copies", 2)
    assert Division.of(seeds=1, parts=5).devices == 1
    assert Division.of(seeds=4, parts=8) == Division("seeds", 2)
    assert Division.of(seeds=3, parts=8) == Division("copies", 2)


@pytest.mark.parametrize(
    ("before", "firm", "taken"), [(1, False, 1), (1, True, 2), (2, False, 2), (4, False, 2)]
)
def test_a_run_takes_as_many_devices_as_it_began_with(on, monkeypatch, before, firm, taken):
    on(2)
    monkeypatch.setattr(devices, "_firm", firm)
    with devices.as_before(before) as same:
        assert (devices.usable(), same) == (taken, taken == before)
    assert devices.usable() == 2


def test_a_learner_that_does_not_say_so_is_not_divided():
    assert AbstractAlgorithm.parts(None, 8) == 1


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="JAX has 2 here; type a number from 1 to 2"):
        use_devices(3)
