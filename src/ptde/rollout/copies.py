"""All copies of a world in processes, wherever they are: what trainings and tests ask."""

from abc import ABC, abstractmethod

from jaxtyping import Array, Key

from ptde.agents.policy import FullPolicy
from ptde.envs.process import ProcessWorld
from ptde.rollout import process
from ptde.rollout.evaluate import Returns
from ptde.types import Rollout


class AbstractCopies(ABC):
    """The copies of a world, on this machine or on others."""

    world: ProcessWorld

    @abstractmethod
    def begin(self, *, key: Key[Array, ""]) -> None:
        """Resets every copy for a segment, and does not wait for it; ``play`` with the same
        key goes on from there.
        """

    @abstractmethod
    def play(self, policy: FullPolicy, length: int, *, key: Key[Array, ""]) -> Rollout:
        """Plays the segment that ``begin`` began: leaves [B, length + 1, ...].

        An episode that is lost, because its world failed, is overwritten: another takes its
        place in the segment.

        Raises:
            WorldFailed: a copy failed too often.
        """

    @abstractmethod
    def evaluate(
        self, policy: FullPolicy, episodes: int, *, key: Key[Array, ""]
    ) -> Returns:
        """Plays whole episodes, as many at once as there are copies."""

    @abstractmethod
    def lost(self) -> list[str]:
        """Why episodes were lost since this was last asked, the newest last."""

    def collect(self, policy: FullPolicy, length: int, *, key: Key[Array, ""]) -> Rollout:
        """``length`` joint steps of every copy from a reset on."""
        self.begin(key=key)
        return self.play(policy, length, key=key)


class LocalCopies(AbstractCopies):
    """The copies of a world in processes of this machine."""

    def __init__(self, world: ProcessWorld):
        self.world = world

    def begin(self, *, key):
        process.begin(self.world, key=key)

    def play(self, policy, length, *, key):
        return process.play(policy, self.world, length, key=key)

    def evaluate(self, policy, episodes, *, key):
        return process.evaluate(policy, self.world, episodes, key=key)

    def lost(self):
        return process.taken(self.world.pool.reasons)
