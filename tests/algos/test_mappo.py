import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde import build
from ptde.algos.mappo import MappoConfig, ValueNorm, logits
from ptde.config import Run
from ptde.envs import Probe
from ptde.info import InfoSizes
from ptde.ops.local import local_information
from ptde.ops.losses import clipped_surrogate, clipped_value_loss
from ptde.ops.select import log_probability, masked
from ptde.rollout.base import initial
from ptde.rollout.collect import collect, start
from ptde.rollout.schedule import Schedule
from ptde.unread import check_read

RUN = Run(
    world="probe",
    map="memory",
    algo="mappo",
    hidden=8,
    info_config=InfoSizes(z=4, hyper_hidden=4),
    mappo=MappoConfig(epochs=2),
)
ENV = Probe("memory")
SCHEDULE = Schedule(envs=4, segment=9, steps=10, test_every=10)


@functools.cache
def played(info):
    learner = build.learner(dataclasses.replace(RUN, info=info), ENV.spec)
    begin = jax.jit(lambda key: initial(learner, ENV, SCHEDULE, key=key))
    state = begin(jax.random.key(0)).learner

    @jax.jit
    def roll(state):
        policy, key = learner.behave(state), jax.random.key(1)
        begun = start(policy, ENV, 4, key=key)
        return collect(policy, ENV, begun, 9, key=key)[1]

    return learner, state, roll(state)


@pytest.mark.parametrize("info", ["gip", "csrl"])
def test_the_ratio_is_1_before_the_first_update(info):
    learner, state, batch = played(info)
    assert (batch.noise is None) == (info == "csrl")
    _, advantages = jax.jit(learner.advantages)(state, batch)
    _, metrics = jax.jit(learner.actor_loss)(state.actor.model, advantages)
    np.testing.assert_allclose(metrics["ratio"], 1.0, atol=1e-6)
    assert metrics["clipped"] == 0


def test_the_information_modules_own_loss_is_learnt():
    learner, state, batch = played("copa")
    _, advantages = jax.jit(learner.advantages)(state, batch)
    grad = jax.jit(jax.grad(lambda actor: learner.actor_loss(actor, advantages)[0]))
    guess = grad(state.actor.model).info.guess
    assert max(jnp.abs(x).max() for x in jax.tree.leaves(guess)) > 0


def test_replayed_noise_gives_the_probabilities_of_the_collection():
    _, state, batch = played("gip")
    actor = state.actor.model
    logits_of = jax.jit(lambda batch: logits(actor, batch)[0])
    replayed = logits_of(batch)

    @jax.jit
    def alone(h, t):
        step = jax.tree.map(lambda x: x[:, t], batch.steps)
        local = local_information(step.local)
        h = actor.network.step(jnp.where(step.first[:, None, None], 0.0, h), local)
        info = actor.info(local, step.state, noise=batch.noise[:, t])
        return h, masked(actor.network.values(h, info.z), step.local.legal)

    h = jnp.zeros((4, 2, 8))
    for t in range(9):
        h, one_by_one = alone(h, t)
        np.testing.assert_allclose(one_by_one, replayed[:, t], atol=1e-5)
    fresh = dataclasses.replace(batch, noise=batch.noise + 1.0)
    assert jnp.abs(logits_of(fresh) - replayed).max() > 1e-6


@pytest.mark.parametrize("info", ["none", "gip"])
def test_an_update_moves_every_part(info):
    learner, state, batch = played(info)
    after, metrics = jax.jit(lambda s, b: learner.update(s, b, key=jax.random.key(2)))(
        state, batch
    )
    assert all(jnp.isfinite(v) for v in metrics.values())
    for part in ("actor", "critic"):
        pairs = zip(
            jax.tree.leaves(getattr(after, part)),
            jax.tree.leaves(getattr(state, part)),
            strict=True,
        )
        assert any(bool((a != b).any()) for a, b in pairs)
    assert after.collections == 1


