import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.students import NO_STAGE_3

from ptde import build
from ptde.algos import ValueConfig, ValueLearner
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import Probe
from ptde.info import InfoSizes
from ptde.mixers import MixerSizes
from ptde.ops.masks import without_last
from ptde.rollout.base import initial
from ptde.rollout.collect import collect, start
from ptde.rollout.schedule import Schedule

RUN = Run(
    world="probe",
    map="memory",
    hidden=8,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mixer_config=MixerSizes(embed=4, hypernet_hidden=4, kernels=2),
    value=ValueConfig(buffer=8, batch=4, epsilon_steps=100),
    student=DistillConfig(share=0.0),
    finetune=NO_STAGE_3,
)
ENV = Probe("memory")
SCHEDULE = Schedule(envs=4, segment=9, steps=10, test_every=10)


def learner_and_state(run=RUN, seed=0):
    learner = build.learner(run, ENV.spec)
    begin = jax.jit(lambda key: initial(learner, ENV, SCHEDULE, key=key))
    return learner, begin(jax.random.key(seed)).learner


@functools.partial(jax.jit, static_argnums=0)
def rollout(learner, state, seed=0):
    key = jax.random.key(seed)
    policy = learner.behave(state)
    begun = start(policy, ENV, SCHEDULE.envs, key=key)
    return collect(policy, ENV, begun, SCHEDULE.segment, key=key)[1]


@pytest.fixture(scope="module")
def ready():
    learner, state = learner_and_state()
    return learner, state, rollout(learner, state)


GRID = list(itertools.product(["vdn", "qmix", "qplex"], ["none", "giu", "gip", "csrl"]))
COVER = [(mixer, info) for mixer, info in GRID if mixer == "qmix" or info == "gip"]


@pytest.mark.parametrize(("mixer", "info"), GRID)
def test_every_cell_of_the_grid_can_be_built(mixer, info):
    learner, state = learner_and_state(dataclasses.replace(RUN, mixer=mixer, info=info))
    update = lambda s: learner.update(s, rollout(learner, s), key=jax.random.key(1))
    after, _ = jax.eval_shape(update, state)
    assert jax.tree.structure(after) == jax.tree.structure(state)


@pytest.mark.parametrize(("mixer", "info"), COVER)
def test_every_part_learns_from_a_rollout(mixer, info):
    learner, state = learner_and_state(dataclasses.replace(RUN, mixer=mixer, info=info))

    @jax.jit
    def once(state):
        return learner.update(state, rollout(learner, state), key=jax.random.key(1))

    after, metrics = once(state)
    assert all(jnp.isfinite(v) for v in metrics.values())
    assert metrics["grad_norm"] > 0
    parts = lambda model: (model.teacher.network, model.teacher.info, model.mixer)
    pairs = map(parts, (after.learnt.online.model, state.learnt.online.model))
    for part in zip(*pairs, strict=True):
        new, old = map(jax.tree.leaves, part)
        moved = [bool((a != b).any()) for a, b in zip(new, old, strict=True)]
        assert not moved or any(moved)  # this probe's state is 0: some weights rest
    assert after.steps == 36
    assert after.segments == 4


def loss_of(learner, state, batch):
    key = jax.random.key(2)
    return jax.jit(
        lambda b: learner.loss(state.learnt.online.model, state.target, b, key=key)[0]
    )(batch)


def test_a_restarts_transition_does_not_count(ready):
    learner, state, batch = ready
    first = np.asarray(batch.steps.first)
    assert first[:, 1:].any()
    reward = np.asarray(batch.steps.reward).copy()
    reward[first] += 100.0  # no reward arrives with a first step
    spoilt = dataclasses.replace(
        batch, steps=dataclasses.replace(batch.steps, reward=jnp.asarray(reward))
    )
    np.testing.assert_allclose(
        loss_of(learner, state, batch), loss_of(learner, state, spoilt), rtol=1e-6
    )


def test_rewards_after_an_episodes_end_do_not_reach_it(ready):
    learner, state, batch = ready
    first = np.asarray(batch.steps.first[0])
    end = int(np.flatnonzero(first[1:])[0])  # the first episode's last step
    returns = jax.jit(
        lambda b: learner._returns(state.target, b, b.action, key=jax.random.key(3))
    )
    reward = batch.steps.reward.at[:, end + 1 :].add(50.0)
    later = dataclasses.replace(
        batch, steps=dataclasses.replace(batch.steps, reward=reward)
    )
    np.testing.assert_allclose(returns(batch)[0, :end], returns(later)[0, :end], rtol=1e-6)


