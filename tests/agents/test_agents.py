import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents import StudentPolicy, Teacher, Team, UtilityNetwork, localise
from ptde.distill.students import STUDENTS, MlpStudent
from ptde.envs import Probe
from ptde.info import INFOS, AbstractStudent, InfoSizes
from ptde.rollout.evaluate import evaluate


def network(getkey, z=4, local=10, actions=3):
    return UtilityNetwork(local, z, actions, hidden=6, key=getkey())


def test_values_are_affine_in_z(getkey):
    net = network(getkey)
    h = jax.random.normal(getkey(), (2, 6))
    z = jax.random.normal(getkey(), (9, 2, 4))
    each = jax.vmap(lambda z: net.values(h, z))(z)
    np.testing.assert_allclose(net.values(h, z.mean(0)), each.mean(0), atol=1e-5)


def test_unroll_is_the_steps_one_by_one(getkey):
    net = network(getkey)
    local = jax.random.normal(getkey(), (3, 5, 2, 10))
    first = jnp.zeros((3, 5), bool).at[:, 0].set(True).at[1, 3].set(True)
    h, expected = jnp.zeros((3, 2, 6)), []
    for t in range(5):
        h = net.step(jnp.where(first[:, t, None, None], 0.0, h), local[:, t])
        expected.append(h)
    np.testing.assert_allclose(net.unroll(local, first), jnp.stack(expected, 1), atol=1e-6)


@pytest.mark.parametrize(("z", "expected"), [(0, 29_707), (64, 34_571)])
def test_parameter_counts_are_the_papers(getkey, z, expected):
    net = UtilityNetwork(62, z, 11, key=getkey())  # 3s_vs_5z in StarCraft
    # The paper's head on [h_o ; z] has 11 more outputs per z; its bridge is 64 x 64.
    assert sum(x.size for x in jax.tree.leaves(net)) == expected


def test_a_student_has_no_state_to_look_at():
    for kind in (AbstractStudent, *STUDENTS.values()):
        for name, asked in (("step", {"carry", "local"}), ("unroll", {"local", "first"})):
            call = getattr(kind, name)
            assert set(inspect.signature(call).parameters) == {"self", *asked}
    step = inspect.signature(StudentPolicy.__call__).parameters
    assert set(step) == {"self", "carry", "local", "key"}


@pytest.mark.parametrize("kind", STUDENTS)
def test_a_student_acts_the_same_whatever_the_state(getkey, kind):
    env = Probe("personal")
    net = network(getkey, local=env.spec.local_dim, actions=2)
    student = STUDENTS[kind](env.spec.local_dim, 4, key=getkey())
    policy = localise(Team(net, student).policy())
    _, step = jax.vmap(lambda k: env.reset(key=k))(jax.random.split(getkey(), 5))
    blind = jax.tree.map(lambda x: x, step)
    object.__setattr__(blind, "state", jnp.full_like(step.state, jnp.nan))
    key, memory = getkey(), policy.start(5, 2)
    seeing = policy(memory, step, key=key)
    not_seeing = policy(memory, blind, key=key)
    for a, b in zip(*map(jax.tree.leaves, (seeing[0], not_seeing[0])), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(seeing[1], not_seeing[1])


def test_the_state_matters_to_the_teacher_and_not_to_the_student(getkey):
    spec = Probe("personal").spec
    net = network(getkey, local=spec.local_dim, actions=2)
    info = INFOS["gip"](spec, InfoSizes(z=4, hyper_hidden=8), key=getkey())
    student = MlpStudent(spec.local_dim, 4, key=getkey())
    local = jax.random.normal(getkey(), (2, spec.local_dim))
    h = jnp.zeros((2, 6))
    state = jnp.ones(spec.state_dim)
    teacher_values = lambda s: net.values(h, info(local, s, noise=None).z).sum()
    student_values = lambda s: net.values(h, student.mlp(local)).sum()
    assert jnp.abs(jax.grad(teacher_values)(state)).max() > 0
    assert jnp.abs(jax.grad(student_values)(state)).max() == 0


def test_the_mean_acts_alike_and_a_sample_does_not(getkey):
    env = Probe("personal")
    net = network(getkey, local=env.spec.local_dim, actions=2)
    info = INFOS["gip"](env.spec, InfoSizes(z=4, hyper_hidden=8), key=getkey())
    key = getkey()
    rewards = []
    for sample_z in (False, False, True):
        policy = Teacher(net, info).policy(0.0, sample_z=sample_z)
        rewards.append(evaluate(policy, env, 200, key=key).reward)
    np.testing.assert_array_equal(rewards[0], rewards[1])
    assert (rewards[0] != rewards[2]).any()
