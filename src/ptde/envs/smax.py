"""SMAX: StarCraft-like battles in JAX (JaxMARL, Rutherford et al. 2024).

The battle itself, ``ptde.envs.battle``, follows ``jaxmarl``'s rules. This module adds
StarCraft's time limits, SMAC's observations, legal moves and state, and the reward's scale.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from ptde.envs.base import AbstractEnv, EnvState, restarted, typed
from ptde.envs.battle import Battle, Outcome, Units
from ptde.envs.battle.maps import SCENARIOS, Scenario
from ptde.envs.battle.units import (
    HEALTH,
    NAMES,
    RANGE,
    RELOAD,
    SIGHT,
    SIZE,
    SPEED,
    STOP,
    TICK,
    TICKS,
    heading,
    of,
)
from ptde.envs.settings import SmaxConfig
from ptde.types import EnvSpec, LocalView, TimeStep
from ptde.validation import check_choice

MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], np.float32)
"""Directions of the actions 0 .. 3; 4 is stop, 5 + j attacks enemy j."""


Pairs: TypeAlias = tuple[
    Float[Array, "n U"], Float[Array, "n U"], Float[Array, "n U"], Bool[Array, "n U"]
]
"""Of each ally and all units: dx, dy and the distance in map units, and who sees whom."""


SMAC_LIMITS = {
    "3m": 60,
    "8m": 120,
    "25m": 150,
    "2s3z": 120,
    "3s5z": 150,
    "5m_vs_6m": 70,
    "10m_vs_11m": 150,
    "27m_vs_30m": 180,
    "3s_vs_5z": 250,
    "3s_vs_8z": 350,
    "6h_vs_8z": 150,
    "3s5z_vs_3s6z": 170,
    "3s5z_vs_3s7z": 170,
}
"""Time limits in StarCraft's joint steps: SMAC's, and the paper's for its own two maps."""

SMACV2_LIMIT = 200
"""The time limit of SMACv2's maps, and here of all that are not in ``SMAC_LIMITS``."""

STEP_SECONDS = TICKS * TICK
"""Seconds of a joint step of SMAX. StarCraft's is 8 of its 22.4 game loops a second."""


def time_limit(map_name: str) -> int:
    """The time limit that a map has in StarCraft, converted to SMAX's joint steps."""
    seconds = SMAC_LIMITS.get(map_name, SMACV2_LIMIT) * 8 / 22.4
    return round(seconds / STEP_SECONDS)


def maps() -> tuple[str, ...]:
    """Every map: ``jaxmarl``'s, and the paper's own."""
    return tuple(sorted(SCENARIOS))


