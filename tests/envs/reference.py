"""JaxMARL's own battles, to which ours are compared: the same states, the same draws."""

import dataclasses

import jax
import jax.numpy as jnp

from ptde.envs.battle import BattleState, Units
from ptde.envs.battle.enemy import Memory
from ptde.envs.battle.maps import SCENARIOS
from ptde.envs.battle.ticks import LATEST, SOONEST
from ptde.envs.battle.units import RANGE, SIGHT, SIZE, STOP, TICKS
from ptde.envs.quiet import quietly
from ptde.envs.smax import MOVES

with quietly():
    from jaxmarl.environments.smax import HeuristicEnemySMAX
    from jaxmarl.environments.smax.heuristic_enemy import HeuristicPolicyState
    from jaxmarl.environments.smax.heuristic_enemy_smax_env import State
    from jaxmarl.environments.smax.smax_env import Scenario
    from jaxmarl.environments.smax.smax_env import State as UnitState


def jaxmarls(env):
    """JaxMARL's world for the battles of ``env``."""
    scenario, units = SCENARIOS[env.map_name], jnp.asarray(env.battle.fixed, jnp.uint8)
    drawn = scenario.drawn, scenario.drawn
    return HeuristicEnemySMAX(
        scenario=Scenario(units, env.n, env.units - env.n, *drawn),
        attack_mode=env.battle.mode,
        max_steps=env.spec.time_limit - 1,  # it checks the clock one step late
        walls_cause_death=env.battle.edge,
    )


def jaxmarls_state(env, ours: BattleState) -> State:
    units, memory, n = ours.units, ours.memory, env.n
    moves = jnp.concatenate([MOVES, jnp.zeros((1, 2))])
    return State(
        state=UnitState(
            unit_positions=units.place.T,
            unit_alive=units.alive,
            unit_teams=(jnp.arange(env.units) >= n).astype(jnp.float32),
            unit_health=units.health,
            unit_types=jnp.asarray(env.battle.kinds(units), jnp.uint8),
            unit_weapon_cooldowns=units.reload,
            prev_movement_actions=moves[jnp.minimum(units.order, STOP)],
            prev_attack_actions=jnp.where(units.order > STOP, units.order, 0),
            step=ours.time,
            done=jnp.array(False),
        ),
        enemy_policy_state=HeuristicPolicyState(
            default_target=memory.goal.T,
            last_attacked_enemy=jnp.where(memory.prey >= 0, n - 1 - memory.prey, -1),
        ),
    )


def our_state(env, theirs: State) -> BattleState:
    units, policy, n = theirs.state, theirs.enemy_policy_state, env.n
    moved = units.prev_movement_actions @ MOVES.T > 0.5
    move = jnp.where(moved.any(-1), jnp.argmax(moved, -1), STOP)
    order = jnp.where(units.prev_attack_actions > 0, units.prev_attack_actions, move)
    place, goal = units.unit_positions.T, policy.default_target.T
    turned = 16.0 - (place[:, n:] - 16.0)
    goal = jnp.where(units.step == 0, turned, goal)  # theirs is not set yet
    last = policy.last_attacked_enemy
    return BattleState(
        units=Units(
            place=place,
            health=units.unit_health,
            reload=units.unit_weapon_cooldowns,
            order=order.astype(jnp.int32),
            kind=units.unit_types.astype(jnp.int32) if env.battle.drawn else None,
        ),
        memory=Memory(goal=goal, prey=jnp.where(last >= 0, n - 1 - last, -1)),
        time=units.step,
    )


def jaxmarls_luck(env, key):
    """What the enemies' random choices are made of in ``step_env`` with this key."""
    _, action_key = jax.random.split(key)
    keys = jax.random.split(action_key, env.units - env.n)
    follow, attack = jnp.moveaxis(jax.vmap(jax.random.split)(keys), 1, 0)
    return jnp.stack([jax.vmap(jax.random.uniform)(k) for k in (attack, follow)])


