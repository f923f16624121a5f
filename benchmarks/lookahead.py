"""What a battle holds beyond good shooting: a scripted team, and one that looks ahead.

    python benchmarks/lookahead.py --map 5m_vs_6m [--tries 128 --ahead 8]

The script forms a line, waits, and has all shoot the enemy that most can reach, the weakest
of these. Looking ahead, the team tries the script's joint action and ``--tries`` variations
of it in the simulator, follows the script for ``--ahead`` steps after each, and takes the
one after which its health is best compared with the enemy's. It knows everything, draws
apart: no agent can play so. Prints the win rate and return of both.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import tyro
from jaxtyping import Array, Float, Int, Key

from ptde.envs.base import EnvState, restarted
from ptde.envs.battle.units import HEALTH, STOP, Units, of
from ptde.envs.settings import SmaxConfig
from ptde.envs.smax import Smax
from ptde.ops.keys import new_key
from ptde.types import TimeStep

SPACE = 0.8
"""Map units between neighbours in the line."""
CONTACT = 8.0
"""Distance of the nearest enemy at which the script attacks, in map units."""


@dataclass(frozen=True)
class Options:
    """The map, the battles and the search."""

    map: str = "5m_vs_6m"
    battles: int = 64
    tries: int = 128
    """Variations of each joint action that are tried."""
    ahead: int = 8
    """Joint steps that follow each of them in the simulator."""
    futures: int = 2
    """Drawn futures over which each is judged."""
    change: float = 0.3
    """Share of the agents whose action a variation draws anew."""
    seed: int = 1


class Team:
    """Both teams on one map."""

    def __init__(self, options: Options):
        self.o = options
        self.env = Smax(options.map, SmaxConfig())

    def script(self, units: Units, step: TimeStep) -> Int[Array, " n"]:
        """Form a line along y, as far back as the rearmost; then focused fire."""
        n, legal, big = self.env.n, step.local.legal, 1e3
        alive, x, y = units.alive[:n], units.x[:n], units.y[:n]
        dx, dy = units.x[n:] - x[:, None], units.y[n:] - y[:, None]
        distance = jnp.sqrt(dx**2 + dy**2) + jnp.where(units.alive[n:], 0.0, big)
        near = jnp.argmin(distance, axis=1)[:, None]
        to = [jnp.take_along_axis(d, near, axis=1)[:, 0] for d in (dx, dy)]
        can = legal[:, STOP + 1 :]
        worth = big * can.sum(0) - 10.0 * units.health[n:]
        target = jnp.argmax(jnp.where(can, worth, -big * big), axis=1)
        fight = jnp.where(can.any(1), STOP + 1 + target, _towards(*to))
        back = jnp.min(jnp.where(alive, x, big)) - x
        middle = jnp.sum(y * alive) / jnp.maximum(alive.sum(), 1)
        place = middle + SPACE * (jnp.argsort(jnp.argsort(y)) - (n - 1) / 2) - y
        there = jnp.maximum(jnp.abs(back), jnp.abs(place)) < SPACE
        form = jnp.where(there, STOP, _towards(back, place))
        meets = jnp.min(jnp.where(alive[:, None], distance, big)) < CONTACT
        action = jnp.where(meets, fight, form)
        able = jnp.take_along_axis(legal, action[:, None], axis=1)[:, 0]
        return jnp.where(able, action, STOP)

    def worth(self, units: Units) -> Float[Array, ""]:
        """The team's share of its health minus the enemy's, and who is dead."""
        n = self.env.n
        full = of(HEALTH, self.env.battle.kinds(units))
        own = units.health[:n].sum() / full[:n].sum()
        foe = units.health[n:].sum() / full[n:].sum()
        return own - foe + jnp.where(foe == 0, 1.0, 0.0) - jnp.where(own == 0, 0.5, 0.0)

    def looking(
        self, state: EnvState, step: TimeStep, key: Key[Array, ""]
    ) -> Int[Array, " n"]:
        """The best of the script's joint action and its variations."""
        base, legal = self.script(state[0][0].units, step), step.local.legal
        key_try, key_future = jax.random.split(key)

        def vary(key):
            which, what = jax.random.split(key)
            drawn = jax.random.categorical(what, jnp.where(legal, 0.0, -jnp.inf))
            return jnp.where(
                jax.random.bernoulli(which, self.o.change, base.shape), drawn, base
            )

        tried = jax.vmap(vary)(jax.random.split(key_try, self.o.tries))
        tried = jnp.concatenate([base[None], tried])
        futures = jax.random.split(key_future, self.o.futures)
        after = jax.vmap(lambda k, a: self._after(state, a, k), (0, None))
        return tried[jnp.argmax(jax.vmap(lambda a: after(futures, a).mean())(tried))]

    def _after(self, state: EnvState, action: Int[Array, " n"], key: Key[Array, ""]):
        """What ``ahead`` more steps of the script are worth after an action."""

        def one(carry, key):
            state, action, worth = carry
            after, step = self.env.step(state, action, key=key)
            units = after[0][0].units
            # a battle that is over stays as it ended
            worth = jnp.where(state[1], worth, self.worth(units))
            after = restarted(state[1], state, after)
            return (after, self.script(units, step), worth), None

        start = state, action, self.worth(state[0][0].units)
        keys = jax.random.split(key, self.o.ahead)
        return jax.lax.scan(one, start, keys)[0][2]

    def battle(self, act, key: Key[Array, ""]):
        """One battle: whether it is won, and the return."""
        key, key_reset = jax.random.split(key)
        state, step = self.env.reset(key=key_reset)

        def one(carry, key):
            state, step, won, gained = carry
            key_act, key_step = jax.random.split(key)
            over = state[1]
            after, shown = self.env.step(state, act(state, step, key_act), key=key_step)
            won = won + jnp.where(over, 0.0, shown.performance)
            gained = gained + jnp.where(over, 0.0, shown.reward)
            after, shown = restarted(over, (state, step), (after, shown))
            return (after, shown, won, gained), None

        keys = jax.random.split(key, self.env.spec.time_limit)
        zero = jnp.zeros(())
        return jax.lax.scan(one, (state, step, zero, zero), keys)[0][2:]


def _towards(dx: Float[Array, " n"], dy: Float[Array, " n"]) -> Int[Array, " n"]:
    """The move along the longer way: north, east, south or west."""
    along = jnp.where(dx > 0, 1, 3), jnp.where(dy > 0, 0, 2)
    return jnp.where(jnp.abs(dx) > jnp.abs(dy), *along)


def main():
    options = tyro.cli(Options, description=__doc__)
    team = Team(options)
    scripted = lambda state, step, key: team.script(state[0][0].units, step)
    for name, act in (("script", scripted), ("looking ahead", team.looking)):
        play = jax.jit(jax.vmap(lambda key, act=act: team.battle(act, key)))
        won, gained = play(jax.random.split(new_key(options.seed), options.battles))
        print(f"{name}: win rate {won.mean():.3f}, return {gained.mean():.2f}", flush=True)


if __name__ == "__main__":
    main()
