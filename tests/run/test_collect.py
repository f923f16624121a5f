import jax
import jax.numpy as jnp
import numpy as np

from ptde.agents import TeacherPolicy, UtilityNetwork
from ptde.envs import Probe
from ptde.info import INFOS, InfoSizes
from ptde.run.collect import collect, rollout_shapes, start
from ptde.run.evaluate import evaluate


def policy(getkey, spec, epsilon=0.5):
    network = UtilityNetwork(spec.local_dim, 0, spec.n_actions, hidden=4, key=getkey())
    none = INFOS["none"](spec, InfoSizes(), key=getkey())
    return TeacherPolicy(network, none, epsilon, False)


def test_a_rollout_is_what_its_shapes_say(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec)
    cursor = start(acts, env, 3, key=getkey())
    _, rollout = collect(acts, env, cursor, 7, key=getkey())
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), rollout)
    expected = rollout_shapes(env, 3, 7)
    assert jax.tree.leaves(shapes) == jax.tree.leaves(expected)
    assert jax.tree.structure(shapes) == jax.tree.structure(expected)


def test_actions_stand_beside_the_steps_they_answer(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec, epsilon=1.0)
    cursor = start(acts, env, 3, key=getkey())
    _, rollout = collect(acts, env, cursor, 9, key=getkey())
    after = np.asarray(rollout.steps.local.last_action)[:, 1:]
    going = ~np.asarray(rollout.steps.first)[:, 1:]
    np.testing.assert_array_equal(after[going], np.asarray(rollout.action)[going])
    assert rollout.steps.first[:, 0].all()


def test_two_collections_go_on_where_the_first_stopped(getkey):
    env = Probe("memory")
    acts = policy(getkey, env.spec)
    cursor = start(acts, env, 2, key=getkey())
    middle, one = collect(acts, env, cursor, 4, key=getkey())
    _, two = collect(acts, env, middle, 4, key=getkey())
    np.testing.assert_array_equal(one.steps.local.obs[:, -1], two.steps.local.obs[:, 0])


def test_evaluation_counts_one_whole_episode_of_each_copy(getkey):
    env = Probe("delayed")
    returns = evaluate(policy(getkey, env.spec), env, 50, key=getkey())
    np.testing.assert_array_equal(returns.length, 3)
    np.testing.assert_array_equal(returns.reward, 1.0)
    assert returns.won.all()


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
