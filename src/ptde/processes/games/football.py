"""Google Research Football (Kurach et al. 2020), as the paper plays it (Table 8).

Needs ``gfootball``: `make football` builds and installs it.
"""

import importlib
import math
import sys
from types import ModuleType
from typing import Any, Literal

import numpy as np

from ptde.processes.protocol import ProcessStep

SCENARIOS = {
    "academy_run_pass_and_shoot_with_keeper": 2,
    "academy_3_vs_1_with_keeper": 3,
    "academy_3_vs_2_with_keeper": 3,
    "academy_counterattack_easy": 4,
    "academy_counterattack_hard": 4,
}
"""The paper's scenarios, and the number of agents in each. 3_vs_2 is in no release of
gfootball: here it is 3_vs_1 with a second centre-back."""

PLAYERS = {
    "academy_run_pass_and_shoot_with_keeper": (3, 2),
    "academy_3_vs_1_with_keeper": (4, 2),
    "academy_3_vs_2_with_keeper": (4, 3),
    "academy_counterattack_easy": (11, 11),
    "academy_counterattack_hard": (11, 11),
}
"""Players of the team (left) and of the enemy (right), keepers included."""

ACTION_NAMES = (
    "idle",
    *("left", "top left", "top", "top right"),
    *("right", "bottom right", "bottom", "bottom left"),
    *("long pass", "high pass", "short pass", "shot", "sprint"),
    *("stand", "stop sprint", "slide", "dribble", "stop dribble"),
)
"""gfootball's "default" actions, in its order."""
ACTIONS = len(ACTION_NAMES)
ROLES = 10
LINES = 10
"""Lines on the way to the goal that ``checkpoints`` rewards, 0.1 each."""
BIGGEST = 11
"""Players of a full team, and the width of the one-hot of a player's number there."""
HOLDERS = np.array([0, -1, 1])
"""Who has the ball, in the one-hot's order: left, nobody, right."""
OWNERS = np.array([*range(BIGGEST), -1])
"""Which of its players has the ball, or nobody."""


class Football:
    """One game; an action is one of gfootball's 19, and all are always legal.

    An agent observes its own position and velocity, the relative position and the velocity
    of every player, the ball's position, which team has the ball, and its own number. The
    state has position, velocity, tiredness and role of all players, and all of the ball.
    """

    measure = "win rate"
    action_names = ACTION_NAMES

    def __init__(
        self,
        scenario: str,
        control: Literal["stock", "fixed"] = "stock",
        rewards: str = "scoring,checkpoints",
        record: str = "",
    ):
        """Makes the game; ``record`` is a folder for dumps of every episode, or ""."""
        from gfootball.env.config import Config
        from gfootball.env.football_env_core import FootballEnvCore

        self.n = SCENARIOS[scenario]
        self.observation_names = observation_names(scenario)
        self.checkpoints = "checkpoints" in rewards
        self.config = Config(
            {
                "level": level(scenario, control, self.n),
                "players": [f"agent:left_players={self.n}"],
                "dump_full_episodes": bool(record),
                "tracesdir": record,
                "game_engine_random_seed": 0,
                "reverse_team_processing": False,
            }
        )
        self.game = FootballEnvCore(self.config)
        self.raw: dict[str, Any] = {}
        self.crossed = np.zeros(self.n, int)
        self.dumps: list[str] = []

    def reset(self, seed: int) -> ProcessStep:
        # Set both: the second would otherwise stay as the first reset left it.
        self.config["game_engine_random_seed"] = seed
        self.config["reverse_team_processing"] = bool(seed % 2)
        self.game.reset()
        self.raw = self.game.observation()
        self.crossed[:] = 0
        return self._show()

    def step(self, action: np.ndarray) -> ProcessStep:
        self.raw, goal, over, info = self.game.step([int(a) for a in action])
        self.dumps = [dump["dump"] for dump in info.get("dumps", ()) if "dump" in dump]
        step = self._show()
        step.reward = self.n * float(goal) + self._lines(goal)
        step.ended = over
        step.won = float(over and self._score() > 0)
        step.score = float(self._score())
        return step

    def close(self) -> None:
        """Ends the game."""
        self.game.close()

    def frame(self) -> np.ndarray:
        """A picture of the pitch from above."""
        from ptde.processes.games.pitch import picture

        return picture(self.raw)

    def replay(self) -> str | None:
        """The path of the engine's dump of the episode, which gfootball's tools show."""
        return self.dumps[0] if self.dumps else None

    def _score(self) -> int:
        ours, theirs = self.raw["score"]
        return ours - theirs

    def _lines(self, goal: int) -> float:
        """The sum of the agents' rewards for the lines that they crossed with the ball for
        the first time; a goal crosses all that are left.
        """
        if not self.checkpoints:
            return 0.0
        before = self.crossed.sum()
        if goal == 1:
            self.crossed[:] = LINES
        elif self.raw["ball_owned_team"] == 0:
            x, y, _ = self.raw["ball"]
            away = math.hypot(x - 1, y)
            lines = np.count_nonzero(away <= 0.99 - 0.8 / (LINES - 1) * np.arange(LINES))
            for i, player in enumerate(self.raw["left_agent_controlled_player"]):
                if player == self.raw["ball_owned_player"]:
                    self.crossed[i] = max(self.crossed[i], lines)
        return 0.1 * float(self.crossed.sum() - before)

    def _show(self) -> ProcessStep:
        raw = self.raw
        obs = observations(raw, raw["left_agent_controlled_player"])
        legal = np.ones((self.n, ACTIONS), bool)
        return ProcessStep(obs, state(raw), legal, score=0.0)


