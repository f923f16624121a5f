import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.distill.students import MlpStudent
from ptde.info import INFOS, InfoSizes
from ptde.types import EnvSpec

SPEC = EnvSpec("test", n_agents=3, obs_dim=8, state_dim=6, n_actions=4, time_limit=9)
SIZES = InfoSizes(z=5, hyper_hidden=7)
KINDS = tuple(INFOS)


def inputs(getkey, batch=(11,)):
    local = jax.random.normal(getkey(), (*batch, 3, SPEC.local_dim))
    return local, jax.random.normal(getkey(), (*batch, SPEC.state_dim))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (2, 5)])
def test_shapes(getkey, kind, batch):
    module = INFOS[kind](SPEC, SIZES, key=getkey())
    noise = module.draw((*batch, 3), key=getkey())
    assert (noise is None) == (kind in ("none", "csrl", "state"))
    info = module(*inputs(getkey, batch), noise=noise)
    assert info.z.shape == info.mean.shape == (*batch, 3, module.z_dim)
    assert module.z_dim == {"none": 0, "state": 6}.get(kind, 5)


@pytest.mark.parametrize("kind", ["gip", "csrl"])
def test_personal_information_follows_the_agent(getkey, kind):
    module = INFOS[kind](SPEC, SIZES, key=getkey())
    local, state = inputs(getkey)
    mean = module(local, state, noise=None).mean
    order = jnp.array([2, 0, 1])
    np.testing.assert_allclose(
        module(local[:, order], state, noise=None).mean, mean[:, order], atol=1e-6
    )
    assert jnp.abs(mean[:, 0] - mean[:, 1]).min(axis=0).max() > 1e-4


def test_gip_equal_agents_are_told_the_same(getkey):
    module = INFOS["gip"](SPEC, SIZES, key=getkey())
    local, state = inputs(getkey)
    local = local.at[:, 1].set(local[:, 0])
    mean = module(local, state, noise=None).mean
    np.testing.assert_allclose(mean[:, 0], mean[:, 1], atol=1e-6)


def test_gip_different_identities_are_told_different_things(getkey):
    module = INFOS["gip"](SPEC, SIZES, key=getkey())
    _, state = inputs(getkey)
    local = jnp.zeros((11, 3, SPEC.local_dim)).at[..., -3:].set(jnp.eye(3))
    mean = module(local, state, noise=None).mean
    assert jnp.abs(mean[:, 0] - mean[:, 1]).max() > 1e-3


def test_giu_tells_all_agents_the_same_with_noise_of_their_own(getkey):
    module = INFOS["giu"](SPEC, SIZES, key=getkey())
    noise = module.draw((11, 3), key=getkey())
    info = module(*inputs(getkey), noise=noise)
    np.testing.assert_array_equal(info.mean[:, 0], info.mean[:, 1])
    assert jnp.abs(info.z[:, 0] - info.z[:, 1]).min() > 0


@pytest.mark.parametrize("kind", ["giu", "gip"])
def test_noise_has_the_variance_that_the_module_says(getkey, kind):
    module = INFOS[kind](SPEC, SIZES, key=getkey())
    local, state = inputs(getkey, (1,))
    draw = jax.vmap(lambda k: module(local, state, noise=module.draw((1, 3), key=k)).z)
    z = draw(jax.random.split(getkey(), 20_000))[:, 0]
    if kind == "gip":
        h = jax.nn.elu(module.personalization(local, state))
    else:
        h = jnp.broadcast_to(module.encoder(state)[:, None], (1, 3, 5))
    np.testing.assert_allclose(z.std(0), module.generator.deviation(h)[0], rtol=0.03)
    mean = module(local, state, noise=None).mean[0]
    np.testing.assert_allclose(z.mean(0), mean, atol=0.04)


def test_variance_is_not_below_its_floor_and_finite(getkey):
    sizes = InfoSizes(z=5, hyper_hidden=7, variance_floor=0.04)
    generator = INFOS["giu"](SPEC, sizes, key=getkey()).generator
    variance = generator.deviation(1e4 * jax.random.normal(getkey(), (50, 3, 5))) ** 2
    assert jnp.isclose(variance.min(), 0.04)
    assert variance.max() <= np.exp(4.0) * 1.001


@pytest.mark.parametrize("encoder", [0, 4])
def test_gradient_reaches_every_parameter_of_gip(getkey, encoder):
    sizes = InfoSizes(z=5, hyper_hidden=7, state_encoder=encoder)
    module = INFOS["gip"](SPEC, sizes, key=getkey())
    local, state = inputs(getkey)
    noise = module.draw((11, 3), key=getkey())
    gradient = jax.grad(lambda m: jnp.sum(m(local, state, noise=noise).z ** 2))(module)
    for leaf in jax.tree.leaves(gradient):
        assert jnp.abs(leaf).max() > 0


def count(module):
    return sum(x.size for x in jax.tree.leaves(module))


@pytest.mark.parametrize(
    ("agents", "local", "state", "gip", "giu", "student"),
    [  # the paper's maps in StarCraft: 3s_vs_5z, 5m_vs_6m, 3s5z_vs_3s7z
        (3, 62, 68, 307_584, 21_056, 12_352),
        (5, 72, 98, 433_664, 22_976, 12_992),
        (8, 168, 244, 1_053_312, 32_320, 19_136),
    ],
)
def test_parameter_counts_are_the_papers(getkey, agents, local, state, gip, giu, student):
    spec = EnvSpec("sc2", agents, local - 3 - agents, state, 3, 250)
    assert count(INFOS["gip"](spec, InfoSizes(), key=getkey())) == gip
    assert count(INFOS["giu"](spec, InfoSizes(), key=getkey())) == giu
    assert count(MlpStudent(local, 64, key=getkey())) == student
    csrl = count(INFOS["csrl"](spec, InfoSizes(), key=getkey()))
    assert csrl == gip - 4 * (64 * 64 + 64)
