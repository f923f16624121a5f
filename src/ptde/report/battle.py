"""Playing an SMAX battle, and its scenes to draw."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
from jaxtyping import Array, Key, PyTree

from ptde.agents.policy import FullPolicy
from ptde.agents.watch import values_of, watched
from ptde.envs.battle import Units
from ptde.envs.battle.ticks import SOONEST
from ptde.envs.battle.units import (
    HEALTH,
    LETTERS,
    RADIUS,
    RELOAD,
    SIGHT,
    SIZE,
    STOP,
    TICK,
    TICKS,
)
from ptde.envs.smax import Smax
from ptde.report.replay import Scene

EVERY = 2
"""Of the 8 moments of a joint step, every ``EVERY``-th is shown."""


def battle_scenes(env: Smax, policy: FullPolicy, *, key: Key[Array, ""]) -> list[Scene]:
    """Plays one battle, and returns it scene by scene."""
    policy = watched(policy, env.spec.n_actions)  # the same program as for the page
    return scenes_of(env, *player(env)(policy, key)[:2])


def player(
    env: Smax,
) -> Callable[[FullPolicy, Key[Array, ""]], tuple[PyTree, bool, PyTree]]:
    """A function that plays battles, compiled once for all teams of the same networks.

    Returns:
        A function of a policy and a key, which decides all draws, to the units at 8 moments
        of every joint step, [steps, 8, ...]; whether it was won; and the policy's
        ``ActionValues`` at every step, [steps, ...], if it is watched (``agents.watch``).
    """

    def play(policy, scene, key):
        state, step, memory = scene
        key_policy, key_env = jax.random.split(key)
        team = jax.tree.map(lambda x: x[None], step)
        memory, output = policy(memory, team, key=key_policy)
        action = output.action[0]
        moments = env.battle.film(state[0], action, key=key_env)
        state, step, last = env.step_env(state, action, key=key_env)
        valued = jax.tree.map(lambda x: x[0], values_of(policy, memory))
        return (state, step, memory), (moments, last, step.performance, valued)

    @jax.jit  # weights are arguments, so that JAX's cache knows the program
    def roll(policy, key):
        key_reset, key_steps = jax.random.split(key)
        start = (*env.reset_env(key=key_reset), policy.start(1, env.spec.n_agents))
        keys = jax.random.split(key_steps, env.spec.time_limit)
        return jax.lax.scan(partial(play, policy), start, keys)[1]

    def played(policy, key):
        moments, last, won, valued = jax.tree.map(np.asarray, roll(policy, key))
        length = int(np.argmax(last)) + 1 if last.any() else len(last)
        moments, valued = jax.tree.map(lambda x: x[:length], (moments, valued))
        return moments, bool(won[length - 1]), valued

    return played


def scenes_of(env: Smax, moments: PyTree, won: bool) -> list[Scene]:
    """The scenes of a battle: every ``EVERY``-th of its moments, and its last."""
    scenes, length = [], len(moments.health)
    for t in range(length):
        for moment in range(0, TICKS, EVERY):
            units = jax.tree.map(lambda x, t=t, m=moment: x[t, m], moments)
            seconds = (t * TICKS + moment) * TICK
            caption = f"{env.map_name}   {seconds:4.1f} s"
            scenes.append(_scene(env, units, seconds, caption))
    units = jax.tree.map(lambda x: x[length - 1, -1], moments)
    seconds = length * TICKS * TICK
    caption = f"{env.map_name}   {seconds:4.1f} s   {'won' if won else 'not won'}"
    return [*scenes, _scene(env, units, seconds, caption)]


def _scene(env: Smax, units: Units, seconds: float, caption: str) -> Scene:
    kinds = np.asarray(env.battle.kinds(units))
    foe = units.order - (STOP + 1)
    ally = np.arange(env.units) < env.n
    target = np.where(ally, foe + env.n, env.n - 1 - foe)
    fired = units.reload > RELOAD[kinds] + SOONEST - 2 * TICK
    return Scene(
        position=np.asarray(units.place).T,
        health=units.health / HEALTH[kinds],
        radius=RADIUS[kinds],
        letter=[LETTERS[kind] for kind in kinds],
        target=np.where(fired & (foe >= 0), target, -1),
        sight=env.config.sight * SIGHT[kinds],
        allies=env.n,
        width=SIZE,
        seconds=seconds,
        caption=caption,
    )