def test_a_time_limit_bootstraps_and_an_end_does_not(ready):
    learner, state, batch = ready
    end = int(np.flatnonzero(np.asarray(batch.steps.first[0])[1:])[0])

    @jax.jit
    def last_return(discount):
        steps = dataclasses.replace(
            batch.steps, discount=batch.steps.discount.at[0, end].set(discount)
        )
        changed = dataclasses.replace(batch, steps=steps)
        key = jax.random.key(3)
        return learner._returns(state.target, changed, batch.action, key=key)[0, end - 1]

    reward = batch.steps.reward[0, end]
    np.testing.assert_allclose(last_return(0.0), reward, atol=1e-6)
    assert abs(last_return(1.0) - reward) > 1e-4


def test_double_q_takes_the_online_networks_action_and_the_target_networks_value():
    """One-step targets of VDN by hand, where the two networks would act differently."""
    value = dataclasses.replace(RUN.value, gamma=0.9, td_lambda=0.0)
    plain = dataclasses.replace(RUN, info="none", mixer="vdn", value=value)
    learner, state = learner_and_state(plain)
    target = learner_and_state(plain, seed=1)[1].learnt.online.model
    batch = rollout(learner, state)
    # In some places an action is not legal, the online network's favourite included.
    illegal = jax.random.bernoulli(jax.random.key(7), 0.3, batch.steps.reward.shape)
    legal = batch.steps.local.legal.at[..., 0].set(~illegal[..., None])
    local = dataclasses.replace(batch.steps.local, legal=legal)
    steps = dataclasses.replace(batch.steps, local=local)
    batch = dataclasses.replace(batch, steps=steps)

    @jax.jit
    def everything(batch):
        q_online, q_target = (
            m.teacher.unroll(batch.steps)[0] for m in (state.learnt.online.model, target)
        )
        loss = learner.loss(
            state.learnt.online.model, target, batch, key=jax.random.key(2)
        )[0]
        return q_online, q_target, loss

    q_online, q_target, loss = map(np.asarray, everything(batch))
    legal, discount, first, reward = map(
        np.asarray, (legal, steps.discount, steps.first, steps.reward)
    )
    action = np.asarray(batch.action)

    def expected(chooser, judge):
        best = np.where(legal, chooser, -np.inf).argmax(-1)[:, 1:]
        future = np.take_along_axis(judge[:, 1:], best[..., None], -1)[..., 0].sum(-1)
        goal = reward[:, 1:] + 0.9 * discount[:, 1:] * future
        taken = np.take_along_axis(q_online[:, :-1], action[..., None], -1)[..., 0]
        error = taken.sum(-1) - goal
        return np.mean(0.5 * error[~first[:, 1:]] ** 2)

    np.testing.assert_allclose(loss, expected(q_online, q_target), rtol=1e-5)
    for wrong in ((q_target, q_target), (q_online, q_online), (q_target, q_online)):
        assert abs(expected(*wrong) - loss) > 1e-3 * loss


def test_the_td_error_reaches_every_weight_of_gip_through_the_state():
    env = Probe("personal")
    learner, state = learner_and_state()

    @jax.jit
    def gradient(blank):
        acts = learner.behave(state)
        begun = start(acts, env, SCHEDULE.envs, key=jax.random.key(5))
        batch = collect(acts, env, begun, SCHEDULE.segment, key=jax.random.key(6))[1]
        shown = jnp.where(blank, 0.0, batch.steps.state)
        steps = dataclasses.replace(batch.steps, state=shown)
        batch = dataclasses.replace(batch, steps=steps)
        loss = lambda m: learner.loss(m, state.target, batch, key=jax.random.key(2))[0]
        return jax.grad(loss)(state.learnt.online.model).teacher.info

    info = gradient(False)
    for path, leaf in jax.tree_util.tree_leaves_with_path(info):
        assert jnp.abs(leaf).max() > 0, jax.tree_util.keystr(path)
    made = info.personalization  # M_1 .. M_K and M_0, [state, ...]: each bit is read
    assert jnp.abs(made.weight).max((1, 2)).min() > 0
    assert jnp.abs(made.weight_0).max(1).min() > 0
    # Where the state is 0, as in this file's other probe, nothing of that can be seen.
    blank = gradient(True).personalization
    for leaf in jax.tree.leaves((blank.weight, blank.weight_0, blank.hidden)):
        np.testing.assert_array_equal(leaf, 0.0)


