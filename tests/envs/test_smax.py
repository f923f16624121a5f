import dataclasses
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.envs.reference import jaxmarls, jaxmarls_state

from ptde.envs import SmaxConfig, make_env
from ptde.envs.battle.maps import SCENARIOS
from ptde.envs.battle.ticks import LATEST
from ptde.envs.battle.units import DAMAGE, HEALTH, RELOAD, TICK
from ptde.envs.registry import WORLDS
from ptde.envs.smax import STEP_SECONDS, STOP, Smax, time_limit
from ptde.presets import PAPER_MAPS

STALKERS = "3s_vs_5z"


def battle(**options):
    return Smax(STALKERS, SmaxConfig(**options))


def moved(env, state, **changes):
    """The same moment with other units."""
    (inner, last_action), ended = state
    units = dataclasses.replace(inner.units, **changes)
    return (dataclasses.replace(inner, units=units), last_action), ended


def units_of(state):
    return state[0][0].units


def places(units):
    return jnp.swapaxes(units.place, -1, -2)


def at(place):
    return {"place": place.T}


def shown(env, state):
    return env._show(state[0], jnp.zeros(()), jnp.ones(()))


@pytest.fixture(scope="module")
def native():
    env = battle(observation="native")
    return env, env.reset(key=jax.random.key(0))


@pytest.fixture(scope="module")
def smac():
    env = battle(observation="smac")
    return env, env.reset(key=jax.random.key(0))


def in_the_open(env, key):
    """Units in the middle of the map, some of them dead, hurt and reloading."""
    state, _ = env.reset(key=key)
    k1, k2 = jax.random.split(key)
    units = units_of(state)
    alive = jnp.arange(8) != 1
    return moved(
        env,
        state,
        **at(16 + jax.random.uniform(k1, (8, 2), minval=-7, maxval=7)),
        health=jnp.where(alive, units.health * 0.6, 0.0),
        reload=jax.random.uniform(k2, (8,)),
        order=jnp.array([5, 0, 9, 5, 1, 7, 4, 3], jnp.int32),
    )


def test_the_native_observation_and_legal_actions_are_smaxs(native):
    env, _ = native
    game = jaxmarls(env)
    for seed in range(5):
        state = in_the_open(env, jax.random.key(seed))
        step = shown(env, state)
        same = jaxmarls_state(env, state[0][0])
        theirs = game.get_obs(same)
        theirs = jnp.stack([theirs[a] for a in game.agents])
        np.testing.assert_allclose(
            step.local.obs, theirs * step.local.alive[:, None], atol=1e-6
        )
        legal = game.get_avail_actions(same)
        legal = jnp.stack([legal[a] for a in game.agents]).astype(bool)
        np.testing.assert_array_equal(step.local.legal, legal)


@pytest.mark.parametrize(
    "hidden",
    [{"reload": 0.1}, {"order": 2}, {"order": 6}],
    ids=["reload", "move", "attack"],
)
def test_smac_hides_what_native_shows(native, smac, hidden):
    def changes(env):
        state = in_the_open(env, jax.random.key(3))
        other = moved(
            env, state, **{name: jnp.full(8, value) for name, value in hidden.items()}
        )
        return jnp.abs(shown(env, state).local.obs - shown(env, other).local.obs).max()

    assert changes(native[0]) > 0
    assert changes(smac[0]) == 0


def test_smac_hides_where_one_is_and_the_state_shows_it(smac):
    env, _ = smac
    state = in_the_open(env, jax.random.key(3))
    shifted = moved(env, state, **at(places(units_of(state)) + 1.0))
    before, after = shown(env, state), shown(env, shifted)
    np.testing.assert_allclose(before.local.obs, after.local.obs, atol=1e-5)
    assert jnp.abs(before.state - after.state).max() > 0.05


