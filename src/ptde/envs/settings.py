"""Options of the worlds, apart from the worlds: reading them imports no backend."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from ptde.options import In, Options
from ptde.validation import check_choice, check_range


@dataclass(frozen=True)
class RankingConfig(Options):
    """The documents that are ranked, and the reward."""

    data: str = ""
    """For --map letor: a LETOR / SVMlight file (plain or gzip), or a folder of them, such
    as the one of MSLR-WEB30K."""
    features: Annotated[int, In(0, example=136)] = 0
    """Features that a row of the file may have; 0 takes the largest id in it. >= 0."""
    missing: Literal["zero", "mean", "worst"] = "zero"
    """Value in place of NULL in the file: 0, the feature's mean over the training lists, or
    its smallest value there."""
    docs: Annotated[int, In(2)] = 10
    """Documents of a list, each of which is an agent. >= 2."""
    lists: Annotated[int, In(0)] = 0
    """Number of lists, each of a query of its own. >= 0; 0 takes all, at most 10,000."""
    train_share: Annotated[float, In(0.01, 0.99)] = 0.7
    """Share of the queries to learn from; the others are for tests. In [0.01, 0.99]."""
    k: Annotated[int, In(1)] = 10
    """Cutoff of the reward, which is NDCG@k. >= 1."""
    jitter: Annotated[float, In(0, example=0.5)] = 0.0
    """Standard deviation of noise on the (standardised) features of training lists, against
    overfitting. >= 0."""
    data_seed: Annotated[int, In(0)] = 0
    """Seed that draws the lists and the split. >= 0."""


@dataclass(frozen=True)
class ProcessConfig(Options):
    """How worlds that run in processes of their own are made and waited for. Every copy
    (--envs) is a process.
    """

    group: ClassVar[str] = "processes."

    kwargs: str = ""
    """For --world processes: keyword arguments of the callable, as JSON, such as
    '{"map_name": "8m"}'."""
    limit: Annotated[int, In(0, example=200)] = 0
    """For --world processes: joint steps after which an episode is cut, >= 0; 0 takes the
    world's own time limit, and 100 where it names none."""
    patience: Annotated[float, In(0, open=True)] = 120.0
    """Seconds that a world may take to start, or for one step; then its process is
    restarted. > 0."""
    failures: Annotated[int, In(0)] = 3
    """How often in a row a copy may crash, hang or give invalid data before the run stops.
    >= 0."""
    quorum: Annotated[float, In(0, 1, open=True)] = 1.0
    """Share of the copies that must be ready before the team acts in them. In (0, 1]; 1
    waits for all (lock-step), which makes runs reproducible."""
    overlap: bool = False
    """Play the next segment while an update runs, with the networks from before it. Not for
    mappo, which learns from its newest networks' episodes alone."""

    def __post_init__(self):
        super().__post_init__()
        self.arguments()

    def arguments(self) -> dict[str, Any]:
        """``kwargs`` as a dictionary. ValueError if it is not one."""
        try:
            found = json.loads(self.kwargs or "{}")
        except json.JSONDecodeError as error:
            raise ValueError(
                f"--processes.kwargs {self.kwargs!r} is not JSON: {error}"
            ) from None
        if not isinstance(found, dict):
            raise ValueError(
                "--processes.kwargs needs names and values, "
                f'such as \'{{"map_name": "8m"}}\', not {self.kwargs}'
            )
        return found


@dataclass(frozen=True)
class FootballConfig(Options):
    """How a scenario of Google Research Football is played."""

    group: ClassVar[str] = "football."

    control: Literal["stock", "fixed"] = "stock"
    """``stock``: as in the paper, the engine moves the agents from player to player;
    ``fixed``: each agent keeps its player, of the outfield players that stand farthest
    forward."""
    rewards: Literal["scoring,checkpoints", "scoring"] = "scoring,checkpoints"
    """``scoring``: 1 for a goal, -1 for one against, for every agent;
    ``scoring,checkpoints``, typed as one word: also 0.1 for each of ten lines on the way to
    the goal, when an agent first crosses it with the ball."""
    limit: Annotated[int, In(1, 400)] = 150
    """Joint steps after which an episode is cut. In [1, 400]."""


@dataclass(frozen=True)
class StarCraftConfig(Options):
    """How a battle of StarCraft II is fought."""

    group: ClassVar[str] = "starcraft."

    difficulty: str = "7"
    """Difficulty of the built-in enemy: 1 to 9, or A."""
    step_mul: Annotated[int, In(1)] = 8
    """Game loops (22.4 a second) per joint step. >= 1."""

    def __post_init__(self):
        super().__post_init__()
        check_choice("starcraft.difficulty", self.difficulty, tuple("123456789A"))


@dataclass(frozen=True)
class SmaxConfig(Options):
    """How an SMAX battle is observed and fought."""

    observation: Literal["native", "smac"] = "smac"
    """``smac``: the observation of StarCraft's SMAC: own position, cooldowns, last moves
    and targets are in the state alone; moves off the map are illegal, and its edge is
    harmless. ``native``: SMAX's own observation, which shows all of these, and its own
    rule: all moves are legal, and the edge kills."""
    sight: Annotated[float, In(0, 4, open=True, example=0.6)] = 1.0
    """Sight range of the team's units, as a multiple of SMAX's (8 to 10 map units, by
    type). In (0, 4]; below 1 agents observe less. The enemy keeps SMAX's."""
    enemy_attack: Literal["closest", "random"] = "closest"
    """The target of the scripted enemy among those in range."""
    full_sight: bool = False
    """Also make observations with unlimited sight, for --teacher-sight all."""
    time_limit: int = 0
    """Joint steps of half a second after which a battle is cut. In [10, 1000], or 0, which
    takes the map's limit in StarCraft (`ptde list` shows it)."""
    reward_scale: Annotated[float, In(0, open=True)] = 10.0
    """Factor of SMAX's reward (1 for the enemy's whole health, 1 for the victory); 10 makes
    a won battle worth 20, as in SMAC. > 0."""

    def __post_init__(self):
        super().__post_init__()
        if self.time_limit != 0:
            check_range("time_limit", self.time_limit, 10, 1000, example=179)