def test_the_dead_and_the_restarts_teach_nothing():
    learner, state, batch = played("gip")
    alive = batch.steps.local.alive.at[:, :, 1].set(False)
    local = dataclasses.replace(batch.steps.local, alive=alive)
    dead = dataclasses.replace(batch, steps=dataclasses.replace(batch.steps, local=local))
    _, advantages = jax.jit(learner.advantages)(state, dead)
    assert not advantages.counts[..., 1].any()
    restarts = np.asarray(batch.steps.first)[:, 1:]
    assert not np.asarray(advantages.counts)[restarts].any()
    assert advantages.counts[..., 0].any()
    odd = dataclasses.replace(
        advantages, advantage=advantages.advantage.at[..., 1].add(7.0)
    )
    loss = jax.jit(lambda x: learner.actor_loss(state.actor.model, x)[0])
    np.testing.assert_allclose(loss(advantages), loss(odd), rtol=1e-6)


def test_the_critic_and_the_scale_learn_from_the_dead():
    learner, state, batch = played("gip")
    alive = batch.steps.local.alive.at[:, :, 1].set(False)
    local = dataclasses.replace(batch.steps.local, alive=alive)
    dead = dataclasses.replace(batch, steps=dataclasses.replace(batch.steps, local=local))
    scale, advantages = jax.jit(learner.advantages)(state, dead)
    np.testing.assert_array_equal(advantages.valid[..., 1], advantages.valid[..., 0])
    values = state.critic.model(dead.steps)[:, :-1]
    returns = advantages.target * scale.std + scale.mean
    np.testing.assert_allclose(returns[advantages.valid].mean(), scale.mean, rtol=1e-4)
    np.testing.assert_allclose(values, advantages.value, atol=1e-6)
    loss = jax.jit(lambda x: learner.critic_loss(state.critic.model, x))
    odd = dataclasses.replace(advantages, target=advantages.target.at[..., 1].add(1.0))
    assert abs(loss(advantages) - loss(odd)) > 1e-3


def test_every_sample_of_the_first_rollout_teaches_the_critic():
    """However far the scale moves with it."""
    learner, state, batch = played("none")
    reward = 50.0 + batch.steps.reward
    rich = dataclasses.replace(batch, steps=dataclasses.replace(batch.steps, reward=reward))
    _, advantages = jax.jit(learner.advantages)(state, rich)

    def loss(value):
        c = learner.config
        each = clipped_value_loss(
            value, advantages.value, advantages.target, c.clip, c.huber
        )
        return jnp.sum(each)

    slope = np.asarray(jax.grad(loss)(advantages.value))
    off = np.abs(np.asarray(advantages.value - advantages.target)) > 1e-3
    assert off.any() and (slope[off] != 0).all()


def test_the_value_of_the_dead_becomes_the_known_one():
    """In ``fallen`` the reward, 1, comes at the end, whether one lives or not."""
    env, gamma = Probe("fallen"), 0.8
    config = MappoConfig(epochs=5, lr=5e-3, clip=0.2, gamma=gamma)
    learner = build.learner(
        dataclasses.replace(RUN, map="fallen", info="none", mappo=config), env.spec
    )
    schedule = Schedule(envs=8, segment=14, steps=10, test_every=10)

    def roll(state, key):
        policy = learner.behave(state)
        begun = start(policy, env, 8, key=key)
        return collect(policy, env, begun, 14, key=key)[1]

    def once(state, key):
        return learner.update(state, roll(state, key), key=key)[0], None

    @jax.jit
    def learn(key):
        state = initial(learner, env, schedule, key=key).learner
        state, _ = jax.lax.scan(once, state, jax.random.split(key, 120))
        steps = roll(state, key).steps
        value = state.critic.model(steps)
        return steps, value * state.value_norm.std + state.value_norm.mean

    steps, value = learn(jax.random.key(0))
    assert not steps.local.alive[:, 1:4, 1].any()
    known = np.broadcast_to(gamma ** np.array([3, 2, 1, 0.0])[:, None], (8, 4, 2))
    np.testing.assert_allclose(value[:, :4], known, atol=0.05)


@pytest.mark.parametrize(
    ("where", "recipe"),
    [("3s_vs_5z", (15, 0.05)), ("6h_vs_8z", (5, 0.2)), ("3m", (10, 0.2))],
)
def test_epochs_and_clip_are_the_maps_unless_they_are_given(where, recipe):
    config = MappoConfig().on(where)
    assert (config.epochs, config.clip) == recipe
    given = MappoConfig(epochs=3, clip=0.1)
    assert given.on(where) == given
    run = Run(map=where, algo="mappo", info="none")
    learner = build.learner(run, build.world(run).spec)
    assert (learner.config, learner.buffer) == (config, 0)  # there is no student


