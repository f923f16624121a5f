"""The worlds' options, apart from the worlds: reading them imports no backend."""

from dataclasses import dataclass
from typing import Literal

from ptde.check import known, within


@dataclass(frozen=True)
class RankingConfig:
    """Which documents are ranked, and how that is rewarded."""

    data: str = ""
    """For --map letor: a LETOR / SVMlight file (plain or gzip), or a folder of them, such
    as the one of MSLR-WEB30K."""
    features: int = 0
    """Features that a row of the file may have; 0 takes the largest id in it. >= 0."""
    docs: int = 10
    """Documents of a list, which are the agents. >= 2."""
    lists: int = 0
    """Lists, each of a query of its own. >= 0; 0 takes all there are, at most 10,000."""
    train_share: float = 0.7
    """Share of the queries to learn from; the others test. In [0.01, 0.99]."""
    k: int = 10
    """The reward is NDCG@k. >= 1."""
    jitter: float = 0.0
    """Standard deviation of noise on the (standardised) features of training lists, against
    learning them by heart. >= 0."""
    data_seed: int = 0
    """Draws the lists and the split. >= 0."""

    def __post_init__(self):
        within("features", self.features, 0, example=136)
        within("docs", self.docs, 2, example=10)
        within("lists", self.lists, 0, example=0)
        within("train_share", self.train_share, 0.01, 0.99, example=0.7)
        within("k", self.k, 1, example=10)
        within("jitter", self.jitter, 0, example=0.5)
        within("data_seed", self.data_seed, 0, example=0)


@dataclass(frozen=True)
class SmaxConfig:
    """How an SMAX battle is seen and fought."""

    observation: Literal["native", "smac"] = "smac"
    """``smac``: an agent sees what StarCraft's SMAC shows it; its own position, cooldowns,
    last moves and targets are in the state alone. ``native``: SMAX's own observation, which
    shows them."""
    sight: float = 1.0
    """Sight of the team's units, as a multiple of each unit's own range (8 to 10 map units,
    by type). In (0, 4]; below 1 the battle is foggy. The enemy keeps its eyes."""
    enemy_attack: Literal["closest", "random"] = "closest"
    """Whom the scripted enemy shoots at among those in range."""
    full_sight: bool = False
    """Also make observations with unlimited sight, for a teacher that --eyes all."""
    time_limit: int = 100
    """SMAX's ``max_steps``, in joint steps of half a second; as in SMAX, a battle is cut at
    the step after it. In [10, 1000]."""
    reward_scale: float = 10.0
    """Multiplies SMAX's reward (1 for the enemy's whole health, 1 for the victory), so that
    a won battle is worth 20, as in SMAC. > 0."""

    def __post_init__(self):
        known("observation", self.observation, ("native", "smac"))
        known("enemy_attack", self.enemy_attack, ("closest", "random"))
        within("sight", self.sight, 0, 4, open_low=True, example=0.6)
        within("time_limit", self.time_limit, 10, 1000, example=100)
        within("reward_scale", self.reward_scale, 0, open_low=True, example=10)
