"""What an algorithm is: it turns rollouts into better teams."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import equinox as eqx
from jaxtyping import Array, Float, Key

from ptde.agents.base import AbstractNetwork
from ptde.agents.policy import FullPolicy, StudentPolicy, TeacherPolicy
from ptde.info.base import AbstractInfo, AbstractStudent
from ptde.ops.local import Sight, information
from ptde.types import Rollout, TimeStep

Metrics = dict[str, Float[Array, ""]]
"""Scalars of one update, by name."""

State = TypeVar("State", bound=eqx.Module)


class Teacher(eqx.Module):
    """What stage 1 hands to stage 2: the agents' network and the information module."""

    network: AbstractNetwork
    info: AbstractInfo
    sight: Sight = eqx.field(static=True, default="own")

    def policy(self, epsilon: Float[Array, ""] | float, *, sample_z: bool) -> TeacherPolicy:
        """The team, greedy but for ``epsilon``; z is drawn or its mean."""
        return TeacherPolicy(self.network, self.info, epsilon, sample_z, self.sight)

    def unroll(self, steps: TimeStep) -> Float[Array, "B T n u"]:
        """Action values or logits on segments, whoever played them; z is its mean."""
        local = information(steps, self.sight)
        h = self.network.unroll(local, steps.first)
        info = self.info.unroll(local, steps.state, steps.first, noise=None)
        return self.network.values(h, info.mean)


class Team(eqx.Module):
    """What is deployed: a network, and the student in the information module's place."""

    network: AbstractNetwork
    student: AbstractStudent

    def policy(self) -> StudentPolicy:
        """The team, greedy."""
        return StudentPolicy(self.network, self.student)


class AbstractAlgorithm(ABC, Generic[State]):
    """Learns from rollouts. It owns what follows them: a replay, epochs, targets.

    The state is a pytree that holds everything that changes; the object itself is fixed.
    """

    @abstractmethod
    def init(self, example: Rollout, given: Any = None, *, key: Key[Array, ""]) -> State:
        """The state before anything is learnt.

        Args:
            example: gives a rollout's shapes.
            given: what an earlier stage left, for learners that begin with it.
            key: draws what is not given.
        """

    @abstractmethod
    def behave(self, state: State) -> FullPolicy:
        """The policy that collects."""

    @abstractmethod
    def update(
        self, state: State, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[State, Metrics]:
        """Learns from one more rollout, with leaves ``[B, T + 1, ...]``."""

    @abstractmethod
    def teacher(self, state: State) -> Teacher:
        """The team as it stands."""

    def team(self, state: State) -> Team | None:
        """The decentralised team that learns meanwhile, if one does."""
        return None


class AbstractLearner(AbstractAlgorithm[State]):
    """Learns from rewards: what stage 1 begins, a third stage can go on with."""

    @abstractmethod
    def central(self, state: State) -> Any:
        """What only training needs, and a third stage goes on with: mixer or critic."""

    @abstractmethod
    def adopt(self, team: Team, central: Any, teacher: Teacher | None, leash: float) -> Any:
        """What ``init`` is given so that a decentralised team goes on learning.

        Args:
            team: the student stands in the information module's place, and so nothing
                that the team acts on has read the state.
            central: what this algorithm left behind in stage 1.
            teacher: whom the team is held to, if it is.
            leash: how firmly.
        """
