"""The maps of SMAX: who fights whom.

They are ``jaxmarl``'s, which the tests compare, and the two that the paper added. That
package itself is imported for SMACv2's maps alone: it takes longer than all of ptde.
"""

from dataclasses import dataclass

import numpy as np

from ptde.envs.battle.units import NAMES

MARINE, STALKER, ZEALOT, HYDRALISK = map(
    NAMES.index, ("marine", "stalker", "zealot", "hydralisk")
)


@dataclass(frozen=True)
class Scenario:
    """The two teams of a map."""

    allies: tuple[int, ...]
    """The type of each ally."""
    enemies: tuple[int, ...]
    """The type of each enemy."""
    drawn: bool = False
    """Whether each battle draws types and first places anew, as in SMACv2."""

    @property
    def kinds(self) -> np.ndarray:
        """The types of all units, allies first."""
        return np.array(self.allies + self.enemies, np.int32)

    @property
    def mixed(self) -> bool:
        """Whether a team has units of several types."""
        return self.drawn or any(len(set(t)) > 1 for t in (self.allies, self.enemies))


def _alike(kind: int, allies: int, enemies: int) -> Scenario:
    return Scenario((kind,) * allies, (kind,) * enemies)


def _protoss(allies: tuple[int, int], enemies: tuple[int, int]) -> Scenario:
    """Teams of so many stalkers and zealots."""
    ours, theirs = ((STALKER,) * s + (ZEALOT,) * z for s, z in (allies, enemies))
    return Scenario(ours, theirs)


def _drawn(units: int) -> Scenario:
    return Scenario((MARINE,) * units, (MARINE,) * units, drawn=True)


SCENARIOS = {
    "3m": _alike(MARINE, 3, 3),
    "8m": _alike(MARINE, 8, 8),
    "25m": _alike(MARINE, 25, 25),
    "5m_vs_6m": _alike(MARINE, 5, 6),
    "10m_vs_11m": _alike(MARINE, 10, 11),
    "27m_vs_30m": _alike(MARINE, 27, 30),
    "2s3z": _protoss((2, 3), (2, 3)),
    "3s5z": _protoss((3, 5), (3, 5)),
    "3s_vs_5z": _protoss((3, 0), (0, 5)),
    "3s_vs_8z": _protoss((3, 0), (0, 8)),
    "3s5z_vs_3s6z": _protoss((3, 5), (3, 6)),
    "3s5z_vs_3s7z": _protoss((3, 5), (3, 7)),
    "6h_vs_8z": Scenario((HYDRALISK,) * 6, (ZEALOT,) * 8),
    "smacv2_5_units": _drawn(5),
    "smacv2_10_units": _drawn(10),
    "smacv2_20_units": _drawn(20),
}
"""All maps. The paper added 3s_vs_8z and 3s5z_vs_3s7z (Paper Sec. 4.1)."""
