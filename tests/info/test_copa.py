import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from ptde.info import COPA, InfoSizes
from ptde.types import EnvSpec, Info, LocalView, Rollout, TimeStep

SPEC = EnvSpec("test", 3, obs_dim=8, state_dim=6, n_actions=4, time_limit=9)
SIZES = InfoSizes(z=5, heads=2)


def module(getkey, entities=((0,), (1,), (2,), (3, 4), (5,))):
    spec = dataclasses.replace(SPEC, entities=entities)
    return COPA(spec, SIZES, key=getkey())


def batch(getkey, alive):
    action = jnp.zeros((2, 4, 3), jnp.int32)
    steps = TimeStep(
        local=LocalView(
            obs=jax.random.normal(getkey(), (2, 5, 3, 8)),
            legal=jnp.ones((2, 5, 3, 4), bool),
            last_action=jnp.zeros((2, 5, 3), jnp.int32),
            alive=alive,
        ),
        state=jax.random.normal(getkey(), (2, 5, 6)),
        reward=jnp.zeros((2, 5)),
        discount=jnp.ones((2, 5)),
        first=jnp.zeros((2, 5), bool).at[:, 0].set(True),
        performance=jnp.zeros((2, 5)),
    )
    return Rollout(steps, action)


def test_the_coach_sees_every_entity_and_their_order_does_not_matter(getkey):
    coach = module(getkey, ((0,), (1,), (2,), (3,), (4,), (5,)))
    local = jax.random.normal(getkey(), (7, 3, SPEC.local_dim))
    state = jax.random.normal(getkey(), (7, 6))
    mean = coach(local, state, noise=None).mean
    swapped = state[:, jnp.array([0, 1, 2, 5, 4, 3])]  # the three that are not agents
    np.testing.assert_allclose(coach(local, swapped, noise=None).mean, mean, atol=1e-5)
    for entity in range(6):
        changed = coach(local, state.at[:, entity].add(1.0), noise=None).mean
        assert jnp.abs(changed - mean).max() > 1e-4


def test_a_world_that_says_nothing_of_entities_has_agents_and_the_rest(getkey):
    coach = module(getkey, ())
    local = jax.random.normal(getkey(), (7, 3, SPEC.local_dim))
    state = jax.random.normal(getkey(), (7, 6))
    assert coach(local, state, noise=None).mean.shape == (7, 3, 5)
    assert coach.entities == ((), (), (), (0, 1, 2, 3, 4, 5))


def test_the_variational_loss_leaves_out_the_dead(getkey):
    coach = module(getkey)
    alive = jnp.ones((2, 5, 3), bool).at[:, :, 1].set(False)
    rollout = batch(getkey, alive)
    z = jax.random.normal(getkey(), (2, 4, 3, 5))
    loss = jax.jit(lambda z: coach.auxiliary(rollout, Info(z=z, mean=z)))
    np.testing.assert_allclose(loss(z), loss(z.at[:, :, 1].add(3.0)), rtol=1e-6)
    assert abs(float(loss(z) - loss(z.at[:, :, 2].add(3.0)))) > 1e-6


def test_the_variational_loss_falls_where_z_can_be_guessed(getkey):
    coach = module(getkey)
    rollout = batch(getkey, jnp.ones((2, 5, 3), bool))
    guessed = jnp.zeros((2, 4, 3, 5))
    far = guessed + 5.0
    assert coach.auxiliary(rollout, Info(guessed, guessed)) < coach.auxiliary(
        rollout, Info(far, far)
    )
