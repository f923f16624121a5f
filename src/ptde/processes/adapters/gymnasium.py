"""Multi-agent worlds with Gymnasium's interface: lbforaging, rware and similar ones.

``action_space`` is a ``Tuple``, observations and actions are lists with one entry for each
agent, and ``step`` returns ``(observations, rewards, terminated, truncated, info)``.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ptde.processes.protocol import NoWorld, ProcessStep, ending

LIMITS = ("max_episode_steps", "_max_episode_steps", "max_steps", "episode_limit")
"""Names that such worlds give to the longest episode."""
WON = ("battle_won", "won", "win", "success")


class GymnasiumTeam:
    """A multi-agent world of Gymnasium's interface as a ``ProcessEnv``.

    The team's reward is the sum of its agents', and an episode is over when it is for each,
    and cut if for one of them by ``truncated``. These worlds return ``terminated`` at their
    time limit, too: an episode that ends with the step of that limit counts as cut. Shorter
    observations and action lists are padded, with zeros and with illegal actions; masks are
    read from ``info`` (``action_mask``, ``avail_actions``). The state is the concatenation
    of all observations.
    """

    def __init__(self, env: Any):
        self.env = env
        spaces = list(env.action_space.spaces)
        odd = [i for i, space in enumerate(spaces) if not hasattr(space, "n")]
        if odd:
            name = type(getattr(env, "unwrapped", env)).__name__
            raise NoWorld(
                f"{name} does not fit: actions are no list ({spaces[odd[0]]} of agent "
                f"{odd[0]}), and the teams here choose from one: make the world with "
                "Discrete ones, by the keyword arguments in --processes.kwargs"
            )
        self.actions = np.array([int(space.n) for space in spaces])
        self.first = np.array([int(getattr(space, "start", 0)) for space in spaces])
        self.widths = _widths(env, len(spaces))
        self.time, self.time_limit = 0, _longest(env)
        self.notes: tuple[str, ...] = (
            "Gymnasium's interface has no state: the state is all observations",
        )
        if getattr(env, "render_mode", None) == "rgb_array":
            self.frame = lambda: np.asarray(env.render())

    def reset(self, seed: int) -> ProcessStep:
        self.time = 0
        obs, info = self.env.reset(seed=seed)
        return self._show(obs, info)

    def step(self, action: np.ndarray) -> ProcessStep:
        self.time += 1
        # Python's ints: these worlds make enumerations of them.
        chosen = [int(a) for a in action + self.first]
        obs, rewards, terminated, truncated, info = self.env.step(chosen)
        step = self._show(obs, info)
        step.reward = float(np.sum(rewards))
        at_limit = self.time == self.time_limit
        step.ended, step.cut = ending(terminated, truncated, at_limit)
        if step.ended or step.cut:
            step.won = float(max(bool(np.all(info.get(name, False))) for name in WON))
        return step

    def close(self) -> None:
        """Ends the game."""
        self.env.close()

    def _show(self, observations: Any, info: dict[str, Any]) -> ProcessStep:
        table = np.zeros((len(self.actions), max(self.widths)), np.float32)
        for row, observation in zip(table, observations, strict=True):
            flat = np.concatenate(list(_parts(observation)))
            row[: len(flat)] = flat
        legal = np.arange(self.actions.max()) < self.actions[:, None]
        masks = info.get("action_mask", info.get("avail_actions"))
        if masks is not None:
            for row, mask in zip(legal, masks, strict=True):
                row[: len(mask)] &= np.asarray(mask, bool)
        return ProcessStep(table, table.reshape(-1), legal)


def _parts(observation: Any) -> Iterator[np.ndarray]:
    """The numbers of an observation, part by part, however it is nested."""
    if isinstance(observation, dict):
        observation = tuple(observation.values())
    if isinstance(observation, tuple):
        for part in observation:
            yield from _parts(part)
    else:
        yield np.asarray(observation, np.float32).reshape(-1)


def _widths(env: Any, agents: int) -> list[int]:
    """How many numbers each agent's observation has."""
    spaces = getattr(env.observation_space, "spaces", None)
    if isinstance(spaces, dict) or spaces is None or len(spaces) != agents:
        raise NoWorld(
            f"observation_space is {env.observation_space}: a team of {agents} needs a "
            "Tuple with one space for each agent"
        )
    return [sum(part.size for part in _parts(_example(space))) for space in spaces]


def _example(space: Any) -> Any:
    """An observation of this space, with zeros for its numbers."""
    inner = getattr(space, "spaces", None)
    if isinstance(inner, dict):
        return {name: _example(part) for name, part in inner.items()}
    if inner is not None:
        return tuple(map(_example, inner))
    return np.zeros(space.shape or 1)


def _longest(env: Any) -> int:
    """The time limit that the world or a ``TimeLimit`` around it names; 0 for none."""
    inner = getattr(env, "unwrapped", env)
    places = [getattr(env, "spec", None), env, inner]
    limits = [getattr(place, name, 0) or 0 for place in places for name in LIMITS]
    return min((int(limit) for limit in limits if limit > 0), default=0)
