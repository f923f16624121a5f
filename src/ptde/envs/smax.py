"""SMAX: StarCraft-like battles in JAX (JaxMARL, Rutherford et al. 2024).

The battle itself is ``jaxmarl``'s. This module adds StarCraft's time limits, SMAC's
observations, legal moves and state, and the reward's scale.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.envs.base import AbstractEnv, EnvState
from ptde.envs.quiet import quietly
from ptde.envs.settings import SmaxConfig
from ptde.types import EnvSpec, LocalView, TimeStep
from ptde.validation import check_choice

with quietly():
    from jaxmarl.environments.smax import HeuristicEnemySMAX
    from jaxmarl.environments.smax.smax_env import MAP_NAME_TO_SCENARIO, Scenario

MOVES = jnp.array([[0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
"""Directions of the actions 0 .. 3; 4 is stop, 5 + j attacks enemy j."""
STOP = 4
STALKER, ZEALOT = 2, 3
UNITS = ("marine", "marauder", "stalker", "zealot", "zergling", "hydralisk")
"""Unit types by SMAX's numbers."""


def _versus(allies: list[int], enemies: list[int]) -> Scenario:
    units = jnp.array(allies + enemies, dtype=jnp.uint8)
    return Scenario(units, len(allies), len(enemies), False, False)


PAPER_SCENARIOS = {
    "3s_vs_8z": _versus([STALKER] * 3, [ZEALOT] * 8),
    "3s5z_vs_3s7z": _versus([STALKER] * 3 + [ZEALOT] * 5, [STALKER] * 3 + [ZEALOT] * 7),
}
"""The two maps that the paper added to SMAC's (Paper Sec. 4.1)."""

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

STEP_SECONDS = 0.5
"""Seconds of a joint step of SMAX. StarCraft's is 8 of its 22.4 game loops a second."""


def time_limit(map_name: str) -> int:
    """The time limit that a map has in StarCraft, converted to SMAX's joint steps."""
    seconds = SMAC_LIMITS.get(map_name, SMACV2_LIMIT) * 8 / 22.4
    return round(seconds / STEP_SECONDS)


def maps() -> tuple[str, ...]:
    """Every map that ``jaxmarl`` registers, and the paper's own."""
    return tuple(sorted({**MAP_NAME_TO_SCENARIO, **PAPER_SCENARIOS}))