class Smax(AbstractEnv):
    """A battle of the team against the scripted enemy."""

    def __init__(self, map_name: str, config: SmaxConfig | None = None):
        config = config or SmaxConfig()
        check_choice("map", map_name, maps())
        scenario = SCENARIOS[map_name]
        self.config = config
        self.map_name = map_name
        limit = config.time_limit or time_limit(map_name)
        edge = config.observation == "native"
        self.battle = Battle(scenario, config.enemy_attack, edge)
        self.n, self.units = self.battle.n, self.battle.units
        self.types = self._types(scenario)
        enemies = self.units - self.n
        per_unit = 4 + len(self.types)
        if config.observation == "native":
            obs_dim = (self.units - 1) * (7 + len(NAMES)) + 4 + len(NAMES)
        else:
            obs_dim = 4 + (self.units - 1) * (5 + len(self.types))
            obs_dim += 1 + len(self.types)
        n_actions = STOP + 1 + enemies
        self.spec = EnvSpec(
            name=f"smax/{map_name}",
            n_agents=self.n,
            obs_dim=obs_dim,
            state_dim=self.units * per_unit + self.n * n_actions,
            n_actions=n_actions,
            time_limit=limit,
            full_obs_dim=obs_dim if config.full_sight else 0,
            entities=self._entities(per_unit, n_actions),
        )

    def _entities(self, width: int, n_actions: int) -> tuple[tuple[int, ...], ...]:
        """The places of each unit's block in the state; an ally's has its last action."""
        actions = self.units * width
        blocks = [tuple(range(i * width, (i + 1) * width)) for i in range(self.units)]
        for i in range(self.n):
            start = actions + i * n_actions
            blocks[i] += tuple(range(start, start + n_actions))
        return tuple(blocks)

    @staticmethod
    def _types(scenario: Scenario) -> tuple[int, ...]:
        """Unit types that get a bit in the features: none if each team has one type."""
        kinds = range(len(NAMES)) if scenario.drawn else scenario.kinds.tolist()
        return tuple(sorted(set(kinds))) if scenario.mixed else ()

    def observation_names(self) -> tuple[str, ...]:
        """Names for the layout of ``_smac`` or ``_native``; "other ally 0" is the first
        ally but oneself. Whatever an agent does not see is 0; a dead agent sees nothing.
        """
        if self.config.observation == "native":
            unit = ["last move x", "last move y", "last target", "cooldown / longest"]
            unit += [f"is {name}" for name in NAMES]
            seen = ["health / full", "dx / sight", "dy / sight", *unit]
            parts = {f"other ally {i}": seen for i in range(self.n - 1)}
            parts |= {f"enemy {j}": seen for j in range(self.units - self.n)}
            parts["own"] = ["health / full", "x / width", "y / height", *unit[3:]]
        else:
            types = [f"is {NAMES[t]}" for t in self.types]
            seen = ["distance / sight", "dx / sight", "dy / sight", "health / full", *types]
            enemy, ally = ["attackable", *seen], ["visible", *seen]
            parts = {"can": list(self.action_names()[:STOP])}
            parts |= {f"enemy {j}": enemy for j in range(self.units - self.n)}
            parts |= {f"other ally {i}": ally for i in range(self.n - 1)}
            parts["own"] = ["health / full", *types]
        return tuple(f"{who}: {what}" for who, whats in parts.items() for what in whats)

    def action_names(self) -> tuple[str, ...]:
        moves = [f"move {way}" for way in ("north (+y)", "east (+x)", "south", "west")]
        shots = [f"attack enemy {j}" for j in range(self.units - self.n)]
        return (*moves, "stop", *shots)

    def reset_env(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        state = self._begin(key)
        return state, self._show(state, jnp.zeros(()), jnp.ones(()))

    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Bool[Array, ""]]:
        state, outcome, last = self._play(state, action, key)
        discount = 1.0 - outcome.decided.astype(jnp.float32)
        return state, self._show(state, outcome.reward, discount), last

    def step(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep]:
        """As ``AbstractEnv`` has it, but what is shown is computed once: after the restart,
        not for the battle that ends and for the new one.
        """
        inner, ended = state
        key_reset, key_step = jax.random.split(key)
        inner, outcome, last = self._play(inner, action, key_step)
        inner = restarted(ended, self._begin(key_reset), inner)
        reward = jnp.where(ended, 0.0, outcome.reward)
        discount = jnp.where(outcome.decided & ~ended, 0.0, 1.0)
        shown = self._show(inner, reward, discount)
        last = last & ~ended
        return typed(((inner, last), self.timed(shown, last)))

    def _begin(self, key: Key[Array, ""]) -> EnvState:
        nobody = jnp.full((self.n,), -1, jnp.int32)
        return self.battle.begin(key=key), nobody

    def _play(
        self, state: EnvState, action: Int[Array, " n"], key: Key[Array, ""]
    ) -> tuple[EnvState, Outcome, Bool[Array, ""]]:
        """The state after ``action``, what it brought, and whether the episode is over."""
        battle, outcome = self.battle.step(state[0], action, key=key)
        late = battle.time >= self.spec.time_limit
        reward = self.config.reward_scale * outcome.reward
        outcome = replace(outcome, reward=reward)
        return (battle, action.astype(jnp.int32)), outcome, outcome.decided | late

    def _show(
        self, state: EnvState, reward: Float[Array, ""], discount: Float[Array, ""]
    ) -> TimeStep:
        battle, last_action = state
        units = battle.units
        alive = units.alive[: self.n]
        pairs = self._pairs(units)
        legal = self._legal(units, pairs)
        features = self._native if self.config.observation == "native" else self._smac
        observe = lambda pairs, legal: jnp.where(
            alive[:, None], features(units, pairs, legal), 0.0
        )
        full_obs = None
        if self.config.full_sight:
            everything = (*pairs[:3], jnp.broadcast_to(units.alive, pairs[3].shape))
            full_obs = observe(everything, self._legal(units, everything))
        return TimeStep(
            local=LocalView(
                obs=observe(pairs, legal),
                legal=legal,
                last_action=last_action,
                alive=alive,
            ),
            state=self._state(units, last_action),
            reward=reward,
            discount=discount,
            first=battle.time == 0,
            performance=jnp.where((discount == 0.0) & alive.any(), 1.0, 0.0),
            full_obs=full_obs,
        )

    def _pairs(self, units: Units) -> Pairs:
        """How all units lie to each ally, and whom of them he sees: himself, too."""
        dx = units.x - units.x[: self.n, None]
        dy = units.y - units.y[: self.n, None]
        distance = jnp.sqrt(dx**2 + dy**2)
        seen = distance < self.config.sight * self._sight(units)
        return dx, dy, distance, seen & units.alive

    def _others(self, pairs: Shaped[Array, "n U f"]) -> Shaped[Array, "n others f"]:
        """Every unit but the observer, allies first: slices, which cost no gather."""
        allies, enemies = pairs[:, : self.n], pairs[:, self.n :]
        before = np.arange(self.n - 1) < np.arange(self.n)[:, None]
        others = jnp.where(before[..., None], allies[:, :-1], allies[:, 1:])
        return jnp.concatenate([others, enemies], axis=1)

    def _of(self, table: np.ndarray, units: Units) -> Float[np.ndarray | Array, " U"]:
        return of(table, self.battle.kinds(units))

    def _sight(self, units: Units) -> Float[np.ndarray | Array, "n 1"]:
        return self._of(SIGHT, units)[: self.n, None]

    def _free(self, units: Units) -> Bool[Array, "n 4"]:
        """Whether each move of one step ends on the map."""
        step = STEP_SECONDS * self._of(SPEED, units)[: self.n, None]
        x = units.x[: self.n, None] + step * MOVES[:, 0]
        y = units.y[: self.n, None] + step * MOVES[:, 1]
        return (x > 0.0) & (x < SIZE) & (y > 0.0) & (y < SIZE)

    def _health(self, units: Units) -> Float[Array, " U"]:
        return units.health / self._of(HEALTH, units)

    def _cooldown(self, units: Units) -> Float[Array, " U"]:
        return jnp.clip(units.reload / self._of(RELOAD, units), 0.0, 1.0)

    def _type_bits(self, units: Units, types: Sequence[int]) -> list[Array]:
        """Whether each unit is of each type, [U] each."""
        kinds = self.battle.kinds(units)
        return [jnp.asarray(kinds == t).astype(jnp.float32) for t in types]

    def _legal(self, units: Units, pairs: Pairs) -> Bool[Array, "n u"]:
        """Moves and attacks of the living, stop for all; no attack on what is not seen.

        As in SMAC, the moves' part is the four bits "can move" of the observation.
        """
        _, _, distance, seen = (x[:, self.n :] for x in pairs)
        alive = units.alive[: self.n, None]
        in_range = distance < self._of(RANGE, units)[: self.n, None]
        attack = in_range & seen & alive
        move = jnp.broadcast_to(alive, (self.n, len(MOVES)))
        if self.config.observation == "smac":
            move = move & self._free(units)
        return jnp.concatenate([move, jnp.ones_like(alive), attack], axis=-1)

    def _smac(
        self, units: Units, pairs: Pairs, legal: Bool[Array, "n u"]
    ) -> Float[Array, "n o"]:
        """SMAC's layout: can move (4), enemies, allies, oneself; no shields in SMAX.

        Enemy [attackable, distance, dx, dy, health, type], ally [visible, distance, dx, dy,
        health, type], oneself [health, type]; distances in units of the sight range.
        """
        dx, dy, distance, seen = pairs
        sight, can = self._sight(units), legal.astype(jnp.float32)
        unit = [self._health(units), *self._type_bits(units, self.types)]
        first = jnp.concatenate([jnp.ones((self.n, self.n)), can[:, STOP + 1 :]], axis=1)
        columns = [first, distance / sight, dx / sight, dy / sight]
        other = self._others(_table(seen, *columns, *unit))
        allies, enemies = other[:, : self.n - 1], other[:, self.n - 1 :]
        flat = [x.reshape(self.n, -1) for x in (enemies, allies)]
        own = jnp.stack(unit, axis=-1)[: self.n]
        return jnp.concatenate([can[:, :STOP], *flat, own], axis=-1)

    def _native(
        self, units: Units, pairs: Pairs, legal: Bool[Array, "n u"]
    ) -> Float[Array, "n o"]:
        """SMAX's own layout: allies and enemies, then oneself."""
        dx, dy, _, seen = pairs
        sight, health = self._sight(units), self._health(units)
        most = np.where(np.arange(self.units) < self.n, self.units - self.n, self.n) + STOP
        shown = [self._cooldown(units), *self._type_bits(units, range(len(NAMES)))]
        target = jnp.where(units.order > STOP, units.order, 0) / most.astype(np.float32)
        acted = [*heading(units.order), target]
        other = self._others(_table(seen, health, dx / sight, dy / sight, *acted, *shown))
        own = jnp.stack([health, units.x / SIZE, units.y / SIZE, *shown], axis=-1)
        return jnp.concatenate([other.reshape(self.n, -1), own[: self.n]], axis=-1)

    def _state(self, units: Units, last_action: Int[Array, " n"]) -> Float[Array, " s"]:
        """Units [health, cooldown, x, y, type], then last actions; zeros for the dead.

        x and y are relative to the map's centre, in [-1, 1]. As in SMAC, but with the
        enemy's cooldowns, which SMAX's own state shows too.
        """
        half = SIZE / 2
        place = [(units.x - half) / half, (units.y - half) / half]
        columns = [self._health(units), self._cooldown(units), *place]
        columns += self._type_bits(units, self.types)
        unit = jnp.where(units.alive[:, None], jnp.stack(columns, axis=-1), 0.0)
        actions = jax.nn.one_hot(last_action, self.spec.n_actions)
        return jnp.concatenate([unit.reshape(-1), actions.reshape(-1)])


def _table(seen: Bool[Array, "n U"], *columns: Array) -> Float[Array, "n U f"]:
    """Columns of pairs [n, U] or of units [U] as a table; zeros for what is not seen."""
    wide = [jnp.broadcast_to(column, seen.shape) for column in columns]
    return jnp.where(seen[..., None], jnp.stack(wide, axis=-1), 0.0)