def test_smac_layout(smac):
    """StarCraft's sizes without its shields: 4 + 5 x 5 + 2 x 5 + 1."""
    env, _ = smac
    assert env.spec.obs_dim == 40
    state = in_the_open(env, jax.random.key(4))
    local = shown(env, state).local
    position, sight = places(units_of(state)), 10.0
    row = local.obs[0]
    assert row[:4].tolist() == [1, 1, 1, 1]
    for enemy in range(5):
        block = row[4 + 5 * enemy : 9 + 5 * enemy]
        offset = position[3 + enemy] - position[0]
        distance = jnp.linalg.norm(offset)
        if distance < sight:
            attackable = float(distance < 6.0)
            expected = [attackable, distance / sight, *(offset / sight), 0.6]
            np.testing.assert_allclose(block, jnp.array(expected), atol=1e-5)
        else:
            assert not block.any()
    assert not row[29:34].any()  # agent 1 is dead
    assert row[34] == 1.0
    np.testing.assert_allclose(row[-1], 0.6, atol=1e-6)
    assert not local.obs[1].any()
    np.testing.assert_array_equal(local.legal[1], jnp.arange(10) == STOP)


def test_the_edge_of_the_map_is_felt(smac):
    env, _ = smac
    state = in_the_open(env, jax.random.key(4))
    position = places(units_of(state)).at[0].set(jnp.array([31.0, 1.0]))
    row = shown(env, moved(env, state, **at(position))).local.obs[0]
    assert row[:4].tolist() == [1, 0, 0, 1]  # up, right, down, left


def test_fog_hides_and_forbids_what_is_far(smac):
    fog = battle(sight=0.3)
    state = in_the_open(fog, jax.random.key(4))
    position, local = places(units_of(state)), shown(fog, state).local
    distance = jnp.linalg.norm(position[3:] - position[0], axis=-1)
    seen = local.obs[0, 4:29].reshape(5, 5)[:, 1] > 0
    np.testing.assert_array_equal(seen, distance < 3.0)
    np.testing.assert_array_equal(local.legal[0, 5:], distance < 3.0)
    clear = shown(smac[0], state)
    np.testing.assert_array_equal(clear.state, shown(fog, state).state)


def run_to_the_end(env, actions, units=None, limit=40):
    """Steps of an episode in which every agent repeats its action, up to its end."""
    state, step = env.reset(key=jax.random.key(2))
    state = moved(env, state, **units) if units else state
    advance = jax.jit(lambda s, k: env.step(s, jnp.array(actions), key=k))
    steps = []
    for key in jax.random.split(jax.random.key(3), limit):
        state, step = advance(state, key)
        steps.append(step)
        if state[1]:
            return steps, *advance(state, key)
    raise AssertionError("no end")


def test_a_time_limit_is_not_the_end_of_the_task():
    env = battle(time_limit=10)
    steps, _, after = run_to_the_end(env, [STOP] * 3)
    assert len(steps) == env.spec.time_limit == 10
    assert steps[-1].discount == 1
    assert not steps[-1].performance
    assert not steps[-1].first
    assert after.first


def test_a_time_limit_is_the_end_of_the_task_where_it_is_said_to_be():
    options = {"smax": SmaxConfig(time_limit=10), "time_out": "terminal"}
    env = make_env("smax", STALKERS, options)
    steps, _, after = run_to_the_end(env, [STOP] * 3)
    assert len(steps) == 10
    assert [float(step.discount) for step in steps] == [1.0] * 9 + [0.0]
    assert not steps[-1].performance
    assert after.first and after.discount == 1


LIMITS = {
    "3s_vs_5z": 179,
    "5m_vs_6m": 50,
    "3s5z_vs_3s6z": 121,
    "6h_vs_8z": 107,
    "3s_vs_8z": 250,
    "3s5z_vs_3s7z": 121,
}
"""StarCraft's limits, 22.4 game loops a second and 8 a step, in steps of half a second."""


@pytest.mark.parametrize("name", PAPER_MAPS)
def test_the_enemy_can_be_shot_dead_within_the_limit(name):
    """By a team that always fires: whole shots, each weapon at its slowest."""
    env = Smax(name)
    assert env.spec.time_limit == LIMITS[name]
    n, kinds = env.n, env.battle.fixed
    damage = DAMAGE[kinds[:n]]
    between = RELOAD[kinds[:n]] + LATEST + TICK  # the weapon is looked at every tick
    rate = np.sum(damage / between)
    health = HEALTH[kinds[n:]]
    shots = np.ceil(health / damage.min())
    assert np.sum(shots * damage.min()) / rate < STEP_SECONDS * env.spec.time_limit