def observation(raw: dict[str, Any], player: int) -> np.ndarray:
    """[o]: the observation of the agent that controls this left player (Paper Table 8)."""
    return observations(raw, [player])[0]


def observations(raw: dict[str, Any], controlled: list[int]) -> np.ndarray:
    """[n, o]: the observations of the agents that control these left players."""
    teams = [
        np.concatenate([raw[team], raw[f"{team}_direction"]], axis=1)
        for team in ("left_team", "right_team")
    ]
    own, n = teams[0][controlled], len(controlled)
    seen = np.concatenate(teams)[None].repeat(n, axis=0)
    seen[..., :2] -= own[:, None, :2]
    ball = np.concatenate([raw["ball"], raw["ball_owned_team"] == HOLDERS])
    width = min(len(raw["left_team"]), BIGGEST)
    number = np.array(controlled)[:, None] == np.arange(width)
    parts = [own, seen.reshape(n, -1), ball[None].repeat(n, axis=0), number]
    return np.concatenate(parts, axis=1).astype(np.float32)


def observation_names(scenario: str) -> tuple[str, ...]:
    """The name of each entry of ``observation``. Players go by their numbers in their team;
    in gfootball's units the pitch is 2.0 long and 0.84 wide.
    """
    left, right = PLAYERS[scenario]
    moves = ("velocity x", "velocity y")
    parts: dict[str, tuple[str, ...]] = {"own": ("x", "y", *moves)}
    players = [*(f"left {i}" for i in range(left)), *(f"right {i}" for i in range(right))]
    parts |= dict.fromkeys(players, ("dx", "dy", *moves))
    parts["ball"] = ("x", "y", "z", "left has it", "nobody has it", "right has it")
    parts["own number"] = tuple(f"is {i}" for i in range(min(left, BIGGEST)))
    return tuple(f"{who}: {what}" for who, whats in parts.items() for what in whats)


def state(raw: dict[str, Any]) -> np.ndarray:
    """[s]: the state, with all players and all of the ball (Paper Table 8)."""
    parts = []
    for team in ("left_team", "right_team"):
        parts += [raw[team].reshape(-1), raw[f"{team}_direction"].reshape(-1)]
        parts.append(raw[f"{team}_tired_factor"])
        parts.append((raw[f"{team}_roles"][:, None] == np.arange(ROLES)).reshape(-1))
    parts += [raw["ball"], raw["ball_direction"], raw["ball_rotation"]]
    parts.append(raw["ball_owned_team"] == HOLDERS)
    parts.append(raw["ball_owned_player"] == OWNERS)
    return np.concatenate(parts).astype(np.float32)


