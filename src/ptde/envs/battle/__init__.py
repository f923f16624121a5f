"""SMAX's battles in a form that compiles to few operations (JaxMARL, Rutherford 2024).

The rules are ``jaxmarl``'s, tick for tick; tests compare the two. ``units`` holds what the
units are, ``ticks`` how they move and shoot, ``enemy`` the scripted team, ``fight`` a whole
battle.
"""

from ptde.envs.battle.fight import Battle, BattleState, Outcome
from ptde.envs.battle.units import Units

__all__ = ["Battle", "BattleState", "Outcome", "Units"]
