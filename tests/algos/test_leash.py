"""The leash measures how far a student's policy is from its teacher's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents.actor import ActorNetwork
from ptde.agents.team import Teacher
from ptde.agents.utility import UtilityNetwork
from ptde.algos.leash import Leash, only
from ptde.envs import Probe
from ptde.info import InfoSizes, make_info
from ptde.ops.masks import without_last
from ptde.rollout.collect import collect, start

ENV = Probe("personal")


@pytest.fixture(scope="module", params=[UtilityNetwork, ActorNetwork])
def held(request):
    """A teacher, and a rollout of its own; values of actions, or logits."""
    keys = jax.random.split(jax.random.key(0), 4)
    spec = ENV.spec
    info = make_info("gip", spec, InfoSizes(z=4, hyper_hidden=4), key=keys[0])
    network = request.param(spec.local_dim, 4, spec.n_actions, 8, key=keys[1])
    teacher = Teacher(network, info)
    policy = teacher.policy(0.5, sample_z=False)
    begun = start(policy, ENV, 3, key=keys[2])
    return teacher, collect(policy, ENV, begun, 5, key=keys[3])[1]


def test_it_is_zero_at_the_teacher_and_grows_with_the_distance(held):
    teacher, rollout = held
    steps = without_last(rollout.steps)
    counts = jnp.ones(steps.local.alive.shape, bool)
    leash = Leash(teacher, 2.0)
    values, _ = teacher.unroll(steps)
    noise = jax.random.normal(jax.random.key(1), values.shape) * values.std()
    apart = [float(leash(values + x * noise, rollout, counts)) for x in (0.0, 0.1, 1.0)]
    assert apart[0] == pytest.approx(0.0, abs=1e-6)
    assert apart[0] < apart[1] < apart[2]
    half = Leash(teacher, 1.0)(values + noise, rollout, counts)
    assert float(half) == pytest.approx(apart[2] / 2, rel=1e-5)


def test_its_gradient_leads_to_the_teacher_and_leaves_it_alone(held):
    teacher, rollout = held
    steps = without_last(rollout.steps)
    counts = jnp.ones(steps.local.alive.shape, bool)
    wanted, _ = teacher.unroll(steps)
    start = wanted + jax.random.normal(jax.random.key(2), wanted.shape) * wanted.std()

    def loss(values, teacher):
        return Leash(teacher, 1.0)(values, rollout, counts)

    to_student, to_teacher = jax.grad(loss, (0, 1))(start, teacher)
    assert all(float(jnp.abs(x).max()) == 0 for x in jax.tree.leaves(to_teacher))
    scale = float(jnp.square(to_student).sum())
    nearer = start - 0.1 * float(loss(start, teacher)) / scale * to_student
    assert loss(nearer, teacher) < loss(start, teacher)


def test_only_what_learns_has_a_gradient():
    gradient = {"a": jnp.ones(3), "b": {"c": jnp.ones(2), "d": jnp.ones(1)}}
    assert only(True, gradient) is gradient
    some = only({"a": False, "b": {"c": True, "d": True}}, gradient)
    np.testing.assert_array_equal(some["a"], jnp.zeros(3))
    np.testing.assert_array_equal(some["b"]["c"], jnp.ones(2))