def places(shown: np.ndarray, scenario: str) -> tuple[np.ndarray, np.ndarray]:
    """The positions of players and ball in a state [s] as ``state`` makes it.

    Returns:
        Players [left + right, 2] and the ball [3], in the engine's units: the pitch is 2.0
        long and 0.84 wide.
    """
    players, at = [], 0
    for count in PLAYERS[scenario]:
        players.append(shown[at : at + 2 * count].reshape(count, 2))
        at += count * (4 + 1 + ROLES)
    return np.concatenate(players), shown[at : at + 3]


def sizes(scenario: str) -> tuple[int, int]:
    """Widths of observation and state, known without the engine."""
    left, right = PLAYERS[scenario]
    width = left if left < BIGGEST else BIGGEST
    obs = 4 + 4 * (left + right) + 3 + 3 + width
    return obs, (left + right) * (4 + 1 + ROLES) + 9 + 3 + BIGGEST + 1


def level(scenario: str, control: str, agents: int) -> str:
    """The name of the scenario for the engine, which imports it as a module."""
    if scenario == "academy_3_vs_2_with_keeper":
        _register(scenario, _three_versus_two)
    if control == "stock":
        return scenario
    stock = importlib.import_module(f"gfootball.scenarios.{scenario}")
    name = f"fixed_{scenario}"
    _register(name, lambda builder: stock.build_scenario(_Fixed(builder, stock, agents)))
    return name


def _register(name: str, build: Any) -> None:
    import gfootball.scenarios

    module = ModuleType(f"gfootball.scenarios.{name}")
    module.build_scenario = build  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    setattr(gfootball.scenarios, name, module)


def _three_versus_two(builder: Any) -> None:
    from gfootball_engine import e_PlayerRole, e_Team

    config = builder.config()
    config.game_duration = 400
    config.deterministic = config.offsides = False
    config.end_episode_on_score = config.end_episode_on_out_of_play = True
    config.end_episode_on_possession_change = True
    builder.SetBallPosition(0.62, 0.0)
    roles = e_PlayerRole
    builder.SetTeam(e_Team.e_Left)
    builder.AddPlayer(-1.0, 0.0, roles.e_PlayerRole_GK)
    for x, y in ((0.6, 0.0), (0.7, 0.2), (0.7, -0.2)):
        builder.AddPlayer(x, y, roles.e_PlayerRole_CM)
    builder.SetTeam(e_Team.e_Right)
    builder.AddPlayer(-1.0, 0.0, roles.e_PlayerRole_GK)
    for y in (-0.1, 0.1):
        builder.AddPlayer(-0.75, y, roles.e_PlayerRole_CB)


class _Players:
    """Records where the left team's players stand while a scenario is built."""

    def __init__(self, builder: Any):
        self.builder, self.side = builder, None
        self.left: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.builder, name)

    def SetTeam(self, team: Any) -> None:  # noqa: N802 - the engine's name
        self.side = team

    def AddPlayer(self, x: float, y: float, role: Any, *rest: Any, **more: Any) -> None:  # noqa: N802
        from gfootball_engine import e_PlayerRole, e_Team

        if self.side == e_Team.e_Left:
            keeper = role == e_PlayerRole.e_PlayerRole_GK
            self.left.append(-math.inf if keeper else x)


class _Fixed:
    """Builds a scenario in which only the agents' own players can be controlled, so that
    the engine never hands an agent another player.
    """

    def __init__(self, builder: Any, stock: Any, agents: int):
        listener = _Players(builder)
        stock.build_scenario(listener)
        self.builder, self.side, self.number = builder, None, 0
        self.chosen = set(np.argsort(-np.array(listener.left), kind="stable")[:agents])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.builder, name)

    def SetTeam(self, team: Any) -> None:  # noqa: N802 - the engine's name
        self.side = team
        self.builder.SetTeam(team)

    def AddPlayer(self, x: float, y: float, role: Any, lazy: bool = False) -> None:  # noqa: N802
        from gfootball_engine import e_Team

        mine = self.side != e_Team.e_Left
        if self.side == e_Team.e_Left:
            mine = self.number in self.chosen
            self.number += 1
        self.builder.AddPlayer(x, y, role, lazy=lazy, controllable=mine)
