import dataclasses

import jax
import jax.numpy as jnp
import pytest
from tests.students import NO_STAGE_3

from ptde import build
from ptde.algos.registry import value_model
from ptde.config import Run
from ptde.jobs.checkpoint import size_of
from ptde.rollout.collect import rollout_shapes

PROBE = Run(world="probe", map="personal", finetune=NO_STAGE_3)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"envs": 100_000_000}, r"--envs 100000000 needs .* type --envs \d+ or less"),
        ({"seeds": 1_000_000_000}, r"--seeds 1000000000 needs .* type --seeds \d+ or less"),
        ({"hidden": 10_000_000}, r"networks of --hidden 10000000 .* smaller --hidden$"),
        ({"hidden": 2**31 - 1}, r"type a smaller --hidden"),
        ({"hidden": 10_000_000, "algo": "mappo"}, r"type a smaller --hidden"),
        ({"episodes": 10**9}, r"type --episodes \d+ or less"),
        ({"test_episodes": 10**9}, r"type --test-episodes \d+ or less"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_name(options, text):
    run = dataclasses.replace(PROBE, **options)
    env = build.world(run)
    with pytest.raises(ValueError, match=text):
        build.check_fits(run, env)


def test_a_replay_that_does_not_fit_says_what_would(monkeypatch):
    value = dataclasses.replace(PROBE.value, buffer=100_000_000)
    run = dataclasses.replace(PROBE, value=value)
    with pytest.raises(
        ValueError, match=r"replay of --buffer 100000000 .*Type --buffer \d+"
    ):
        build.check_fits(run, build.world(run))


def test_a_replay_fits_with_its_largest_array_twice(monkeypatch):
    run = dataclasses.replace(PROBE, value=dataclasses.replace(PROBE.value, buffer=10_000))
    env = build.world(run)
    state = build.training(run, env, "teacher").shapes()
    need, largest = size_of(state), max(size_of(x) for x in jax.tree.leaves(state))
    student = lambda *_: None
    monkeypatch.setattr(build, "_check_student_data", student)
    monkeypatch.setattr(build, "_free_memory", lambda: need + largest)
    build.check_fits(run, env)
    monkeypatch.setattr(build, "_free_memory", lambda: need + largest - 1)
    with pytest.raises(ValueError, match=r"GB more to resume.* Type --buffer \d+ or less"):
        build.check_fits(run, env)


def test_what_is_said_to_fit_fits(monkeypatch):
    monkeypatch.setattr(build, "_free_memory", lambda: 500_000_000)
    run = dataclasses.replace(PROBE, envs=1_000_000)
    with pytest.raises(ValueError, match="--envs 1000000 needs") as said:
        build.check_fits(run, build.world(run))
    fitting = int(str(said.value).split("type --envs ")[1].split()[0])
    smaller = dataclasses.replace(PROBE, envs=fitting // 50)
    build.check_fits(smaller, build.world(smaller))


def test_the_students_data_fit_beside_the_replay_they_are_made_from():
    run = dataclasses.replace(PROBE, value=dataclasses.replace(PROBE.value, buffer=100))
    env = build.world(run)
    task = build.distillation(run, env)
    played = rollout_shapes(env, 104, task.segment)

    def data(key):
        teacher = value_model(run, env.spec, key=key).teacher
        seeds = lambda tree: jax.tree.map(lambda x: jnp.zeros((1, *x.shape), x.dtype), tree)
        return task.tell(seeds(teacher), seeds(played))

    shapes = jax.eval_shape(data, jax.random.key(0))
    need = size_of(shapes)
    build._check_student_data(run, env, replay=1_000, free=int(1.1 * need) + 1_000)
    with pytest.raises(
        ValueError, match=r"104 segments, need .* type --buffer \d+ or less"
    ):
        build._check_student_data(run, env, replay=1_000, free=int(0.9 * need))


def test_the_students_own_data_fit_twice_as_checkpoints_hold_them():
    student = dataclasses.replace(PROBE.student, data="own", share=0.0, data_steps=10_000)
    run = dataclasses.replace(PROBE, student=student)
    env = build.world(run)
    task = build.distillation(run, env)
    taught = build.training(run, env, "teacher").taught_shapes().teacher
    store = jax.eval_shape(task.own(taught, 1_000).start).learner.store.segments
    need = size_of(store)
    build._check_student_data(run, env, replay=0, free=int(2.2 * need))
    with pytest.raises(ValueError, match=r"and resuming .* --student.data-steps \d+ or"):
        build._check_student_data(run, env, replay=0, free=int(1.8 * need))