class Smax(AbstractEnv):
    """A battle of the team against the scripted enemy."""

    def __init__(self, map_name: str, config: SmaxConfig | None = None):
        config = config or SmaxConfig()
        check_choice("map", map_name, maps())
        scenario = {**MAP_NAME_TO_SCENARIO, **PAPER_SCENARIOS}[map_name]
        self.config = config
        self.map_name = map_name
        limit = config.time_limit or time_limit(map_name)
        self.battle = HeuristicEnemySMAX(
            scenario=scenario,
            attack_mode=config.enemy_attack,
            max_steps=limit - 1,  # it checks the clock one step late
            walls_cause_death=config.observation == "native",
        )
        self.n, self.units = scenario.num_allies, self.battle._env.num_agents
        self.types = self._types(scenario)
        enemies = self.units - self.n
        per_unit = 4 + len(self.types)
        if config.observation == "native":
            obs_dim = self.battle.obs_size
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
        # Every unit but i, allies first: the order of SMAX's own observation.
        self.others = jnp.array(
            [[j for j in range(self.units) if j != i] for i in range(self.n)]
        )
        self.half = jnp.array([self.battle.map_width, self.battle.map_height]) / 2

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
        if scenario.smacv2_unit_type_generation:
            return tuple(range(6))
        units = [int(u) for u in scenario.unit_types]
        teams = units[: scenario.num_allies], units[scenario.num_allies :]
        mixed = any(len(set(team)) > 1 for team in teams)
        return tuple(sorted(set(units))) if mixed else ()

    def observation_names(self) -> tuple[str, ...]:
        """Names for the layout of ``_smac`` or ``_native``; "other ally 0" is the first
        ally but oneself. Whatever an agent does not see is 0; a dead agent sees nothing.
        """
        if self.config.observation == "native":
            unit = ["last move x", "last move y", "last target", "cooldown / longest"]
            unit += [f"is {name}" for name in UNITS]
            seen = ["health / full", "dx / sight", "dy / sight", *unit]
            parts = {f"other ally {i}": seen for i in range(self.n - 1)}
            parts |= {f"enemy {j}": seen for j in range(self.units - self.n)}
            parts["own"] = ["health / full", "x / width", "y / height", *unit[3:]]
        else:
            types = [f"is {UNITS[t]}" for t in self.types]
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
        _, battle = self.battle.reset(key)
        nobody = jnp.full((self.n,), -1, jnp.int32)
        state = (battle, nobody)
        return state, self._show(state, jnp.zeros(()), jnp.ones(()))

    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Bool[Array, ""]]:
        battle, _ = state
        actions = dict(zip(self.battle.agents, action, strict=True))
        _, battle, reward, done, _ = self.battle.step_env(key, battle, actions)
        alive = battle.state.unit_alive
        decided = ~alive[: self.n].any() | ~alive[self.n :].any()
        state = (battle, action.astype(jnp.int32))
        reward = self.config.reward_scale * reward[self.battle.agents[0]]
        discount = 1.0 - decided.astype(jnp.float32)
        return state, self._show(state, reward, discount), done["__all__"]

    def _show(
        self, state: EnvState, reward: Float[Array, ""], discount: Float[Array, ""]
    ) -> TimeStep:
        battle, last_action = state
        units = battle.state
        alive = units.unit_alive[: self.n]
        seen = self._seen(units)
        features = self._native if self.config.observation == "native" else self._smac
        observe = lambda seen: jnp.where(alive[:, None], features(units, seen), 0.0)
        everything = (*seen[:2], units.unit_alive[self.others])
        return TimeStep(
            local=LocalView(
                obs=observe(seen),
                legal=self._legal(units, seen),
                last_action=last_action,
                alive=alive,
            ),
            state=self._state(units, last_action),
            reward=reward,
            discount=discount,
            first=units.step == 0,
            performance=jnp.where((discount == 0.0) & alive.any(), 1.0, 0.0),
            full_obs=observe(everything) if self.config.full_sight else None,
        )

    def _seen(self, units) -> tuple[Array, Array, Array]:
        """Offsets [n, other, 2] in map units, distances, and which units are seen."""
        position = units.unit_positions
        offset = position[self.others] - position[: self.n, None]
        distance = jnp.linalg.norm(offset, axis=-1)
        seen = distance < self.config.sight * self._sight(units)[:, None]
        return offset, distance, seen & units.unit_alive[self.others]

    def _sight(self, units) -> Float[Array, " n"]:
        return self.battle.unit_type_sight_ranges[units.unit_types[: self.n]]

    def _free(self, units) -> Bool[Array, "n 4"]:
        """Whether each move of one step ends on the map."""
        speed = self.battle.unit_type_velocities[units.unit_types[: self.n]]
        step = STEP_SECONDS * speed[:, None, None] * MOVES
        ahead = units.unit_positions[: self.n, None] + step
        return jnp.all((ahead > 0.0) & (ahead < 2.0 * self.half), axis=-1)

    def _range(self, units) -> Float[Array, " n"]:
        return self.battle.unit_type_attack_ranges[units.unit_types[: self.n]]

    def _health(self, units) -> Float[Array, " units"]:
        return units.unit_health / self.battle.unit_type_health[units.unit_types]

    def _cooldown(self, units) -> Float[Array, " units"]:
        longest = self.battle.unit_type_weapon_cooldowns[units.unit_types]
        return jnp.clip(units.unit_weapon_cooldowns / longest, 0.0, 1.0)

    def _type_bits(self, units) -> Float[Array, "units bits"]:
        bits = [units.unit_types == t for t in self.types]
        return (
            jnp.stack(bits, -1).astype(jnp.float32) if bits else jnp.zeros((self.units, 0))
        )

    def _legal(self, units, seen) -> Bool[Array, "n u"]:
        """Moves and attacks of the living, stop for all; no attack on what is not seen.

        As in SMAC, the moves' part is the four bits "can move" of the observation.
        """
        _, distance, visible = seen
        alive = units.unit_alive[: self.n, None]
        in_range = (distance < self._range(units)[:, None]) & visible
        attack = in_range[:, self.n - 1 :] & alive
        move = jnp.broadcast_to(alive, (self.n, len(MOVES)))
        if self.config.observation == "smac":
            move = move & self._free(units)
        return jnp.concatenate([move, jnp.ones_like(alive), attack], axis=-1)

    def _smac(self, units, seen) -> Float[Array, "n o"]:
        """SMAC's layout: can move (4), enemies, allies, oneself; no shields in SMAX.

        Enemy [attackable, distance, dx, dy, health, type], ally [visible, distance, dx, dy,
        health, type], oneself [health, type]; distances in units of the sight range.
        """
        offset, distance, visible = seen
        sight = self._sight(units)[:, None]
        types = self._type_bits(units)
        health = self._health(units)
        other = jnp.concatenate(
            [
                visible[..., None].astype(jnp.float32),
                (distance / sight)[..., None],
                offset / sight[..., None],
                health[self.others][..., None],
                types[self.others],
            ],
            axis=-1,
        )
        other = jnp.where(visible[..., None], other, 0.0)
        allies, enemies = other[:, : self.n - 1], other[:, self.n - 1 :]
        legal = self._legal(units, seen).astype(jnp.float32)
        enemies = enemies.at[..., 0].set(legal[:, STOP + 1 :])
        own = jnp.concatenate([health[: self.n, None], types[: self.n]], axis=-1)
        flat = [x.reshape(self.n, -1) for x in (enemies, allies)]
        return jnp.concatenate([legal[:, :STOP], *flat, own], axis=-1)

    def _native(self, units, seen) -> Float[Array, "n o"]:
        """SMAX's own layout: allies and enemies, then oneself."""
        offset, _, visible = seen
        sight = self._sight(units)[:, None, None]
        most = jnp.where(jnp.arange(self.units) < self.n, self.units - self.n, self.n)
        target = units.prev_attack_actions / (most + STOP).astype(jnp.float32)
        unit = jnp.concatenate(
            [
                units.prev_movement_actions,
                target[:, None],
                self._cooldown(units)[:, None],
                jax.nn.one_hot(units.unit_types, self.battle.unit_type_bits),
            ],
            axis=-1,
        )
        health = self._health(units)
        other = jnp.concatenate(
            [health[self.others][..., None], offset / sight, unit[self.others]], axis=-1
        )
        other = jnp.where(visible[..., None], other, 0.0).reshape(self.n, -1)
        own = [
            health[: self.n, None],
            units.unit_positions[: self.n] / (2.0 * self.half),
            unit[: self.n, 3:],
        ]
        return jnp.concatenate([other, *own], axis=-1)

    def _state(self, units, last_action: Int[Array, " n"]) -> Float[Array, " s"]:
        """Units [health, cooldown, x, y, type], then last actions; zeros for the dead.

        x and y are relative to the map's centre, in [-1, 1]. As in SMAC, but with the
        enemy's cooldowns, which SMAX's own state shows too.
        """
        place = (units.unit_positions - self.half) / self.half
        unit = jnp.concatenate(
            [
                self._health(units)[:, None],
                self._cooldown(units)[:, None],
                place,
                self._type_bits(units),
            ],
            axis=-1,
        )
        unit = jnp.where(units.unit_alive[:, None], unit, 0.0)
        actions = jax.nn.one_hot(last_action, self.spec.n_actions)
        return jnp.concatenate([unit.reshape(-1), actions.reshape(-1)])
