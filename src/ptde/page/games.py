"""Recordings of games in worlds that are programs: pitches and films."""

import base64
import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key
from PIL import Image

from ptde.agents.watch import values_of, watched
from ptde.envs.process import ProcessWorld
from ptde.evaluation import replay_key, team_policy
from ptde.page.scenes import Scenes, pack, shown_values, start_of_side
from ptde.processes.games.football import ACTION_NAMES, PLAYERS, places
from ptde.rollout.process import episode
from ptde.strategy import Side
from ptde.types import TimeStep

FRAMES = 40
"""Most pictures of a film."""
WIDTH = 360
"""Greatest width and height of a film, in pixels."""


def _scenario(world: ProcessWorld) -> str | None:
    """The scenario of a football world; None for other worlds."""
    family, _, name = world.spec.name.partition("/")
    return name if family == "football" and name in PLAYERS else None


def record_games(
    env: ProcessWorld, sides: Sequence[Side], battles: int
) -> Iterator[Scenes]:
    """Records each game with all teams, from the same seed."""
    scenario = _scenario(env)
    numbers = range(env.spec.n_actions)
    with closing(env.recording(None)) as one:
        for number in range(battles):
            key = replay_key(sides[0].seed, number)
            yield {
                "kind": "pitch" if scenario else "film",
                "title": f"game {number + 1}",
                "actions": list(ACTION_NAMES) if scenario else [f"{u}" for u in numbers],
                "left": PLAYERS[scenario][0] if scenario else 0,
                "sides": [_side(one, side, scenario, key) for side in sides],
            }


def _side(
    world: ProcessWorld, side: Side, scenario: str | None, key: Key[Array, ""]
) -> dict[str, Any]:
    policy = team_policy(side.folder, world, side.role, side.seed)
    policy = watched(policy, world.spec.n_actions)
    steps: list[TimeStep] = []
    pictures, valued = [], []
    for step, memory in episode(policy, world, key=key):
        if steps:
            valued.append(jax.tree.map(lambda x: x[0], values_of(policy, memory)))
        steps.append(jax.tree.map(lambda x: x[0], step))
        if scenario is None:
            pictures.append(world.pool.ask(0, "frame"))
    together = jax.tree.map(lambda *x: np.stack(x), *valued)
    return {
        **start_of_side(side),
        "end": _end(steps[-1], scenario),
        "steps": len(steps) - 1,
        **(_pitch(steps, scenario) if scenario else {"frames": _film(pictures)}),
        **shown_values(together),
    }


def _end(last: TimeStep, scenario: str | None) -> str:
    if last.score is not None:
        what = "goal difference" if scenario else "score"
        return f"{what} {float(last.score):+.3g}"
    reached = float(last.performance)
    return {0.0: "not won", 1.0: "won"}.get(reached, f"result {reached:.2f}")


def _pitch(steps: Sequence[TimeStep], scenario: str) -> dict[str, Any]:
    """Players and ball at every step, [steps, players], and the player of each agent."""
    shown = [places(np.asarray(step.state), scenario) for step in steps]
    players, balls = (np.stack(x) for x in zip(*shown, strict=True))
    width = PLAYERS[scenario][0]  # an observation ends with a one-hot of the player
    controlled = [np.argmax(step.local.obs[:, -width:], axis=-1) for step in steps]
    return {
        "x": pack(players[..., 0], fine=True),
        "y": pack(players[..., 1], fine=True),
        "ball": pack(balls, fine=True),
        "controlled": pack(np.stack(controlled)),
    }


def _film(pictures: Sequence[np.ndarray]) -> list[str]:
    """Some of the pictures, reduced, as data URLs."""
    at = np.unique(np.linspace(0, len(pictures) - 1, FRAMES).round().astype(int))
    frames = []
    for i in at.tolist():
        image = Image.fromarray(pictures[i])
        image.thumbnail((WIDTH, WIDTH))
        out = io.BytesIO()
        image.save(out, "WEBP", quality=60)
        frames.append("data:image/webp;base64," + base64.b64encode(out.getvalue()).decode())
    return frames
