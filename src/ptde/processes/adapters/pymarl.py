"""Worlds with PyMARL's interface: SMAC, SMACv2, SMAClite, EPyMARL's and similar ones.

They have ``get_obs, get_state, get_avail_actions, reset, step``, with or without
``get_env_info``. A step returns ``(reward, terminated, info)`` or, as in Gym,
``(obs, reward, done, info)`` or ``(obs, reward, terminated, truncated, info)``. Rewards of
single agents are added up; an episode is over when it is for each of them.
"""

import inspect
from typing import Any

import numpy as np

from ptde.processes.protocol import ProcessStep, WorldFailed, ending


class PyMarl:
    """A world of PyMARL's interface as a ``ProcessEnv``.

    An episode counts as cut by time where ``info`` has ``episode_limit``, a 5-tuple says
    truncated, or the steps of ``get_env_info()["episode_limit"]`` are over. It counts as
    won where ``info`` says so: ``battle_won``, ``won``, ``win`` or ``success``.
    """

    WON = ("battle_won", "won", "win", "success")
    always_tells = False
    """Whether ``info`` is empty at an episode's end only if the game has crashed."""

    def __init__(self, env: Any):
        self.env = env
        self.info: dict[str, Any] = {}
        """The ``info`` of the last step."""
        about = env.get_env_info() if hasattr(env, "get_env_info") else {}
        limit = about.get("episode_limit", getattr(env, "episode_limit", 0))
        self.time_limit = int(limit or 0)
        if callable(getattr(env, "render", None)) and _draws(env):
            self.frame = lambda: np.asarray(env.render())

    def reset(self, seed: int) -> ProcessStep:
        if "seed" in _parameters(self.env.reset):
            self.env.reset(seed=seed)
        else:
            self.env.reset()
        return self._seen()

    def step(self, action: np.ndarray) -> ProcessStep:
        # Python's ints: some of these worlds take nothing else.
        reward, terminated, truncated, self.info = _parts(
            self.env.step([int(a) for a in action])
        )
        late = bool(self.info.get("episode_limit", False))
        ended, cut = ending(terminated, truncated, late)
        if (ended or cut) and not self.info and self.always_tells:
            raise WorldFailed("the game ended without saying how: its engine has crashed")
        step = self._seen()
        step.reward = float(np.sum(reward))
        step.ended, step.cut = ended, cut
        step.won = float(max(bool(self.info.get(name, False)) for name in self.WON))
        return step

    def close(self) -> None:
        """Ends the game."""
        if hasattr(self.env, "close"):
            self.env.close()

    def _seen(self) -> ProcessStep:
        legal = np.array(self.env.get_avail_actions(), bool)
        return ProcessStep(_padded(self.env.get_obs()), self.env.get_state(), legal)


def _parts(result: tuple) -> tuple[Any, Any, Any, dict]:
    """Reward, terminated, truncated and info of a step."""
    if len(result) == 3:
        reward, terminated, info = result
        return reward, terminated, False, info
    if len(result) == 4:
        _, reward, terminated, info = result
        if isinstance(info, dict) and info.get("TimeLimit.truncated", False):
            return reward, False, True, info
        return reward, terminated, False, info
    if len(result) == 5:
        _, reward, terminated, truncated, info = result
        return reward, terminated, truncated, info
    raise ValueError(f"step returned {len(result)} things: 3, 4 or 5 are known")


def _padded(observations: Any) -> np.ndarray:
    """The observations as [n, o], shorter ones padded with zeros."""
    rows = [np.asarray(x, np.float32).reshape(-1) for x in observations]
    width = max(len(row) for row in rows)
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _draws(env: Any) -> bool:
    return getattr(env, "render_mode", None) == "rgb_array"