def jaxmarls_deviations(env, key):
    """The deviations of every tick and unit, [8, U], in ``step_env`` with this key."""
    draw = lambda k: jax.random.uniform(k, minval=SOONEST, maxval=LATEST)

    def one(key, _):
        key, now = jax.random.split(key)
        return key, jax.vmap(draw)(jax.random.split(now, env.units))

    return jax.lax.scan(one, jax.random.split(key)[0], None, length=TICKS)[1]


def both(env, game, theirs: State, action, key):
    """A step of both worlds from one state with the same draws.

    Returns:
        Their next state, the reward and whether it is over; our next state and outcome; how
        often each unit fired, their units after each tick, and how far our units go
        elsewhere if they begin one rounding off.
    """
    actions = dict(zip(game.agents, action, strict=True))
    _, after, reward, done, _ = game.step_env(key, theirs, actions)
    film = game.step_env(key, theirs, actions, True)
    reload = jnp.concatenate(
        [theirs.state.unit_weapon_cooldowns[None], film.unit_weapon_cooldowns]
    )
    fired = reload[1:] > reload[:-1]
    deviation = jnp.sum(jnp.where(fired, jaxmarls_deviations(env, key), 0.0), axis=0)
    luck, state = jaxmarls_luck(env, key), our_state(env, theirs)
    ours, outcome = env.battle.step_with(state, action, luck, deviation)

    def nudged(key):
        place = state.units.place
        up = jax.random.bernoulli(key, shape=place.shape)
        place = jnp.nextafter(place, jnp.where(up, SIZE, 0.0))
        units = dataclasses.replace(state.units, place=place)
        off = dataclasses.replace(state, units=units)
        return env.battle.step_with(off, action, luck, deviation)[0].units.place

    sway = jnp.abs(jax.vmap(nudged)(jax.random.split(key, 4)) - ours.units.place).max()
    over, reward = done["__all__"], reward[game.agents[0]]
    return after, reward, over, ours, outcome, fired.sum(axis=0), film, sway


def margin(env, theirs: State, after: State, film: UnitState, key):
    """By how little a comparison of ``step_env`` was decided, at least: distances in range
    or sight, random choices, the closest ally, the longer way, the edge and the time to
    reload. Where it is tiny, another order of sums may decide otherwise.
    """
    n, kinds = env.n, theirs.state.unit_types
    before = jax.tree.map(
        lambda x, y: jnp.concatenate([x[None], y[:-1]]), theirs.state, film
    )
    place = before.unit_positions  # [8, U, 2], at the start of each tick
    offset = place[:, None] - place[:, :, None]  # [8, i, j]: from i to j
    distance = jnp.linalg.norm(offset, axis=-1)
    reach, sight = (jnp.asarray(table)[kinds][:, None] for table in (RANGE, SIGHT))
    ranges = jnp.abs(distance - reach).min()
    seen = jnp.abs(distance[0] - sight)[n:].min()
    toward = offset[0, n:, :n]  # [E, n, 2]
    goal = our_state(env, theirs).memory.goal.T - place[0, n:]
    ways = jnp.concatenate([toward.reshape(-1, 2), goal])
    ways = jnp.abs(jnp.abs(ways[:, 0]) - jnp.abs(ways[:, 1])).min()
    near = jnp.sort(distance[0, n:, :n], axis=1)
    nearest = jnp.diff(near, axis=1).min() if n > 1 else 1.0
    shares = jaxmarls_luck(env, key)[..., None] * jnp.arange(1, n + 1)
    shares = jnp.abs(shares - jnp.round(shares)).min()
    reload = jnp.abs(
        jnp.where(before.unit_weapon_cooldowns == 0.0, 1.0, before.unit_weapon_cooldowns)
    ).min()
    ends = film.unit_positions
    off = jnp.minimum(jnp.abs(ends), jnp.abs(ends - SIZE))
    edge = jnp.where(off == 0.0, 1.0, off).min()
    return jnp.stack([ranges, seen, ways, nearest, shares, reload, edge]).min()


def _least(x):
    """The smallest that is not 0, as units on the edge, and new weapons, are exactly."""
    return jnp.where(x == 0.0, 1.0, jnp.abs(x)).min()
