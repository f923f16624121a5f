import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents import UtilityNetwork
from ptde.distill.objectives import OBJECTIVES, Labelled, QObjective, centred

LOCAL, Z, B, T, N, U = 5, 3, 2, 4, 2, 4


@pytest.fixture(scope="module")
def setting():
    keys = jax.random.split(jax.random.key(0), 4)
    network = UtilityNetwork(LOCAL, Z, U, hidden=8, key=keys[0])
    legal = jax.random.uniform(keys[3], (B, T, N, U)) < 0.7
    local = jax.random.normal(keys[1], (B, T, N, LOCAL))
    first = jnp.zeros((B, T), bool).at[:, 0].set(True)
    seen = Labelled(
        local=local,
        first=first,
        legal=legal.at[..., 0].set(True),
        counts=jnp.ones((B, T, N), bool).at[0, 2:, 1].set(False),
        z=jax.random.normal(keys[2], (B, T, N, Z)),
        h=network.unroll(local, first),
    )
    return network, seen


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_perfect_student_has_no_loss_and_a_worse_one_more(setting, name):
    network, seen = setting
    objective = OBJECTIVES[name]()
    losses = [float(objective(seen.z + off, seen, network)) for off in (0.0, 0.1, 1.0)]
    np.testing.assert_allclose(losses[0], 0.0, atol=1e-5)
    assert losses[0] < losses[1] < losses[2]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_dead_do_not_count(setting, name):
    network, seen = setting
    objective = OBJECTIVES[name]()
    dead = ~seen.counts[..., None]
    odd = jnp.where(dead, 9.0, seen.z)
    np.testing.assert_allclose(objective(odd, seen, network), 0.0, atol=1e-5)
    changed = dataclasses.replace(seen, z=jnp.where(dead, -9.0, seen.z))
    z = seen.z + 0.3
    a, b = objective(z, seen, network), objective(z, changed, network)
    np.testing.assert_allclose(a, b, rtol=1e-5)


def test_the_loss_on_action_values_by_hand(setting):
    network, seen = setting
    objective = QObjective(policy=0.0, share=0.0)
    z = seen.z + 0.5
    q, q_student = (np.asarray(network.values(seen.h, x)) for x in (seen.z, z))
    legal, counts = np.asarray(seen.legal), np.asarray(seen.counts)
    error, spread = [], []
    for at in np.argwhere(counts):
        may = legal[tuple(at)]
        a, b = (x[tuple(at)][may] - x[tuple(at)][may].mean() for x in (q, q_student))
        error.append(np.mean((a - b) ** 2))
        spread.append(np.mean(a**2))
    expected = np.mean(error) / np.mean(spread)
    np.testing.assert_allclose(objective(z, seen, network), expected, rtol=1e-4)


def test_directions_of_z_that_the_head_does_not_see_cost_nothing(setting):
    network, seen = setting
    weight = network.head.weight.at[-Z].set(0.0)
    blind = eqx.tree_at(lambda n: n.head.weight, network, weight)
    z = seen.z.at[..., 0].add(5.0)
    values = QObjective(share=0.0)
    np.testing.assert_allclose(values(z, seen, blind), 0.0, atol=1e-6)
    assert OBJECTIVES["z"]()(z, seen, blind) > 1.0


def test_the_gradient_is_finite_and_the_network_gets_none(setting):
    network, seen = setting
    loss = lambda z, network: QObjective()(z, seen, network)
    to_z, to_network = jax.grad(loss, argnums=(0, 1))(seen.z + 0.1, network)
    assert jnp.isfinite(to_z).all() and jnp.abs(to_z).max() > 0
    assert all((x == 0).all() for x in jax.tree.leaves(to_network))


def test_illegal_actions_are_left_out_of_the_mean():
    q, legal = jnp.array([1.0, 3.0, 100.0]), jnp.array([True, True, False])
    np.testing.assert_allclose(centred(q, legal), [-1.0, 1.0, 0.0])
