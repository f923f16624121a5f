"""Recordings of SMAX battles for the page."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, Key

from ptde.agents.watch import watched
from ptde.envs.smax import STEP_SECONDS, Smax
from ptde.page.scenes import Scenes, pack, start_of_side, thoughts
from ptde.pipeline import replay_key, team_policy
from ptde.report.battle import EVERY, player, scenes_of
from ptde.report.replay import Scene
from ptde.strategy import Side

MOVES = ("north", "east", "south", "west", "stop")
CROWD = 24
"""With more units, only every other moment is recorded; the page interpolates."""


def record_battles(env: Smax, sides: Sequence[Side], battles: int) -> Iterator[Scenes]:
    """Records each battle with all teams, from the same initial state."""
    play = [_player(env, side) for side in sides]
    thin = 2 if env.units > CROWD else 1
    for number in range(battles):
        key = replay_key(sides[0].seed, number)
        yield {
            "kind": "smax",
            "title": f"battle {number + 1}",
            "actions": [*MOVES, *(f"attack {j + 1}" for j in range(env.units - env.n))],
            "allies": env.n,
            "width": float(np.max(2 * np.asarray(env.half))),
            "seconds": STEP_SECONDS,
            "moments": 8 // EVERY // thin,
            "sides": [one(key, thin) for one in play],
        }


def _player(env: Smax, side: Side) -> Callable[[Key[Array, ""], int], dict[str, Any]]:
    policy = team_policy(side.folder, env, side.role, side.seed)
    played = player(env, watched(policy, env.spec.n_actions))

    def play(key: Key[Array, ""], thin: int) -> dict[str, Any]:
        moments, won, thought = played(key)
        scenes = scenes_of(env, moments, won)[::thin]
        return {
            **start_of_side(side),
            "end": "won" if won else "not won",
            "steps": len(moments.unit_health),
            **_units(scenes),
            **thoughts(thought),
        }

    return play


def _units(scenes: Sequence[Scene]) -> dict[str, Any]:
    """The units of all scenes as packed arrays, [moments, units] each."""
    many = lambda name: np.stack([getattr(scene, name) for scene in scenes])
    place = many("position")
    health = many("health").astype(float)
    target = many("target").astype(float)
    return {
        "letters": list(scenes[0].letter),
        "radius": [round(float(r), 3) for r in scenes[0].radius],
        "sight": [round(float(r), 3) for r in scenes[0].sight],
        "x": pack(place[..., 0], fine=True),
        "y": pack(place[..., 1], fine=True),
        "health": pack(np.where(health > 0, health, np.nan)),
        "target": pack(np.where(target >= 0, target, np.nan)),
    }