def test_without_a_future_the_target_is_the_reward(ready):
    _, state, batch = ready
    value = dataclasses.replace(RUN.value, gamma=0.0)
    now = build.learner(dataclasses.replace(RUN, value=value), ENV.spec)
    key = jax.random.key(2)
    _, (metrics, q, info) = jax.jit(
        lambda b: now.loss(state.learnt.online.model, state.target, b, key=key)
    )(batch)
    rewards = batch.steps.reward[:, 1:]
    valid = ~batch.steps.first[:, 1:]
    np.testing.assert_allclose(metrics["target"], rewards[valid].mean(), rtol=1e-5)
    teacher, acted = state.learnt.online.model.teacher, without_last(batch.steps)
    noise = teacher.draw(acted, key=jax.random.split(key)[0])
    expected, told = teacher.unroll(acted, noise=noise)
    np.testing.assert_allclose(q, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(info.z, told.z, rtol=1e-5, atol=1e-6)
    # Nothing of the last step, or of the target network, is looked at.
    ruined = jax.tree.map(lambda x: jnp.full_like(x, jnp.nan), state.target)
    loss, _ = now.loss(state.learnt.online.model, ruined, batch, key=key)
    assert jnp.isfinite(loss)


def test_the_learning_rate_falls_to_the_end_of_the_run():
    value = dataclasses.replace(RUN.value, lr_end=0.5)
    learner = build.learner(dataclasses.replace(RUN, value=value, steps=100), ENV.spec)
    rates = [float(learner.rate(jnp.asarray(n))) for n in (0, 50, 100, 200)]
    assert rates == [1.0, 0.75, 0.5, 0.5]
    state = learner_and_state()[1]
    grad = jax.tree.map(jnp.ones_like, state.learnt.online.model)

    def step(rate):
        return state.learnt.online.step(grad, learner.optimiser, rate).model

    moved = [
        np.abs(
            jax.tree.leaves(step(rate))[0] - jax.tree.leaves(state.learnt.online.model)[0]
        ).max()
        for rate in (1.0, 0.25)
    ]
    np.testing.assert_allclose(moved[1], 0.25 * moved[0], rtol=1e-3)


def test_targets_are_copied_when_due():
    config = ValueConfig(buffer=8, batch=4, target_period=8)
    learner, state = learner_and_state(dataclasses.replace(RUN, value=config))
    update = jax.jit(
        lambda s, r, i: learner.update(s, r, key=jax.random.fold_in(jax.random.key(0), i))
    )
    same = []
    for i in range(4):
        state, _ = update(state, rollout(learner, state, i), i)
        equal = jax.tree.map(
            lambda a, b: bool((a == b).all()), state.learnt.online.model, state.target
        )
        same.append(jax.tree.all(equal))
    assert same == [False, True, False, True]


def test_nothing_is_learnt_before_the_replay_holds_a_batch():
    config = ValueConfig(buffer=16, batch=8)
    learner, state = learner_and_state(dataclasses.replace(RUN, value=config))
    update = jax.jit(lambda s, r: learner.update(s, r, key=jax.random.key(0)))
    after, metrics = update(state, rollout(learner, state))
    assert metrics["loss"] == 0
    assert jax.tree.all(
        jax.tree.map(
            lambda a, b: bool((a == b).all()),
            after.learnt.online.model,
            state.learnt.online.model,
        )
    )


def test_epsilon_falls_linearly():
    learner = ValueLearner(lambda key: None, ValueConfig(epsilon_steps=100))
    epsilons = [float(learner.epsilon(jnp.array(s))) for s in (0, 50, 100, 10_000)]
    np.testing.assert_allclose(epsilons, [1.0, 0.525, 0.05, 0.05], rtol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gamma", 1.1),
        ("gamma", float("nan")),
        ("td_lambda", -0.1),
        ("epsilon_start", 2.0),
        ("epsilon_end", -1.0),
        ("epsilon_steps", 0),
        ("lr", 0.0),
        ("batch", 0),
        ("buffer", 0),
        ("updates", 0),
        ("target_period", 0),
        ("max_grad_norm", 0.0),
    ],
)
def test_values_out_of_range_say_what_to_type(field, value):
    with pytest.raises(ValueError, match="for example --" + field.replace("_", "-")):
        ValueConfig(**{field: value})


def test_a_batch_larger_than_the_buffer_is_refused():
    with pytest.raises(ValueError, match="--batch 64 is larger than --buffer 32"):
        ValueConfig(batch=64, buffer=32)


def test_the_average_follows_the_networks_and_is_what_is_tested():
    value = dataclasses.replace(RUN.value, average=0.75, batch=4)
    learner, state = learner_and_state(dataclasses.replace(RUN, value=value))
    update = jax.jit(lambda s, r: learner.update(s, r, key=jax.random.key(1))[0])
    after = update(state, rollout(learner, state))
    leaves = [
        jax.tree.leaves(m)[0]
        for m in (state.average, after.learnt.online.model, after.average)
    ]
    assert [float(learner.kept(jnp.asarray(n))) for n in (26, 1_000)] == [0.75, 0.75]
    kept = 2 / 11  # after the first collection
    wanted = kept * leaves[0] + (1 - kept) * leaves[1]
    np.testing.assert_allclose(leaves[2], wanted, rtol=1e-5)
    tested = jax.tree.leaves(learner.teacher(after))[0]
    np.testing.assert_array_equal(tested, leaves[2])
    acts = jax.tree.leaves(learner.behave(after).teacher.network)[0]
    np.testing.assert_array_equal(acts, leaves[1])
