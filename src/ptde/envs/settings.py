"""The worlds' options, apart from the worlds: reading them imports no backend."""

from dataclasses import dataclass
from typing import Literal

from ptde.check import known, within


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
