"""Interfaces of the algorithms, which learn teams from rollouts."""

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar, final

import equinox as eqx
import jax
import optax
from jaxtyping import Array, Float, Key, PyTree

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
        """The state after one more step, ``rate`` times as long as the optimiser's."""
        change, state = optimiser.update(gradient, self.optimiser, self.model)
        change = jax.tree.map(lambda x: rate * x, change)
        return ModelState(optax.apply_updates(self.model, change), state)


class AbstractAlgorithm(ABC, Generic[State]):
    """Learns from rollouts, and owns what that takes: a replay, epochs, targets.

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
        """The policy that collects rollouts."""

    @abstractmethod
    def update(
        self, state: State, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[State, Metrics]:
        """Learns from one more rollout: the new state, and what to log of the update."""

    @abstractmethod
    def teacher(self, state: State) -> Teacher:
        """The network and information module as they stand."""

    def team(self, state: State) -> Team | None:
        """The decentralised team, if this algorithm learns one."""
        return None

    def parts(self, copies: int) -> int:
        """The number of like parts in which a rollout of ``copies`` can be learnt from, on
        as many devices. More than 1 only for learners that average their gradients.
        """
        return 1

    def in_parts(self, state: State) -> PyTree:
        """What of the state has a leading axis of parts; the rest is the same on all."""
        return ()

    @final
    def divided(self, state: State) -> State:
        """Whether each leaf of the state has a leading axis of parts, a tree of bools."""
        whole = jax.tree.map(lambda _: False, state)
        parts = jax.tree.map(lambda _: True, self.in_parts(state))
        return eqx.tree_at(self.in_parts, whole, parts) if parts else whole


class AbstractLearner(AbstractAlgorithm[State]):
    """An algorithm that learns from rewards, in stage 1 and, going on, in stage 3."""

    @abstractmethod
    def central(self, state: State) -> Any:
        """The part that only training needs, mixer or critic; stage 3 goes on with it."""

    @abstractmethod
    def adopt(self, team: Team, central: Any, teacher: Teacher | None, leash: float) -> Any:
        """The ``given`` of ``init`` with which a decentralised team goes on learning.

        Args:
            team: the student stands in the information module's place, and so nothing
                that the team acts on has read the state.
            central: what this algorithm left behind in stage 1.
            teacher: the team is kept near its policy, unless it is None.
            leash: how firmly.
        """
