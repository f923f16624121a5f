"""Worlds with PettingZoo's parallel interface."""

from collections.abc import Collection
from typing import Any

import numpy as np

from ptde.processes.protocol import NoWorld, ProcessStep


class PettingZoo:
    """A world of PettingZoo's parallel interface as a ``ProcessEnv``.

    The team's reward is the sum of its agents'. An agent that is gone sees zeros and has
    action 0 alone; those whom the time limit stops together see their last observation, by
    which the return beyond it is estimated. Shorter observations and action lists are
    padded, with zeros and with illegal actions. Masks are read from ``infos`` or from
    observations (``action_mask``). Without ``state()`` the state is the concatenation of
    all observations.
    """

    def __init__(self, env: Any):
        self.env = env
        self.agents = list(env.possible_agents)
        spaces = [env.action_space(agent) for agent in self.agents]
        odd = [a for a, s in zip(self.agents, spaces, strict=True) if not hasattr(s, "n")]
        if odd:
            raise NoWorld(
                f"{odd[0]} has actions that are no list ({env.action_space(odd[0])}): make "
                "the world with discrete ones, e.g. --processes.kwargs "
                "'{\"continuous_actions\": false}'"
            )
        self.actions = np.array([int(space.n) for space in spaces])
        self.first = [int(getattr(space, "start", 0)) for space in spaces]
        self.width = max(_width(env.observation_space(agent)) for agent in self.agents)
        self.time_limit = _longest(env)
        self.has_state = _has_state(env)
        self.notes: tuple[str, ...] = ()
        if not self.has_state:
            self.notes = ("the world has no state(): the state is all observations",)
        if getattr(env, "render_mode", None) == "rgb_array":
            self.frame = lambda: np.asarray(env.render())

    def reset(self, seed: int) -> ProcessStep:
        obs, infos = self.env.reset(seed=seed)
        return self._show(obs, infos, self.env.agents)

    def step(self, action: np.ndarray) -> ProcessStep:
        team = zip(self.agents, action, self.first, strict=True)
        chosen = {a: int(u) + first for a, u, first in team if a in self.env.agents}
        obs, rewards, ended, cut, infos = self.env.step(chosen)
        # At the end nobody is left, neither those who died nor those whose time is over.
        stand = self.env.agents or [a for a in chosen if not ended.get(a)]
        step = self._show(obs, infos, stand)
        step.reward = float(sum(rewards.values()))
        if not self.env.agents:
            late = any(cut.values()) and not all(ended.values())
            step.ended, step.cut = not late, late
            step.legal[:, 0] |= ~step.legal.any(axis=1)  # a mask may be empty at the end
        won = [info.get("won", info.get("success", False)) for info in infos.values()]
        step.won = float(bool(won) and all(bool(x) for x in won))
        return step

    def close(self) -> None:
        """Ends the game."""
        self.env.close()

    def _show(self, obs: dict, infos: dict, stand: Collection[str]) -> ProcessStep:
        n, u = len(self.agents), int(self.actions.max())
        table = np.zeros((n, self.width), np.float32)
        legal = np.arange(u) < self.actions[:, None]
        alive = np.array([agent in stand for agent in self.agents])
        for i, agent in enumerate(self.agents):
            if agent in obs:
                row = _flat(obs[agent])
                table[i, : len(row)] = row
            mask = _mask(obs.get(agent), infos.get(agent))
            if mask is not None:
                legal[i, : len(mask)] &= np.asarray(mask, bool)
            if not alive[i]:
                table[i] = 0.0
                legal[i] = np.arange(u) == 0
        state = self.env.state() if self.has_state else table
        return ProcessStep(table, np.ravel(state), legal, alive=alive)


def _longest(env: Any) -> int:
    """The world's ``max_cycles``, perhaps below several wrappers; 0 if it has none."""
    around, seen = [env], []
    while around:
        part = around.pop(0)
        seen.append(part)
        cycles = getattr(part, "max_cycles", None)
        if isinstance(cycles, int) and cycles > 0:
            return cycles
        for name in ("unwrapped", "aec_env", "env"):
            inner = getattr(part, name, None)
            if inner is not None and not any(inner is other for other in seen):
                around.append(inner)
    return 0


def _has_state(env: Any) -> bool:
    try:
        return getattr(env, "state_space", None) is not None
    except (AttributeError, NotImplementedError):
        return False


def _width(space: Any) -> int:
    if hasattr(space, "spaces"):
        return _width(space["observation"])
    return int(np.prod(space.shape, dtype=int)) if space.shape else 1


def _flat(observation: Any) -> np.ndarray:
    if isinstance(observation, dict):
        observation = observation["observation"]
    return np.asarray(observation, np.float32).reshape(-1)


def _mask(observation: Any, info: Any) -> Any:
    for place in (info, observation):
        if isinstance(place, dict) and place.get("action_mask") is not None:
            return place["action_mask"]
    return None
