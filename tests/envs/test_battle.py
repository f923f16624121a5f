"""Our battles are JaxMARL's: from the same state and with the same draws, step for step."""

import dataclasses
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.envs.reference import both, jaxmarls, jaxmarls_state, margin, our_state

from ptde.envs import SmaxConfig
from ptde.envs.base import AbstractEnv
from ptde.envs.battle import units as tables
from ptde.envs.battle.enemy import _drawn
from ptde.envs.battle.ticks import LATEST, SOONEST
from ptde.envs.smax import Smax, maps
from ptde.ops.keys import new_key

NEAR = 1e-5
"""How near two numbers are that the two programs may round to one or the other side."""


def differences(env, theirs, ours):
    """The largest difference of what may be rounded, and whether the rest is the same."""
    same = our_state(env, theirs)
    mine, alive = ours.units, same.units.alive
    pairs = [(same.units.place, mine.place), (same.units.reload, mine.reload)]
    pairs += [(same.memory.goal, ours.memory.goal)]
    apart = jnp.stack([jnp.abs(a - b).max() for a, b in pairs]).max()
    acting = alive | (jnp.arange(env.units) < env.n)  # JaxMARL's dead enemies walk, too
    exact = [
        (same.units.health == mine.health).all(),
        (alive == mine.alive).all(),
        ((same.units.order == mine.order) | ~acting).all(),
        (same.memory.prey == ours.memory.prey).all(),
        same.time == ours.time,
    ]
    return apart, jnp.stack(exact).all()


def compared(name, config, copies, steps):
    """Random play in JaxMARL's world, each step of which is made in ours, too.

    Returns:
        For every step [steps, copies]: the largest difference, whether all else is the
        same, the margin by which a comparison was decided, how far our own step goes
        elsewhere if it begins one rounding off, the units that fired twice, and the units
        that died.
    """
    env = Smax(name, config)
    game = jaxmarls(env)

    def one(theirs, key):
        keys = jax.random.split(key, 4)
        legal = game.get_avail_actions(theirs)
        legal = jnp.stack([legal[a] for a in game.agents]).astype(bool)
        lots = jax.random.uniform(keys[0], legal.shape)
        lots = lots.at[:, 5:].add(jax.random.uniform(keys[1], (env.n, 1)))  # often attacks
        action = jnp.argmax(jnp.where(legal, lots, -1.0), axis=-1)
        after, reward, done, ours, outcome, fired, film, sway = both(
            env, game, theirs, action, keys[2]
        )
        apart, exact = differences(env, after, ours)
        apart = jnp.maximum(apart, jnp.abs(reward - outcome.reward))
        over = outcome.decided | (ours.time >= env.spec.time_limit)
        died = (theirs.state.unit_alive & ~after.state.unit_alive).sum()
        least = margin(env, theirs, after, film, keys[2])
        fresh = jaxmarls_state(env, env.battle.begin(key=keys[3]))
        after = jax.tree.map(
            lambda a, b: jnp.where(done, a, b).astype(b.dtype), fresh, after
        )
        exact &= done == over
        return after, (apart, exact, least, sway, (fired > 1).sum(), died)

    @jax.jit
    def roll(key):
        keys = jax.random.split(key, (steps + 1, copies))
        begin = lambda key: jaxmarls_state(env, env.battle.begin(key=key))
        start = jax.tree.map(jnp.asarray, jax.vmap(begin)(keys[0]))
        return jax.lax.scan(jax.vmap(one), start, keys[1:])[1]

    return jax.tree.map(np.asarray, roll(new_key(7)))


def check(name, config, copies, steps):
    """Raises AssertionError where the worlds differ for another reason than rounding."""
    apart, exact, least, sway, twice, died = compared(name, config, copies, steps)
    # a crowd that pushes itself apart, with roundings in each of the 8 ticks
    swayed = exact & (apart > NEAR) & (apart < tables.TICKS * sway)
    other = ~exact | ((apart > NEAR) & ~swayed)
    print(
        f"{name} {config.observation} {config.enemy_attack}: {apart.size} steps, "
        f"{died.sum()} deaths, largest difference {apart[~other].max():.1e}, "
        f"{swayed.sum()} above {NEAR}, at most "
        f"{(apart / sway)[swayed].max(initial=0.0):.1f} times what one rounding does, "
        f"{other.sum()} otherwise, by margins of {least[other]}"
    )
    assert died.sum() > 0
    assert twice.sum() == 0
    assert (least[other] < NEAR).all()
    assert swayed.mean() < 1e-2 and other.mean() < 1e-3


@pytest.mark.parametrize(
    ("name", "observation", "attack"),
    [("3m", "native", "random"), ("3m", "smac", "closest")],
)
def test_a_step_is_jaxmarls(name, observation, attack):
    config = SmaxConfig(observation=observation, enemy_attack=attack)
    check(name, config, copies=10, steps=100)


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["closest", "random"])
@pytest.mark.parametrize("observation", ["smac", "native"])
@pytest.mark.parametrize("name", maps())
def test_a_step_is_jaxmarls_on_every_map(name, observation, attack):
    config = SmaxConfig(observation=observation, enemy_attack=attack)
    check(name, config, copies=50, steps=200)


@lru_cache
def stalkers():
    return Smax("3s_vs_5z", SmaxConfig(time_limit=20))