def test_a_limit_of_ones_own_is_kept_and_unknown_maps_have_smacv2s():
    assert Smax("3m", SmaxConfig(time_limit=77)).spec.time_limit == 77
    assert time_limit("a_map_of_ones_own") == time_limit("smacv2_5_units") == 143


def edge_deaths(env, direction, battles=32):
    """Units that die with no enemy near while their team, at random, runs to one side."""

    def one(state, key):
        key_action, key_step = jax.random.split(key)
        legal = env._show(state, jnp.zeros(()), jnp.ones(())).local.legal
        lots = jax.random.uniform(key_action, legal.shape).at[:, direction].add(0.5)
        action = jnp.argmax(jnp.where(legal, lots, -1.0), axis=-1).astype(jnp.int32)
        before = state[0].units
        state, step, _ = env.step_env(state, action, key=key_step)
        died = before.alive[: env.n] & ~step.local.alive
        place = places(before)
        gap = jnp.linalg.norm(place[: env.n, None] - place[None, env.n :], axis=-1)
        gap = jnp.where(before.alive[env.n :], gap, 100.0)
        return state, jnp.sum(died & (gap > 10.0).all(axis=-1))

    def roll(key):
        key_reset, key = jax.random.split(key)
        state, _ = env.reset_env(key=key_reset)
        return jax.lax.scan(one, state, jax.random.split(key, 40))[1].sum()

    return int(jax.jit(jax.vmap(roll))(jax.random.split(jax.random.key(0), battles)).sum())


@pytest.mark.parametrize("name", [STALKERS, pytest.param("25m", marks=pytest.mark.slow)])
def test_the_edge_kills_nobody_but_in_native_battles(name):
    for direction in (0, 3):
        assert edge_deaths(Smax(name), direction) == 0
    assert edge_deaths(Smax(name, SmaxConfig(observation="native")), 3) > 0


def test_moves_off_the_map_are_not_legal_and_the_observation_says_so(smac, native):
    """A stalker walks 4.13 / 2 map units a step."""
    for gap, may in ((2.0, 0), (2.1, 1)):
        for env, rule in ((smac[0], may), (native[0], 1)):
            state = in_the_open(env, jax.random.key(4))
            place = at(places(units_of(state)).at[0].set(jnp.array([gap, 16.0])))
            local = shown(env, moved(env, state, **place)).local
            assert local.legal[0, :4].tolist() == [1, 1, 1, rule]
        row = shown(smac[0], moved(smac[0], state, **place)).local.obs[0]
        assert row[:4].tolist() == [1, 1, 1, may]


def test_a_won_battle_is_worth_20():
    env = battle(time_limit=100)
    weak = jnp.array([160.0] * 3 + [13.0] * 5)
    spread = jnp.array([[10.0, 10 + 2 * i] for i in range(3)])
    near = jnp.array([[14.0, 10 + 1.5 * i] for i in range(5)])
    state, _ = env.reset(key=jax.random.key(2))
    state = moved(env, state, health=weak, **at(jnp.concatenate([spread, near])))
    advance = jax.jit(lambda s, a, k: env.step(s, a, key=k))
    step, total = shown(env, state), 0.0
    for key in jax.random.split(jax.random.key(3), 60):
        action = jnp.argmax(step.local.legal[:, ::-1], axis=1)
        action = env.spec.n_actions - 1 - action  # attack if one can, else stop
        state, step = advance(state, action.astype(jnp.int32), key)
        total += float(step.reward)
        if state[1]:
            break
    assert step.performance
    assert step.discount == 0
    # 10 for the victory; the damage is counted in shares of full health: 13 of 150
    np.testing.assert_allclose(total, 10 + 10 * 13 / 150, rtol=1e-4)


