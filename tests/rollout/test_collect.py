from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents import Teacher, TeacherPolicy, UtilityNetwork
from ptde.agents.policy import Localised, LocalPolicy
from ptde.envs import Probe
from ptde.info import INFOS, InfoSizes
from ptde.rollout.collect import collect, ended, rollout_shapes, start, train_performance
from ptde.rollout.evaluate import evaluate
from ptde.types import LocalView, Rollout, TimeStep


def policy(getkey, spec, epsilon=0.5):
    network = UtilityNetwork(spec.local_dim, 0, spec.n_actions, hidden=4, key=getkey())
    none = INFOS["none"](spec, InfoSizes(), key=getkey())
    return TeacherPolicy(Teacher(network, none), epsilon, False)


def test_a_rollout_is_what_its_shapes_say(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec)
    begun = start(acts, env, 3, key=getkey())
    _, rollout = collect(acts, env, begun, 7, key=getkey())
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), rollout)
    expected = rollout_shapes(env, 3, 7)
    assert jax.tree.leaves(shapes) == jax.tree.leaves(expected)
    assert jax.tree.structure(shapes) == jax.tree.structure(expected)


def test_actions_stand_beside_the_steps_they_answer(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec, epsilon=1.0)
    begun = start(acts, env, 3, key=getkey())
    _, rollout = collect(acts, env, begun, 9, key=getkey())
    after = np.asarray(rollout.steps.local.last_action)[:, 1:]
    going = ~np.asarray(rollout.steps.first)[:, 1:]
    np.testing.assert_array_equal(after[going], np.asarray(rollout.action)[going])
    assert rollout.steps.first[:, 0].all()


def test_two_collections_go_on_where_the_first_stopped(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec)
    begun = start(acts, env, 2, key=getkey())
    middle, one = collect(acts, env, begun, 4, key=getkey())
    _, two = collect(acts, env, middle, 4, key=getkey())
    np.testing.assert_array_equal(one.steps.local.obs[:, -1], two.steps.local.obs[:, 0])


def segment(*rows):
    """A rollout written by hand: a row for each copy, a word for each step.

    ``f`` a first step, ``.`` one in between, ``w`` the task's end and won, ``h`` half won,
    ``l`` lost, ``c`` cut by the time limit.
    """
    steps = np.array([row.split() for row in rows])
    copies, time = steps.shape
    won = np.select([steps == "w", steps == "h"], [1.0, 0.5], 0.0)
    action = jnp.zeros((copies, time, 2), jnp.int32)
    all_of_them = action == 0
    local = LocalView(action[..., None] * 0.0, all_of_them[..., None], action, all_of_them)
    step = TimeStep(
        local=local,
        state=jnp.zeros((copies, time, 1)),
        reward=jnp.zeros((copies, time)),
        discount=jnp.asarray(~np.isin(steps, ["w", "h", "l"]), jnp.float32),
        first=jnp.asarray(steps == "f"),
        performance=jnp.asarray(won, jnp.float32),
    )
    return Rollout(step, action[:, :-1])


@pytest.mark.parametrize(
    ("rows", "rate"),
    [
        (["f . w f . ."], 1),  # the second one goes on
        (["f . w f . l"], 1 / 2),  # it ends with the segment
        (["f . . . . w"], 1),
        (["f . . . . ."], 0),  # none ended
        (["f . w f . l", "f l f h f w"], (1 + 0 + 0 + 0.5 + 1) / 5),
        (["f . c f . w"], 1 / 2),  # a time limit inside: the next step is a first one
        (["f . w f . c"], 1),  # at the end, and sooner than any can be told from going on
        (["f . . . . c"], 0),
        (["f . w f . c", "f . . . . c"], 1 / 2),  # the second has taken all its time
        (["f . . . w f"], 1),  # the restart at the end is no episode that ended
        ([". . . . . c", "f w f . . ."], 1),  # who knows when that began
    ],
)
def test_the_training_win_rate_is_of_every_episode_that_ended(rows, rate):
    won = train_performance(segment(*rows), time_limit=5)
    np.testing.assert_allclose(won, rate, rtol=1e-6)


def test_which_steps_are_the_last_of_their_episodes():
    steps = segment("f . c f w f", "f . . . . c", "f w f . . c").steps
    np.testing.assert_array_equal(
        ended(steps, time_limit=5),
        np.array([[0, 0, 1, 0, 1, 0], [0, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 0]], bool),
    )


class Early(Probe):
    """Counts its steps as a score, and says at each that it is won."""

    def _show(self, state, action, reward, last):
        step = super()._show(state, action, reward, last)
        return replace(step, performance=jnp.ones(()), score=1.0 * state[2])


def test_a_test_counts_what_an_episode_ends_with(getkey):
    env = Early("delayed")
    returns = evaluate(policy(getkey, env.spec), env, 4, key=getkey())
    np.testing.assert_array_equal(returns.length, [3] * 4)
    np.testing.assert_array_equal(returns.performance, [1] * 4)
    np.testing.assert_array_equal(returns.score, [3] * 4)


def test_one_step_episodes_give_a_mean_and_not_a_sum(getkey):
    env = Probe("constant")  # every episode is won by its single action
    acts = policy(getkey, env.spec)
    for length in (1, 2, 3):
        begun = start(acts, env, 256, key=getkey())
        _, rollout = collect(acts, env, begun, length, key=getkey())
        assert train_performance(rollout, env.spec.time_limit) == 1


def test_evaluation_counts_one_whole_episode_of_each_copy(getkey):
    env = Probe("delayed")
    returns = evaluate(policy(getkey, env.spec), env, 50, key=getkey())
    np.testing.assert_array_equal(returns.length, 3)
    np.testing.assert_array_equal(returns.reward, 1.0)
    assert returns.performance.all()


class Script(LocalPolicy):
    """Always the first action, without a memory."""

    def start(self, copies, n_agents):
        return ()

    def __call__(self, carry, local, *, key):
        return (), jnp.zeros(local.legal.shape[:-1], jnp.int32)


def test_a_script_without_memory_can_be_tested(getkey):
    returns = evaluate(Localised(Script()), Probe("state"), 6, key=getkey())
    np.testing.assert_array_equal(returns.messages, np.zeros(6))


def test_evaluation_on_the_same_key_meets_the_same_beginnings(getkey):
    env = Probe("state")
    key = getkey()
    first, again = (
        evaluate(policy(lambda: jax.random.key(1), env.spec, 0.0), env, 64, key=key)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.reward, again.reward)
    share = float(jnp.mean(first.reward))
    assert 0.2 < share < 0.8  # it cannot know the bit
