"""StarCraft II through the user's own SMAC or SMACv2 (Samvelyan et al. 2019).

`ptde doctor` says what is missing. SMAC has no maps for the paper's 3s_vs_8z and
3s5z_vs_3s7z: SMACv2 spawns their units on its empty map, where the enemy behaves a little
differently, so that results are not strictly comparable; ``notes`` says so.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ptde.processes.adapters.pymarl import PyMarl
from ptde.processes.games.doctor import SMAC_MAPS, need, starcraft_home
from ptde.processes.protocol import ProcessStep

SIZES = {
    "3s_vs_5z": (250, 3, 11, 48, 68),
    "5m_vs_6m": (70, 5, 12, 55, 98),
    "3s5z_vs_3s6z": (170, 8, 15, 136, 230),
    "6h_vs_8z": (150, 6, 14, 78, 140),
    "3s_vs_8z": (350, 3, 14, 66, 89),
    "3s5z_vs_3s7z": (170, 8, 16, 144, 244),
}
"""Time limit, agents, actions, observation and state, as in SMAC's ``get_env_info``."""

MAPS = tuple(SIZES)
"""The paper's maps, in its order."""

ENVIRON = (("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "python"),)
"""Environment without which SMAC cannot be imported with recent versions of protobuf."""


EMPTY = "32x32_flat"
"""SMACv2's map without units, on which battles are spawned."""


def maps() -> tuple[str, ...]:
    """The paper's maps, and all others of the user's installation (3m, 8m, MMM2 ...)."""
    folder = starcraft_home() / SMAC_MAPS
    others = {path.stem for path in folder.glob("*.SC2Map")} - {*MAPS, EMPTY}
    return (*MAPS, *sorted(others))


@dataclass(frozen=True)
class Spawned:
    """A battle that SMACv2 spawns on its empty map."""

    ally: tuple[str, ...]
    enemy: tuple[str, ...]
    limit: int
    unit_type_bits: int
    map_type: str


SPAWNED = {
    "3s_vs_8z": Spawned(("stalker",) * 3, ("zealot",) * 8, 350, 0, "stalkers"),
    "3s5z_vs_3s7z": Spawned(
        ("stalker",) * 3 + ("zealot",) * 5,
        ("stalker",) * 3 + ("zealot",) * 7,
        170,
        2,
        "protoss_gen",
    ),
}
PLACES = ((9.0, 16.0), (23.0, 16.0))
"""Where the two sides start on the empty map of 32 x 32."""
SPREAD = 1.0
"""Map units between two units of a side."""


class StarCraft(PyMarl):
    """A battle against the built-in enemy.

    An agent is alive while its no-op is illegal: SMAC allows it to the dead alone.
    """

    measure = "win rate"
    always_tells = True

    def __init__(
        self,
        map_name: str,
        difficulty: str = "7",
        step_mul: int = 8,
        continuing_episode: bool = True,
        record: str = "",
        seed: int = 0,
        make: Callable[..., Any] | None = None,
    ):
        """Starts no game yet: the first reset does.

        Args:
            map_name: a map of SMAC's, or one of ``SPAWNED``.
            difficulty: difficulty of the built-in enemy, "1" to "9" and "A".
            step_mul: game loops (22.4 a second) per joint step.
            continuing_episode: SMAC then says which battles its time limit cut; without
                it, as in the paper's runs, they look lost.
            record: the folder for replays; "" is the game's own.
            seed: seed of the battle's randomness; SMAC takes it only here.
            make: makes a ``StarCraft2Env``; None imports SMAC's, or SMACv2's.
        """
        self.spawned = None if _own_map(map_name) else SPAWNED.get(map_name)
        options = {
            "map_name": map_name,
            "difficulty": difficulty,
            "step_mul": step_mul,
            "continuing_episode": continuing_episode,
            "seed": seed,
            "replay_dir": record or None,
        }
        self.notes: tuple[str, ...] = ()
        if self.spawned is not None:
            options.update(_spawning(map_name, self.spawned))
            self.notes = (
                f"{map_name} is spawned by SMACv2: its enemy differs from SMAC's, so "
                "results are not strictly comparable with the paper's",
            )
        make = make or _starcraft_env(self.spawned is not None)
        super().__init__(make(**options))

    def reset(self, seed: int) -> ProcessStep:
        if self.spawned is None:
            self.env.reset()
        else:
            self.env.reset(_battle(self.spawned, np.random.default_rng(seed)))
        return self._seen()

    def step(self, action: np.ndarray) -> ProcessStep:
        step = super().step(action)
        dead = [self.info.get(f"dead_{side}", 0) for side in ("enemies", "allies")]
        step.score = float(dead[0] - dead[1])
        return step

    def replay(self) -> str:
        """Saves the game as an .SC2Replay, which StarCraft II plays; returns the folder."""
        self.env.save_replay()
        return str(self.env.replay_dir or "the folder Replays of StarCraft II")

    def _seen(self) -> ProcessStep:
        step = super()._seen()
        step.alive = ~np.asarray(step.legal)[:, 0]
        step.score = 0.0
        return step


def require(map_name: str) -> None:
    """Raises ValueError, which says what to do, if a battle on this map lacks a part."""
    need("starcraft")
    spawned = map_name in SPAWNED and not _own_map(map_name)
    if spawned and importlib.util.find_spec("smacv2") is None:
        raise ValueError(
            f"{map_name} is no map of SMAC, and SMACv2, which can spawn its units, is not "
            "installed: pip install git+https://github.com/oxwhirl/smacv2.git"
        )


def _starcraft_env(spawned: bool) -> Callable[..., Any]:
    for key, value in ENVIRON:
        os.environ.setdefault(key, value)
    if spawned:
        from smacv2.env import StarCraft2Env

        return StarCraft2Env
    try:
        from smac.env import StarCraft2Env
    except ImportError:
        from smacv2.env import StarCraft2Env
    return StarCraft2Env


def _own_map(name: str) -> bool:
    """Whether the user's SMAC has a map file of that name."""
    return (starcraft_home() / SMAC_MAPS / f"{name}.SC2Map").is_file()


def _spawning(name: str, battle: Spawned) -> dict[str, Any]:
    """Options for SMACv2, with which the map is registered."""
    from smacv2.env.starcraft2.maps import smac_maps

    registered = f"10gen_{name}"
    n, m = len(battle.ally), len(battle.enemy)
    smac_maps.map_param_registry[registered] = {
        "n_agents": n,
        "n_enemies": m,
        "limit": battle.limit,
        "a_race": "P",
        "b_race": "P",
        "unit_type_bits": battle.unit_type_bits,
        "map_type": battle.map_type,
        "map_name": EMPTY,
    }
    if registered not in vars(smac_maps):
        file = {"filename": EMPTY}
        setattr(smac_maps, registered, type(registered, (smac_maps.SMACMap,), file))
    team = {"n_units": n, "n_enemies": m, "observe": True}
    return {
        "map_name": registered,
        "conic_fov": False,
        "use_unit_ranges": False,
        "capability_config": {
            "n_units": n,
            "n_enemies": m,
            "team_gen": team,
            "start_positions": {},
        },
    }


def _battle(battle: Spawned, draw: np.random.Generator) -> dict[str, Any]:
    """The units of a battle and their places: each side in a column, the sides drawn."""
    ours, theirs = draw.permutation(len(PLACES))
    ally, enemy = list(battle.ally), list(battle.enemy)
    return {
        "team_gen": {"ally_team": ally, "enemy_team": enemy, "id": 0},
        "ally_start_positions": {"item": _around(PLACES[ours], len(ally)), "id": 0},
        "enemy_start_positions": {"item": _around(PLACES[theirs], len(enemy)), "id": 0},
    }


def _around(place: tuple[float, float], count: int) -> np.ndarray:
    """[count, 2]: a column of places around a centre."""
    x, y = place
    return np.array([(x, y + SPREAD * (i - (count - 1) / 2)) for i in range(count)])
