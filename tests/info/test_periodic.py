import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.config import Run
from ptde.info import AbstractInfo, InfoSizes, make_info
from ptde.info.periodic import BroadcastInfo, PeriodicInfo, last_refresh
from ptde.types import EnvSpec

ENTITIES = ((0,), (1,), (2,), (3, 4), (5,))
SPEC = EnvSpec("test", 3, obs_dim=8, state_dim=6, n_actions=4, time_limit=9)
KNOWN = EnvSpec("test", 3, 8, 6, 4, 9, entities=ENTITIES)
SIZES = InfoSizes(z=5, hyper_hidden=7, refresh=3, heads=2)


def segments(getkey):
    """Two segments of 7 steps; the second starts an episode at step 4."""
    local = jax.random.normal(getkey(), (2, 7, 3, SPEC.local_dim))
    state = jax.random.normal(getkey(), (2, 7, 6))
    noise = jax.random.normal(getkey(), (2, 7, 3, 5))
    first = jnp.zeros((2, 7), bool).at[:, 0].set(True).at[1, 4].set(True)
    return local, state, noise, first


def test_the_last_look_is_every_few_steps_of_an_episode():
    first = jnp.array([[1, 0, 0, 0, 0, 1, 0, 0, 0]], bool)
    np.testing.assert_array_equal(last_refresh(first, 3), [[0, 0, 0, 3, 3, 5, 5, 5, 8]])
    np.testing.assert_array_equal(last_refresh(first, 1), [list(range(9))])


@pytest.mark.parametrize("kind", ["csrl", "gip", "copa"])
def test_unroll_is_the_steps_one_by_one(getkey, kind):
    module = make_info(kind, KNOWN, SIZES, key=getkey())
    assert isinstance(module, BroadcastInfo if kind == "copa" else PeriodicInfo)
    local, state, noise, first = segments(getkey)
    whole = module.unroll(local, state, first, noise=noise).z
    carry = module.start(2, 3)
    step = jax.jit(lambda c, o, s, e: module.step(c, o, s, noise=e))
    for t in range(7):
        fresh = first[:, t]
        carry = jax.tree.map(
            lambda x, f=fresh: jnp.where(f.reshape(-1, *(1,) * (x.ndim - 1)), 0, x), carry
        )
        carry, info = step(carry, local[:, t], state[:, t], noise[:, t])
        np.testing.assert_allclose(info.z, whole[:, t], atol=1e-5)


def test_copa_keeps_z_between_broadcasts_and_csrl_the_state(getkey):
    local, state, noise, first = segments(getkey)
    z = make_info("copa", SPEC, SIZES, key=getkey()).unroll(
        local, state, first, noise=noise
    )
    np.testing.assert_array_equal(z.z[0, 0], z.z[0, 2])
    assert (z.z[0, 2] != z.z[0, 3]).any()
    csrl = make_info("csrl", SPEC, SIZES, key=getkey())
    before = csrl.unroll(local, state, first, noise=None).z
    unseen = csrl.unroll(local, state.at[0, 1].add(9.0), first, noise=None).z
    np.testing.assert_array_equal(before, unseen)  # nobody looked at step 1
    assert (before[0, 0] != before[0, 1]).any()  # but O_i is read at every step


@pytest.mark.parametrize(
    ("threshold", "messages"), [(0.0, 3 * 3), (1e6, 3)], ids=["always", "first only"]
)
def test_adaptive_broadcast_sends_what_has_changed(getkey, threshold, messages):
    sizes = InfoSizes(z=5, heads=2, refresh=3, threshold=threshold)
    module = make_info("copa", SPEC, sizes, key=getkey())
    carry = module.start(2, 3)
    received = []
    for _ in range(7):
        local = jax.random.normal(getkey(), (2, 3, SPEC.local_dim))
        state = jax.random.normal(getkey(), (2, 6))
        before = carry
        carry, info = module.step(carry, local, state, noise=None)
        alike = jnp.full(2, 3, jnp.int32)
        assert (module.sent(before, carry, alike) <= 3).all()
        received.append(info.z)
    np.testing.assert_array_equal(carry.messages, messages)
    assert (threshold == 0) == bool((received[0] != received[6]).any())
    with_noise = module.step(carry, local, state, noise=jnp.zeros((2, 3, 5)))[0]
    assert with_noise.age[0] == 8


def test_without_a_pause_nothing_is_held(getkey):
    sizes = InfoSizes(z=5, hyper_hidden=7)
    for kind in ("csrl", "copa"):
        assert isinstance(make_info(kind, SPEC, sizes, key=getkey()), AbstractInfo)
    module = make_info("gip", SPEC, sizes, key=getkey())
    alike = jnp.full(2, 3, jnp.int32)
    np.testing.assert_array_equal(module.sent((), (), alike), alike)
    none = make_info("none", SPEC, sizes, key=getkey())
    np.testing.assert_array_equal(none.sent((), (), alike), 0)


def test_a_threshold_asks_for_noise(getkey):
    sizes = InfoSizes(z=5, heads=2, threshold=1.0, stochastic=False)
    with pytest.raises(ValueError, match="leave one of the two away"):
        make_info("copa", KNOWN, sizes, key=getkey())
    with pytest.raises(ValueError, match="no effect with --z-test sample"):
        Run(info="copa", info_config=InfoSizes(threshold=1.0), z_test="sample")
