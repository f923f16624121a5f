import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tests.students import PAPERS

from ptde.algos.registry import value_model
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.distill.students import MlpStudent
from ptde.envs import Probe
from ptde.info import InfoSizes
from ptde.jobs.distill import distill
from ptde.jobs.distillation import Distillation
from ptde.jobs.record import Record
from ptde.jobs.student_data import rows_of
from ptde.ops.losses import distillation_loss
from ptde.rollout import devices

ENV = Probe("personal")
CONFIG = DistillConfig(
    **PAPERS,
    steps=200,
    batch=64,
    lr=3e-3,
    hidden=16,
    data_steps=300,
    tests=4,
    test_episodes=8,
)
TASK = Distillation(ENV, CONFIG, envs=5, segment=8, seed=0, seeds=1, steps=300)


@pytest.fixture(scope="module")
def teacher():
    run = Run(
        world="probe", map="personal", hidden=8, info_config=InfoSizes(z=3, hyper_hidden=8)
    )
    made = value_model(run, ENV.spec, key=jax.random.key(0)).teacher
    return jax.tree.map(lambda x: x[None], made)


@pytest.fixture(scope="module")
def data(teacher):
    return jax.tree.map(lambda x: x[0], TASK.roll(teacher))


def test_targets_are_the_means_of_the_teachers_z(data, teacher):
    # the key's one-hot and the state's bits are all that the mean depends on
    info = jax.tree.map(lambda x: x[0], teacher.info)
    rows = data.held_out
    local = rows.local.reshape(-1, 2, ENV.spec.local_dim)
    bits = jnp.array(np.stack(np.meshgrid(*[[-1.0, 1.0]] * 4), -1).reshape(16, 4))
    every = jax.vmap(
        lambda s: info(local, jnp.broadcast_to(s, (len(local), 4)), noise=None).mean
    )
    distance = jnp.abs(every(bits) - rows.z.reshape(1, -1, 2, 3)).max((2, 3)).min(0)
    assert distance.max() < 1e-5


def test_rows_are_split_by_segment_and_all_are_used(data):
    (lanes, fit), held_out = data.learnt.shape, len(data.held_out.first)
    per_segment, rows = 9 * 2, fit + held_out
    assert lanes == 1 and rows == TASK.rolls * TASK.envs * per_segment
    assert data.learnt.segments.local.shape[1:4] == (fit, 1, 1)
    assert held_out % per_segment == 0
    assert held_out / rows == pytest.approx(0.2, abs=0.05)
    # Nobody dies in a probe; of a segment's 9 steps, 4 are no episode's last nor its own.
    assert int(data.learnt.filled) == fit * 4 // 9


def test_segments_stay_whole_for_students_that_remember(teacher):
    config = dataclasses.replace(CONFIG, network="gru", batch=4)
    task = dataclasses.replace(TASK, config=config)
    data = jax.tree.map(lambda x: x[0], task.roll(teacher))
    held_out, (lanes, slots) = data.held_out, data.learnt.shape
    assert held_out.local.shape[1:3] == (9, 2)
    assert lanes == 1  # 5 copies, 4 segments in a batch
    assert lanes * slots + len(held_out.first) == TASK.rolls * TASK.envs
    np.testing.assert_array_equal(rows_of(held_out).z[:, 0, 0], held_out.z.reshape(-1, 3))


def test_the_dead_are_not_learnt_from(teacher):
    class Mortal(Probe):
        def _show(self, *args):
            step = super()._show(*args)
            dead = jnp.array([True, False])
            local = dataclasses.replace(step.local, alive=dead)
            return dataclasses.replace(step, local=local)

    task = dataclasses.replace(TASK, env=Mortal("personal"))
    data = jax.tree.map(lambda x: x[0], task.roll(teacher))
    agent_of = lambda seen: np.asarray(seen.local)[..., 0, 0, -2:].argmax(-1)
    fit = int(data.learnt.filled)
    assert data.learnt.shape == (1, 2 * fit * 9 // 4)
    assert (agent_of(data.learnt.segments)[0, :fit] == 0).all()
    held = np.asarray(data.held_out.counts)[:, 0, 0]
    step = np.arange(len(held)) // 2 % 9
    acts = (step % 2 == 0) & (step < 8)
    np.testing.assert_array_equal(held, (agent_of(data.held_out) == 0) & acts)


def test_the_teacher_stays_as_it_was_and_the_loss_falls(teacher, tmp_path):
    before = jax.tree.map(np.array, teacher)
    distill(TASK, teacher, tmp_path)
    for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(teacher), strict=True):
        np.testing.assert_array_equal(a, b)
    logged = Record(tmp_path / "record.jsonl").rows()
    assert [row["steps"] for row in logged] == [50, 100, 150, 200]
    for value in ("held_out_loss", "loss", "win_rate", "r2"):
        assert all(len(row[value]) == 1 for row in logged)
    assert logged[-1]["held_out_loss"][0] < logged[0]["held_out_loss"][0]


def test_a_finished_student_reads_no_replay(teacher, tmp_path):
    task = dataclasses.replace(TASK, config=dataclasses.replace(CONFIG, steps=2, tests=1))
    first = distill(task, teacher, tmp_path)
    again = distill(task, teacher, tmp_path, replay=lambda: pytest.fail("it was read"))
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("envs", "batch", "segments", "split"),
    [(8, 32, 1_000, (800, 8)), (128, 32, 1_000, (800, 32)), (1, 32, 1, (1, 1))],
)
def test_most_segments_are_learnt_from_in_equal_lanes(envs, batch, segments, split):
    config = dataclasses.replace(CONFIG, network="gru", batch=batch)
    task = dataclasses.replace(TASK, config=config, envs=envs)
    assert task.split(segments) == split


