"""Students on their own battles, against a world whose answer is known."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.students import NO_STAGE_3

from ptde.algos import ValueConfig
from ptde.algos.registry import value_model
from ptde.algos.student import SharedPolicy, label
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import Probe
from ptde.folder import RunFolder
from ptde.info import InfoSizes
from ptde.jobs.distillation import Distillation
from ptde.jobs.record import Record
from ptde.mixers import MixerSizes
from ptde.pipeline import resume, run
from ptde.rollout.collect import collect, start

TINY = Run(
    world="probe",
    map="recoverable",
    steps=2_000,
    envs=4,
    segment=8,
    hidden=8,
    test_every=1_000,
    test_episodes=16,
    episodes=64,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=64, batch=16, lr=1e-2, epsilon_steps=1_000, updates=4),
    finetune=NO_STAGE_3,
    student=DistillConfig(
        network="gru",
        objective="q",
        data="own",
        share=0.0,
        data_steps=640,
        batch=8,
        updates=10,
        hidden=8,
        lr=5e-3,
        tests=4,
        test_episodes=16,
    ),
)
ENV = Probe("recoverable")


def task(**changes):
    config = dataclasses.replace(TINY.student, **changes)
    return Distillation(
        ENV, config, envs=4, segment=8, seed=0, seeds=1, steps=config.data_steps
    )


@pytest.fixture(scope="module")
def teacher():
    made = value_model(TINY, ENV.spec, key=jax.random.key(0)).teacher
    return jax.tree.map(lambda x: x[None], made)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(TINY, tmp_path_factory.mktemp("runs") / "own")


def test_a_student_learns_what_can_be_recovered_on_its_own_battles(finished):
    scores = finished.result.scores
    assert scores["teacher"].mean_return > 0.95
    assert scores["student"].mean_return > 0.95
    rows = Record(finished.folder / "student" / "record.jsonl").rows()
    assert [row["steps"] for row in rows] == [160, 320, 480, 640]  # joint steps
    assert rows[-1]["held_out_loss"][0] < rows[0]["held_out_loss"][0]


def test_it_ends_in_the_same_bits_after_it_was_stopped(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "run")
    kept = tmp_path / "run" / "student" / "checkpoints"
    shutil.rmtree(tmp_path / "run" / "student" / "model")
    last = max(kept.iterdir(), key=lambda path: int(path.name))
    shutil.rmtree(last)
    resume(tmp_path / "run")
    a, b = (
        jax.tree.leaves(folder.model("student", ENV))
        for folder in (RunFolder(finished.folder), RunFolder(tmp_path / "run"))
    )
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_first_the_teacher_plays_alone_then_both(teacher):
    training = task(warm_up=0.5, teacher_share=0.5).own(teacher, 1_000)
    learner = training.algo
    state = jax.tree.map(lambda x: x[0], training.start().learner)
    counts = []
    for collections in (0, learner.warm_up - 1, learner.warm_up, learner.collections):
        then = dataclasses.replace(state, collections=jnp.asarray(collections))
        counts.append(int(learner.behave(then).teachers))
    assert counts == [4, 4, 2, 2]


def test_each_copy_is_played_by_its_own_player(teacher):
    """And all of them remember the same: what the agents saw and did."""
    one = jax.tree.map(lambda x: x[0], teacher)
    student = TINY.student.make(ENV.spec, 4, key=jax.random.key(3))
    _, step = ENV.resets(4, key=jax.random.key(1))
    shown = {}
    for teachers in (0, 2, 4):
        policy = SharedPolicy(one, student, jnp.asarray(teachers), 0.0)
        memory = policy.start(4, 2)
        after, output = policy(memory, step, key=jax.random.key(2))
        shown[teachers] = np.asarray(output.action)
        h = np.asarray(after[0].h)
        np.testing.assert_array_equal(h, shown.setdefault("h", h))
    np.testing.assert_array_equal(shown[2][:2], shown[4][:2])
    np.testing.assert_array_equal(shown[2][2:], shown[0][2:])


def test_the_teacher_answers_with_the_mean_of_its_z_at_every_step(teacher):
    one = jax.tree.map(lambda x: x[0], teacher)
    policy = one.policy(0.5, sample_z=True)
    begun = start(policy, ENV, 3, key=jax.random.key(0))
    rollout = collect(policy, ENV, begun, 7, key=jax.random.key(1))[1]
    seen = label(one, rollout)
    assert seen.z.shape == (3, 8, 2, 4)
    expected = one.info(seen.local, rollout.steps.state, noise=None).mean
    np.testing.assert_allclose(seen.z, expected, atol=1e-6)
    acts = np.zeros((3, 8), bool)
    acts[:, :-1] = ~np.asarray(rollout.steps.first)[:, 1:]
    assert acts[:, :-1].any() and not acts[:, :-1].all()
    np.testing.assert_array_equal(seen.counts, rollout.steps.local.alive & acts[..., None])


@pytest.mark.parametrize(
    "options",
    [
        {"network": "gru"},
        pytest.param({"objective": "q"}, marks=pytest.mark.slow),
        pytest.param({"network": "gru", "data": "replay"}, marks=pytest.mark.slow),
    ],
)
def test_every_network_objective_and_data_go_together(options, tmp_path):
    fixed = {"network": "mlp", "objective": "z", "data": "teacher", **options}
    sizes = {"hidden": 8, "tests": 1, "test_episodes": 16}
    if fixed["data"] == "teacher":
        sizes |= {"share": 0.0, "data_steps": 64}
    config = DistillConfig(**fixed, **sizes, steps=20, batch=4)
    small = dataclasses.replace(TINY, student=config, steps=320, test_every=320)
    result = run(small, tmp_path / "run").result
    assert set(result.scores) == {"teacher", "student"}


def test_a_batch_larger_than_the_store_is_refused():
    with pytest.raises(ValueError, match=r"--student\.batch 99 is more than the 80"):
        task(batch=99).check_batch()
