"""A check, before a team is exported, that the exported players act as the team does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ptde.algos.base import Team
from ptde.export.player import Player
from ptde.types import EnvSpec, LocalView

COPIES, STEPS = 8, 8
"""Copies of the team, and steps, that are played."""
CLOSE = 1e-3
"""Difference of two action values, relative to the largest, below which they are equal."""


def check_alike(team: Team, spec: EnvSpec, folder: Path, to: str) -> None:
    """Plays random observations for a few steps. ValueError if an exported player takes an
    action that the team in JAX values less than its own.
    """
    draw, step = np.random.default_rng(0), jax.jit(lambda *seen: team.step(*seen))
    players = _players(folder, to)
    shape = (COPIES, spec.n_agents)
    carry, last = team.start(*shape), np.full(shape, -1)
    for _ in range(STEPS):
        obs = draw.normal(size=(*shape, spec.obs_dim)).astype(np.float32)
        legal = draw.random((*shape, spec.n_actions)) < 0.7
        legal[..., 0] |= ~legal.any(axis=-1)
        carry, made, _ = step(carry, _view(obs, legal, last))
        values = np.where(legal, made, -np.inf)
        best = values.max(axis=-1) - CLOSE * (1 + np.abs(made).max())
        last = values.argmax(axis=-1)
        for name, player in players.items():
            action = player.act(obs, legal)
            taken = np.take_along_axis(values, action[..., None], axis=-1)[..., 0]
            if not (taken >= best).all():
                raise ValueError(
                    f"the exported team ({name}) does not act as the team in JAX does: the "
                    "function that lists its layers (in ptde.export.NETWORKS or STUDENTS) "
                    "describes another network"
                )
            player.last_action = last  # of equal actions it may have taken another


def _view(obs: np.ndarray, legal: np.ndarray, last: np.ndarray) -> LocalView:
    return LocalView(
        obs=jnp.asarray(obs),
        legal=jnp.asarray(legal),
        last_action=jnp.asarray(last, jnp.int32),
        alive=jnp.ones(last.shape, bool),
    )


def _players(folder: Path, to: str) -> dict[str, Player]:
    players = {"numpy": Player(folder)}
    if to == "onnx":
        players["onnx"] = Player(folder, "onnx")
    if to == "stablehlo":
        players["stablehlo"] = player = Player(folder)
        player.step = _by_stablehlo(folder, player)
    return players


def _by_stablehlo(folder: Path, player: Player) -> Callable[..., Any]:
    """A player's step, computed by ``team.stablehlo``."""
    from jax import export

    data = bytearray((folder / "team.stablehlo").read_bytes())
    call = export.deserialize(data).call

    def step(obs, legal):
        last = player.last_action.astype(np.int32)
        return tuple(np.asarray(x) for x in call(obs, legal, last, player.memory))

    return step