def test_a_lost_battle_ends_the_task_without_a_victory():
    env = battle()
    steps, _, _ = run_to_the_end(
        env, [STOP] * 3, {"health": jnp.array([1.0] * 3 + [150.0] * 5)}
    )
    assert steps[-1].discount == 0
    assert not steps[-1].performance


def test_the_enemys_attack_mode_reaches_the_enemy():
    assert battle(enemy_attack="random").battle.mode == "random"


@pytest.mark.parametrize("name", PAPER_MAPS)
def test_the_papers_maps_are_there_with_the_papers_teams(name):
    env = make_env("smax", name)
    allies, enemies = (_units(side) for side in name.split("_vs_"))
    assert env.spec.n_agents == allies
    assert env.spec.n_actions == 5 + enemies
    _, step = jax.eval_shape(lambda k: env.reset(key=k), jax.random.key(0))
    assert step.state.shape == (env.spec.state_dim,)


def _units(side: str) -> int:
    return sum(int(c) for c in side if c.isdigit())


def test_every_map_that_jaxmarl_registers_can_be_made():
    from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO

    names = WORLDS["smax"].maps()
    for name, theirs in MAP_NAME_TO_SCENARIO.items():
        ours = SCENARIOS[name]
        np.testing.assert_array_equal(ours.kinds, theirs.unit_types)
        assert (len(ours.allies), len(ours.enemies)) == (
            theirs.num_allies,
            theirs.num_enemies,
        )
        assert ours.drawn == theirs.smacv2_unit_type_generation
        assert ours.drawn == theirs.smacv2_position_generation
    for name in names:
        env = make_env("smax", name)
        _, step = jax.eval_shape(lambda k, e=env: e.reset(key=k), jax.random.key(0))
        assert step.local.obs.shape == (env.spec.n_agents, env.spec.obs_dim)
        assert step.state.shape == (env.spec.state_dim,)


def test_jaxmarl_is_imported_where_it_is_needed_alone():
    code = "import sys; from ptde.envs import make_env; make_env('smax', {!r});"
    code += "print('jaxmarl' in sys.modules)"
    for name, needed in (("3m", "False"), ("smacv2_5_units", "True")):
        words = [sys.executable, "-c", code.format(name)]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert said.split() == [needed]


def test_an_unknown_map_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean --map 3s_vs_5z"):
        make_env("smax", "3s_v_5z")
    with pytest.raises(ValueError, match="did you mean --world smax"):
        make_env("smx", "3m")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("observation", "sc2"),
        ("sight", 0.0),
        ("sight", 9.0),
        ("enemy_attack", "nearest"),
        ("time_limit", 5),
        ("reward_scale", -1.0),
    ],
)
def test_options_out_of_range_say_what_to_type(option, value):
    with pytest.raises((ValueError, TypeError), match=option.replace("_", ".")):
        SmaxConfig(**{option: value})


@pytest.mark.parametrize("observation", ["smac", "native"])
def test_unlimited_sight_is_ones_own_where_everything_is_within_sight(observation):
    config = SmaxConfig(observation=observation, full_sight=True)
    env, near = Smax("3m", config), Smax("3m", dataclasses.replace(config, sight=4.0))
    assert env.spec.full_obs_dim == env.spec.obs_dim
    step = jax.jit(lambda k: env.reset_env(key=k)[1])(jax.random.key(0))
    close = jax.jit(lambda k: near.reset_env(key=k)[1])(jax.random.key(0))
    np.testing.assert_array_equal(close.full_obs, close.local.obs)
    np.testing.assert_array_equal(step.full_obs, close.full_obs)
    assert (step.full_obs != step.local.obs).any()  # the enemies start out of sight


def test_entities_share_out_the_whole_state():
    spec = Smax("3s5z_vs_3s6z").spec
    places = [place for entity in spec.entities for place in entity]
    assert sorted(places) == list(range(spec.state_dim))
    assert len(spec.entities) == 8 + 9
    assert len({len(entity) for entity in spec.entities[8:]}) == 1