def test_the_tables_are_jaxmarls():
    game = jaxmarls(stalkers())
    for ours, theirs in {
        "SPEED": game.unit_type_velocities,
        "DAMAGE": game.unit_type_attacks,
        "RANGE": game.unit_type_attack_ranges,
        "SIGHT": game.unit_type_sight_ranges,
        "RADIUS": game.unit_type_radiuses,
        "HEALTH": game.unit_type_health,
        "RELOAD": game.unit_type_weapon_cooldowns,
    }.items():
        np.testing.assert_array_equal(getattr(tables, ours), theirs)
    assert list(tables.NAMES) == game.unit_type_names
    assert list(tables.LETTERS) == game.unit_type_shorthands
    assert game.map_width == game.map_height == tables.SIZE
    assert game.world_steps_per_env_step == tables.TICKS
    assert game.time_per_step == tables.TICK
    assert game.num_movement_actions == tables.STOP + 1


def test_no_weapon_fires_twice_in_a_joint_step():
    """Of which the physics makes use: one deviation a unit and step."""
    ticks = (tables.RELOAD + SOONEST) / tables.TICK
    assert (ticks > tables.TICKS - 2).all()  # from the first tick to the last: 7


def test_the_draws_are_spread_evenly():
    env = stalkers()
    keys = jax.random.split(new_key(0), 4000)
    luck, deviation = jax.vmap(lambda k: env.battle.draw(key=k))(keys)
    for drawn, low, high in ((luck, 0.0, 1.0), (deviation, SOONEST, LATEST)):
        share = (np.asarray(drawn).reshape(len(keys), -1) - low) / (high - low)
        assert share.min() >= 0 and share.max() <= 1
        np.testing.assert_allclose(share.mean(0), 1 / 2, atol=0.03)
        np.testing.assert_allclose(share.var(0), 1 / 12, atol=0.01)
        between = np.corrcoef(share.T) - np.eye(share.shape[1])
        assert np.abs(between).max() < 0.1


def test_an_entry_is_drawn_with_equal_chances():
    mask = jnp.array([True, False, True, True, False])
    luck = jnp.linspace(0.0, 1.0, 3000, endpoint=False)
    drawn = _drawn(jnp.broadcast_to(mask, (3000, 5)), luck)
    assert (drawn.sum(1) == 1).all()
    np.testing.assert_allclose(drawn.mean(0), mask / 3, atol=1e-3)
    assert not _drawn(jnp.zeros((3000, 5), bool), luck).any()


@pytest.mark.parametrize("name", ["3s_vs_5z", "smacv2_5_units"])
def test_battles_begin_as_jaxmarls_do(name):
    """The same means and variances of places, and shares of types."""
    env = Smax(name)
    game = jaxmarls(env)
    keys = jax.random.split(new_key(1), 3000)
    ours = jax.jit(jax.vmap(lambda k: env.battle.begin(key=k)))(keys)
    theirs = jax.jit(jax.vmap(lambda k: our_state(env, game.reset(k)[1])))(keys)
    for of in ("place", "health", "kind"):
        a, b = (getattr(state.units, of) for state in (ours, theirs))
        if a is None:
            continue
        assert a.dtype == b.dtype
        a, b = np.asarray(a, float), np.asarray(b, float)
        error = 5 * (a.std(0) + 1e-6) / np.sqrt(len(keys))
        assert (np.abs(a.mean(0) - b.mean(0)) < 1.5 * error).all()
        np.testing.assert_allclose(a.std(0), b.std(0), rtol=0.1, atol=1e-6)
    assert (ours.memory.prey == -1).all()


@pytest.mark.parametrize("time_out", ["bootstrap", "terminal"])
def test_the_steps_are_those_of_any_world_with_its_restart(time_out):
    """``Smax`` shows once what ``AbstractEnv`` shows of both battles and chooses from."""
    env = Smax("3m", SmaxConfig(time_limit=10))
    env.time_out = time_out
    state, _ = env.reset(key=new_key(0))
    action = jnp.full(env.n, tables.STOP)
    one = jax.jit(lambda s, k: env.step(s, action, key=k))
    general = jax.jit(lambda s, k: AbstractEnv.step(env, s, action, key=k))
    for key in jax.random.split(new_key(1), 13):
        expected = general(state, key)
        state, step = one(state, key)
        assert jax.tree.structure(expected) == jax.tree.structure((state, step))
        for a, b in zip(*map(jax.tree.leaves, (expected, (state, step))), strict=True):
            assert a.dtype == b.dtype and a.weak_type == b.weak_type
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_film_ends_where_the_step_does():
    env = stalkers()
    state, key = env.battle.begin(key=new_key(0)), new_key(2)
    action = jnp.array([1, 2, 3])
    film = jax.jit(lambda s: env.battle.film(s, action, key=key))(state)
    after, _ = jax.jit(lambda s: env.battle.step(s, action, key=key))(state)
    last = jax.tree.map(lambda x: x[-1], film)
    for field in dataclasses.fields(after.units):
        if getattr(after.units, field.name) is not None:
            a, b = (getattr(units, field.name) for units in (last, after.units))
            np.testing.assert_allclose(a, b, atol=1e-5)
    assert film.place.shape == (tables.TICKS, 2, env.units)