def test_the_gru_starts_orthogonal():
    _, state, _ = played("none")
    rnn = state.actor.model.network.torso.rnn
    for weight in (rnn.weight_h, rnn.project.weight):
        np.testing.assert_allclose(weight @ weight.T, np.eye(len(weight)), atol=1e-5)
    assert not rnn.bias_h.any() and not rnn.project.bias.any()


def test_advantages_are_generalised_advantage_estimates():
    learner, state, batch = played("none")
    _, advantages = jax.jit(learner.advantages)(state, batch)
    steps, c = batch.steps, learner.config
    values = jax.jit(lambda steps: state.critic.model(steps))
    v = np.asarray(values(steps))
    first, reward = np.asarray(steps.first), np.asarray(steps.reward)
    discount = c.gamma * np.asarray(steps.discount)
    expected = np.zeros((4, 9, 2))
    for b in range(4):
        following = np.zeros(2)
        for t in reversed(range(9)):
            delta = reward[b, t + 1] + discount[b, t + 1] * v[b, t + 1] - v[b, t]
            cut = t + 2 > 9 or first[b, t + 2]  # step t + 1 is its episode's last
            going = 0.0 if cut else discount[b, t + 1] * c.gae_lambda
            following = delta + going * following
            expected[b, t] = following
    counts = np.asarray(advantages.counts)
    kept = expected[counts]
    wanted = (expected - kept.mean()) / (kept.std() + 1e-5)
    np.testing.assert_allclose(
        np.asarray(advantages.advantage)[counts], wanted[counts], atol=1e-4
    )


def test_clipped_losses_by_hand():
    ratio = jnp.array([1.5, 1.5, 0.5, 0.5])
    advantage = jnp.array([1.0, -1.0, 1.0, -1.0])
    gain = clipped_surrogate(ratio, advantage, 0.2)
    np.testing.assert_allclose(gain, [1.2, -1.5, 0.5, -0.8], rtol=1e-6)
    one = jnp.ones(1)
    loss = clipped_value_loss(one, 0 * one, one, 0.2, 10.0)
    np.testing.assert_allclose(loss, 0.5 * 0.8**2, rtol=1e-6)
    far = clipped_value_loss(0 * one, 0 * one, 13 * one, 0.2, 10.0)
    np.testing.assert_allclose(far, 10 * (13 - 5), rtol=1e-6)


def test_the_scale_is_the_mean_and_spread_of_all_returns_so_far():
    x = jnp.array([1.0, 3.0, 99.0])
    scale = ValueNorm.new()
    assert scale.std == 1.0
    scale = scale.update(x, jnp.array([True, True, False]))
    np.testing.assert_allclose([scale.mean, scale.std], [2.0, 1.0], rtol=1e-6)
    scale = scale.update(x + 4.0, jnp.array([True, True, False]))
    np.testing.assert_allclose([scale.mean, scale.std], [4.0, 5.0**0.5], rtol=1e-6)


def test_illegal_actions_have_no_probability():
    legal = jnp.array([[True, False, True]] * 3)
    log_p = log_probability(masked(jnp.zeros((3, 3)), legal), jnp.arange(3))
    np.testing.assert_allclose(jnp.exp(log_p), [0.5, 0.0, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    ("field", "value"),
    [("gamma", 1.5), ("lr", 0.0), ("epochs", -1), ("clip", -1.0), ("entropy", -0.1)],
)
def test_values_out_of_range_say_what_to_type(field, value):
    with pytest.raises(ValueError, match=f"for example --mappo.{field}"):
        MappoConfig(**{field: value})


@pytest.mark.parametrize(
    "options",
    [
        {"teacher_sight": "all", "info": "none"},
        {"online_distillation": True, "info": "gip"},
    ],
)
def test_what_mappo_cannot_do_is_refused(options):
    with pytest.raises(ValueError, match="--algo value"):
        check_read(Run(map="3m", algo="mappo", **options))
