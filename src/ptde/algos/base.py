"""What an algorithm is: it turns rollouts into better teams."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Float, Key

from ptde.agents.policy import FullPolicy
from ptde.agents.team import Teacher, Team
from ptde.types import Rollout

Metrics = dict[str, Float[Array, ""]]
"""Scalars of one update, by name."""

State = TypeVar("State", bound=eqx.Module)
Model = TypeVar("Model", bound=eqx.Module)


class ModelState(eqx.Module, Generic[Model]):
    """A model that learns, and its optimiser's state."""

    model: Model
    optimiser: optax.OptState

    def step(
        self,
        gradient: Model,
        optimiser: optax.GradientTransformation,
        rate: Float[Array, ""] | float = 1.0,
    ) -> "ModelState[Model]":
        """After one more step, of a share ``rate`` of the optimiser's."""
        change, state = optimiser.update(gradient, self.optimiser, self.model)
        change = jax.tree.map(lambda x: rate * x, change)
        return ModelState(optax.apply_updates(self.model, change), state)


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
