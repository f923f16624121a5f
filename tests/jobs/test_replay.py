"""Students that learn from the replay that stage 1 leaves behind."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest
from tests.students import NO_STAGE_3

from ptde import build
from ptde.algos import ValueConfig
from ptde.algos.finetune import FinetuneConfig
from ptde.algos.mappo import MappoConfig
from ptde.cli import main
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.folder import RunFolder
from ptde.info import InfoSizes
from ptde.jobs.record import Record
from ptde.jobs.teach import last_state, take_replay, teach
from ptde.mixers import MixerSizes
from ptde.ops.local import local_information
from ptde.pipeline import resume, run
from ptde.rollout import devices

TINY = Run(
    world="probe",
    map="personal",
    steps=320,
    envs=4,
    segment=8,
    hidden=8,
    test_every=160,
    test_episodes=4,
    episodes=16,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=32, batch=8, updates=2, epsilon_steps=100),
    finetune=NO_STAGE_3,
    student=DistillConfig(
        network="mlp",
        objective="z",
        data="replay",
        steps=60,
        batch=16,
        hidden=8,
        tests=2,
        test_episodes=4,
    ),
)
ONLINE = dataclasses.replace(TINY, online_distillation=True, finetune=FinetuneConfig())
MAPPO = dataclasses.replace(
    TINY,
    algo="mappo",
    value=ValueConfig(),
    mixer_config=MixerSizes(),
    mappo=MappoConfig(epochs=1, buffer=32),
)
MADE = 2 * (10 - 1)
"""Gradient steps of stage 1: 10 collections; the first has too few segments for a batch."""


def models(folder):
    folder = RunFolder(folder)
    env = build.world(folder.run)
    return [jax.tree.leaves(folder.model(role, env)) for role in ("teacher", "student")]


def same(a, b):
    return all(bool((x == y).all()) for x, y in zip(a, b, strict=True))


@pytest.fixture(scope="module")
def longer(tmp_path_factory):
    return run(ONLINE, tmp_path_factory.mktemp("runs") / "longer").folder


@pytest.mark.slow
def test_a_student_beside_its_teacher_learns_on_to_the_same_gradient_steps(
    longer, tmp_path
):
    rows = Record(longer / "student" / "record.jsonl").rows()
    assert rows[-1]["steps"] + MADE == ONLINE.student.steps
    usual = DistillConfig(network="mlp", objective="z", hidden=8)
    plain = run(dataclasses.replace(ONLINE, student=usual), tmp_path / "plain").folder
    (teacher, student), (teacher_too, before) = models(longer), models(plain)
    assert same(teacher, teacher_too)
    assert not same(student, before)


@pytest.mark.slow
def test_it_ends_in_the_same_bits_after_it_was_stopped(longer, tmp_path):
    shutil.copytree(longer, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "student" / "model")
    shutil.rmtree(tmp_path / "run" / "student" / "checkpoints")
    resume(tmp_path / "run")
    assert same(models(longer)[1], models(tmp_path / "run")[1])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return run(TINY, tmp_path_factory.mktemp("runs") / "value").folder


@pytest.fixture(scope="module")
def of_mappo(tmp_path_factory):
    return run(MAPPO, tmp_path_factory.mktemp("runs") / "mappo").folder


@pytest.mark.parametrize(
    "which", ["finished", pytest.param("of_mappo", marks=pytest.mark.slow)]
)
def test_a_stage_2_on_the_replay_takes_every_segment_with_the_teachers_z_of_now(
    which, request
):
    folder = RunFolder(request.getfixturevalue(which))
    env, config = build.world(folder.run), folder.run
    state = last_state(build.training(config, env, "teacher"), folder.path / "teacher")
    rows = Record(folder.path / "student" / "record.jsonl").rows()
    assert rows[-1]["joint_steps"] == 320  # all of them the teacher's
    segments = take_replay(state)
    assert segments.action.shape[:2] == (1, 32)  # 40 were collected: the buffer is full
    teacher = folder.teacher("teacher", config, env)
    data = build.distillation(config, env).data(teacher, segments)
    learnt = data.learnt.segments.z[0, 0, : int(data.learnt.filled[0])]
    held_out = data.held_out.z[0, data.held_out.counts[0, :, 0, 0]]
    one = jax.tree.map(lambda x: x[0], (teacher, segments))
    local = local_information(one[1].steps.local)
    z = one[0].info(local, one[1].steps.state, noise=None).mean
    given = np.concatenate([learnt, held_out])[:, 0, 0]
    acted = ~np.asarray(one[1].steps.first)[:, 1:]  # else it is an episode's last step
    assert 0 < acted.sum() < 32 * 8
    np.testing.assert_allclose(given, z[:, :-1][acted].reshape(-1, 4), atol=1e-6)


def test_stage_2_is_run_again_with_what_is_typed(finished, tmp_path):
    path = shutil.copytree(finished, tmp_path / "run")
    auto = dataclasses.replace(TINY.student, data="auto", test_episodes=0)
    RunFolder(path).rewrite(dataclasses.replace(TINY, student=auto))
    rows = lambda: Record(path / "student" / "record.jsonl").rows()
    assert main(["distill", str(path), "--student.steps", "30"]) == 0
    assert (rows()[-1]["steps"], rows()[-1]["joint_steps"]) == (30, 320)
    words = "--student.data own --student.data-steps 64 --student.batch 8"
    assert main(["distill", str(path), *words.split()]) == 0
    assert rows()[-1]["joint_steps"] == 320 + 64


def test_a_replay_that_is_gone_is_named(tmp_path):
    training = build.training(TINY, build.world(TINY), "teacher")
    with pytest.raises(ValueError, match=r"--student\.data own` lets the student play"):
        last_state(training, tmp_path / "teacher")


@pytest.fixture
def two_devices(monkeypatch):
    monkeypatch.setattr(devices, "_usable", 2)


def test_each_seeds_replay_is_read_to_its_device_and_labelled_there(two_devices, tmp_path):
    config = dataclasses.replace(TINY, seeds=2)
    env = build.world(config)
    training, task = build.training(config, env, "teacher"), build.distillation(config, env)
    teacher = teach(training, tmp_path).teacher
    state = last_state(training, tmp_path)
    arrays = jax.tree.leaves(state.learner.replay.segments)
    told = task.tell(teacher, take_replay(state)).learnt.segments
    assert all(x.is_deleted() for x in arrays)  # no two replays are in memory
    halves = [slice(0, 1), slice(1, 2)]
    for x in (x for x in jax.tree.leaves(told) if x.size):
        assert [shard.index[0] for shard in x.addressable_shards] == halves


def test_who_has_no_replay_or_no_z_is_refused():
    with pytest.raises(ValueError, match=r"mappo keeps none: .* with --mappo\.buffer"):
        dataclasses.replace(TINY, algo="mappo", mappo=MappoConfig(buffer=0))
    with pytest.raises(ValueError, match="CTDS's has none"):
        dataclasses.replace(
            TINY, info="none", teacher_sight="all", online_distillation=True
        )
