"""Recordings of SMAX battles for the page."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import PyTree

from ptde.agents.watch import watched
from ptde.envs.battle.units import SIZE, TICKS
from ptde.envs.smax import STEP_SECONDS, Smax
from ptde.evaluation import replay_key, team_policy
from ptde.page.scenes import Scenes, pack, shown_values, start_of_side
from ptde.report.battle import EVERY, player, scenes_of
from ptde.report.replay import Scene
from ptde.strategy import Side

MOVES = ("north", "east", "south", "west", "stop")
CROWD = 24
"""With more units, only every other moment is recorded; the page interpolates."""


def record_battles(env: Smax, sides: Sequence[Side], battles: int) -> Iterator[Scenes]:
    """Records each battle with all teams, from the same initial state."""
    play, n_actions = player(env), env.spec.n_actions
    teams = [team_policy(side.folder, env, side.role, side.seed) for side in sides]
    teams = [watched(team, n_actions) for team in teams]
    thin = 2 if env.units > CROWD else 1
    for number in range(battles):
        key = replay_key(sides[0].seed, number)
        yield {
            "kind": "smax",
            "title": f"battle {number + 1}",
            "actions": [*MOVES, *(f"attack {j + 1}" for j in range(env.units - env.n))],
            "allies": env.n,
            "width": SIZE,
            "seconds": STEP_SECONDS,
            "moments": TICKS // EVERY // thin,
            "sides": [
                start_of_side(side) | _battle(env, *play(team, key), thin)
                for side, team in zip(sides, teams, strict=True)
            ],
        }


def _battle(
    env: Smax, moments: PyTree, won: bool, valued: PyTree, thin: int
) -> dict[str, Any]:
    return {
        "end": "won" if won else "not won",
        "steps": len(moments.health),
        **_units(scenes_of(env, moments, won)[::thin]),
        **shown_values(valued),
    }


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
