"""The length of a training, and the times of its tests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The length of a training and of its parts, in joint steps."""

    envs: int
    """Copies of the world."""
    segment: int
    """Joint steps of each copy in a rollout."""
    steps: int
    """Joint steps of the whole training, all copies together."""
    test_every: int
    """Joint steps between two tests."""

    @property
    def per_iteration(self) -> int:
        """Joint steps of one iteration."""
        return self.envs * self.segment

    @property
    def collections(self) -> int:
        """Iterations of the whole training: ``steps`` is rounded up to whole ones."""
        return max(1, -(-self.steps // self.per_iteration))

    @property
    def total(self) -> int:
        """Joint steps that the whole training takes."""
        return self.collections * self.per_iteration

    @property
    def iterations(self) -> int:
        """Iterations of a period: the whole number nearest to ``test_every`` joint steps.
        The last period may have fewer.
        """
        return min(self.collections, max(1, round(self.test_every / self.per_iteration)))

    @property
    def ends(self) -> list[int]:
        """Joint steps at the end of each period."""
        period = self.iterations * self.per_iteration
        return [*range(period, self.total, period), self.total]
