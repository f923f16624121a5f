import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.students import NO_STAGE_3, PAPERS

from ptde import build
from ptde.algos import ValueConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import Probe
from ptde.info import InfoSizes
from ptde.mixers import MixerSizes
from ptde.ops.local import information, local_information
from ptde.ops.masks import without_last
from ptde.rollout.base import initial
from ptde.rollout.collect import collect, rollout_shapes, start
from ptde.rollout.schedule import Schedule
from ptde.types import Info

ENV = Probe("personal")
SCHEDULE = Schedule(envs=4, segment=8, steps=10, test_every=10)
RUN = Run(
    world="probe",
    map="personal",
    info="none",
    hidden=8,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4),
    value=ValueConfig(buffer=8, batch=4, updates=1, lr=1e-2),
    student=DistillConfig(**PAPERS),
    finetune=NO_STAGE_3,
)
CTDS = dataclasses.replace(RUN, teacher_sight="all", online_distillation=True)
ONLINE = dataclasses.replace(RUN, info="gip", online_distillation=True)


def played(learner, state, env, copies, key):
    key_start, key_collect = jax.random.split(key)
    policy = learner.behave(state)
    begun = start(policy, env, copies, key=key_start)
    return collect(policy, env, begun, SCHEDULE.segment, key=key_collect)[1]


def learn(run, times):
    learner, env = build.learner(run, ENV.spec), Probe(run.map)

    @jax.jit
    def all_of_it(key):
        state = initial(learner, env, SCHEDULE, key=key).learner

        def once(state, key):
            key_play, key_update = jax.random.split(key)
            rollout = played(learner, state, env, SCHEDULE.envs, key_play)
            return learner.update(state, rollout, key=key_update)

        return jax.lax.scan(once, state, jax.random.split(key, times))

    return learner, *all_of_it(jax.random.key(0))


@pytest.mark.parametrize(
    "run",
    [
        pytest.param(CTDS, marks=pytest.mark.slow, id="ctds"),
        pytest.param(ONLINE, id="online"),
    ],
)
def test_the_student_learns_and_the_teacher_does_not_notice(run):
    # here the observation shows what the teacher reads of the state to play right
    run = dataclasses.replace(run, map="recoverable")
    learner, state, metrics = learn(run, 60)
    assert np.isfinite(metrics["student_loss"]).all()
    batch = played(learner, state, Probe(run.map), 64, jax.random.key(5))
    teacher = state.learnt.online.model.teacher
    q, info = without_last(teacher.unroll(batch.steps))

    def loss(student):
        network = teacher.network
        return float(learner.online_student.loss(student, batch, network, q, info))

    goal = info.mean if run.info == "gip" else q
    goal = goal[~batch.steps.first[:, 1:]]  # [steps, agents, z or actions]
    spread = jnp.square(goal - goal.mean(0)).sum(-1)  # what the best constant leaves
    spread = spread.mean() if run.info == "gip" else spread.sum(-1).mean()
    assert loss(state.learnt.student.model) < 0.25 * spread
    assert loss(learner.online_student.init(key=jax.random.key(9))) > 0.5 * spread
    assert learner.team(state).student is state.average_student or run.info == "none"
    # the same teacher without a student: not a bit of difference
    _, alone, _ = learn(dataclasses.replace(run, online_distillation=False), 60)
    for a, b in zip(
        jax.tree.leaves(state.learnt.online),
        jax.tree.leaves(alone.learnt.online),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert alone.learnt.student is None


@pytest.mark.parametrize("run", [CTDS, ONLINE], ids=["ctds", "online"])
def test_no_weight_of_the_student_is_drawn_by_a_key_of_the_teachers(run):
    learner, key = build.learner(run, ENV.spec), jax.random.key(3)
    student = learner.init(rollout_shapes(ENV, 4, 8), key=key).learnt.student.model
    first = lambda student: np.asarray(jax.tree.leaves(student)[0])
    # A model splits its key for its parts, and they for theirs.
    parts = jax.random.split(key, 3)
    keys = [key, *parts, *(k for part in parts for k in jax.random.split(part, 9))]
    for other in keys:
        assert not np.array_equal(
            first(student), first(learner.online_student.init(key=other))
        )


def test_ctds_regresses_all_action_values():
    learner = build.learner(CTDS, ENV.spec)
    student = learner.online_student.init(key=jax.random.key(0))
    policy = build.learner(ONLINE, ENV.spec)
    state = initial(policy, ENV, SCHEDULE, key=jax.random.key(1)).learner
    acts = policy.behave(state)
    begun = start(acts, ENV, 4, key=jax.random.key(2))
    batch = collect(acts, ENV, begun, 8, key=jax.random.key(3))[1]
    local = local_information(batch.steps.local)
    h = student.unroll(local, batch.steps.first)
    q = student.values(h, jnp.zeros((*h.shape[:-1], 0)))[:, :-1]
    nothing = Info(jnp.zeros((4, 8, 2, 0)), jnp.zeros((4, 8, 2, 0)))
    loss = lambda q: learner.online_student.loss(student, batch, student, q, nothing)
    assert loss(q) == 0
    # one wrong by 2 for each of 2 agents and 2 actions: 2 * 2 * 4
    np.testing.assert_allclose(loss(q + 2.0), 16.0, rtol=1e-5)
    learnt = learner.init(rollout_shapes(ENV, 4, 8), key=jax.random.key(4)).learnt
    beside = dataclasses.replace(learnt.student, model=student)
    learnt = dataclasses.replace(learnt, student=beside)
    state = dataclasses.replace(state, learnt=learnt, average_student=None)
    assert learner.team(state).network is student


@pytest.mark.parametrize("run", [CTDS, ONLINE], ids=["ctds", "online"])
def test_a_team_beside_its_teacher_is_averaged_as_its_teacher_is(run):
    keeps = dataclasses.replace(run, value=dataclasses.replace(run.value, average=0.9))
    learner, state, _ = learn(keeps, 3)
    plain = dataclasses.replace(run, value=dataclasses.replace(run.value, average=0.0))
    newest, last, _ = learn(plain, 3)

    def leaves(learner, state):
        return jax.tree.leaves(learner.team(state))

    expected = learner.online_student.team(
        state.average_student, learner.teacher(state).network
    )
    for a, b in zip(leaves(learner, state), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    student = last.learnt.student.model
    network = last.learnt.online.model.teacher.network
    expected = newest.online_student.team(student, network)
    for a, b in zip(leaves(newest, last), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(a, b)
    pairs = zip(leaves(learner, state), leaves(newest, last), strict=True)
    assert any(not np.array_equal(a, b) for a, b in pairs)


def test_a_teacher_without_unlimited_sight_gets_the_state_appended():
    _, step = ENV.reset(key=jax.random.key(0))
    seen = information(step, "all")
    assert seen.shape[-1] == ENV.spec.with_full_sight().local_dim
    obs, state = ENV.spec.obs_dim, ENV.spec.state_dim
    np.testing.assert_array_equal(seen[:, obs : obs + state], jnp.stack([step.state] * 2))
    np.testing.assert_array_equal(information(step, "own"), local_information(step.local))


def test_a_teacher_that_knows_no_more_is_refused():
    with pytest.raises(ValueError, match="--teacher-sight all"):
        dataclasses.replace(RUN, online_distillation=True)


def test_unlimited_sight_and_an_information_module_exclude_each_other():
    with pytest.raises(ValueError, match="goes with --info none"):
        dataclasses.replace(RUN, teacher_sight="all", info="gip")