def test_two_devices_distil_what_one_does_up_to_the_order_of_sums(
    teacher, tmp_path, monkeypatch
):
    config = dataclasses.replace(CONFIG, network="gru", batch=4, steps=20, tests=1)
    task = dataclasses.replace(TASK, config=config, envs=4)
    fit, lanes = task.split(task.rolls * task.envs)
    assert (fit % 4, lanes) == (0, 4)
    students = []
    for number in (1, 2):
        monkeypatch.setattr(devices, "_usable", number)
        students.append(distill(task, teacher, tmp_path / str(number)).student)
    one, two = map(jax.tree.leaves, students)
    assert len(two[0].sharding.device_set) == 2
    for x, y in zip(one, two, strict=True):
        np.testing.assert_allclose(x, y, atol=1e-5)


def test_the_steps_are_exactly_as_many_as_asked_and_so_are_the_tests(teacher, tmp_path):
    short = dataclasses.replace(CONFIG, steps=11, tests=3, data_steps=40)
    assert dataclasses.replace(TASK, config=short).ends == [3, 7, 11]
    distill(dataclasses.replace(TASK, config=short), teacher, tmp_path)
    assert [row["steps"] for row in Record(tmp_path / "record.jsonl").rows()] == [3, 7, 11]
    long = dataclasses.replace(CONFIG, steps=500_001, tests=50)
    ends = dataclasses.replace(TASK, config=long).ends
    assert (ends[0], ends[-2:], len(ends)) == (10_000, [490_000, 500_001], 50)
    few = dataclasses.replace(CONFIG, steps=2, tests=20)
    assert dataclasses.replace(TASK, config=few).ends == [1, 2]


def test_data_can_be_asked_for_in_segments(teacher):
    config = dataclasses.replace(CONFIG, data_segments=20, data_steps=1_000_000)
    rows = dataclasses.replace(TASK, config=config).roll(teacher)
    fit, held_out = rows.learnt.segments.local.shape[2], rows.held_out.local.shape[1]
    assert fit + held_out == 20 * 9 * 2  # segments, steps with the last, agents


def fit_mean(x, targets, steps=1500):
    student = MlpStudent(x.shape[-1], targets.shape[-1], 32, key=jax.random.key(1))
    adam = optax.adam(3e-3)
    every = jnp.ones(len(x), bool)
    loss = lambda s: distillation_loss(s.mlp(x), targets, every)

    def one(carry, _):
        student, state = carry
        value, gradient = jax.value_and_grad(loss)(student)
        change, state = adam.update(gradient, state)
        return (optax.apply_updates(student, change), state), value

    run = jax.jit(lambda s: jax.lax.scan(one, (s, adam.init(s)), None, steps)[1][-1])
    return float(run(student))


def test_a_student_that_can_see_it_all_fits_and_one_that_cannot_keeps_the_variance():
    bit = jnp.array([[-1.0], [1.0]] * 32)
    shown = jnp.tile(jnp.array([[0.0], [0.0], [1.0], [1.0]]), (16, 1))
    z = 2.0 * bit
    assert fit_mean(jnp.concatenate([bit, shown], 1), z) < 1e-3
    assert fit_mean(shown, jnp.ones_like(z)) < 1e-3
    assert fit_mean(shown, z) == pytest.approx(4.0, rel=0.01)  # Var(z | what is shown)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("steps", -1),
        ("lr", -1e-3),
        ("held_out", 1.0),
        ("data_epsilon", 2.0),
        ("updates", -1),
        ("warm_up", 1.5),
        ("teacher_share", -0.1),
    ],
)
def test_values_out_of_range_say_what_to_type(field, value):
    with pytest.raises(ValueError, match="--student." + field.replace("_", "-")):
        DistillConfig(**{field: value})


def test_what_cannot_be_learnt_is_the_variance_of_z_given_local_information(teacher):
    config = dataclasses.replace(CONFIG, steps=3000, data_steps=8000, tests=1, hidden=32)
    task = dataclasses.replace(TASK, config=config, envs=50)
    one = jax.tree.map(lambda x: x[0], (task.start(teacher), task.roll(teacher), teacher))
    fit, data, frozen = one
    student = jax.jit(task.learn)(fit, data, frozen.network, 3000)[0].student
    rows = jax.tree.map(lambda x: x[:, 0, ...], data.held_out)
    rows_local, rows_z = rows.local[:, 0], rows.z[:, 0]
    # At an episode's first step nothing local tells of the bits, which are uniform; later
    # the last action does.
    actions = rows_local[:, ENV.spec.obs_dim : ENV.spec.obs_dim + ENV.spec.n_actions]
    begins = (actions == 0).all(1)
    local, z = rows_local[begins], rows_z[begins]
    bits = jnp.array(np.stack(np.meshgrid(*[[-1.0, 1.0]] * 4), -1).reshape(16, 4))
    info = jax.tree.map(lambda x: x[0], teacher.info)
    tell = lambda s: info(
        local[:, None], jnp.broadcast_to(s, (len(local), 4)), noise=None
    ).mean[:, 0]
    best = jax.vmap(tell)(bits).mean(0)
    every = jnp.ones(len(local), bool)
    irreducible = float(distillation_loss(best, z, every))
    reached = float(distillation_loss(student.mlp(local), z, every))
    assert irreducible > 0
    assert reached == pytest.approx(irreducible, rel=0.05)
