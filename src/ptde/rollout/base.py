"""What can be done with a team in a world, whichever way that world is stepped.

A *period* is what runs between two looks at a learner: so many iterations of collecting a
rollout and learning from it. Python sees the device once a period: to test, to record, to
save. How many iterations is a number that the period is given, so that a short last one
compiles nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ptde.agents.policy import FullPolicy, localise
from ptde.algos.base import AbstractAlgorithm, Teacher, Team
from ptde.envs.base import AbstractWorld
from ptde.rollout.collect import rollout_shapes
from ptde.rollout.evaluate import Returns
from ptde.rollout.schedule import Schedule
from ptde.types import Rollout

T = TypeVar("T")


class TrainState(eqx.Module):
    """All that a training consists of: with it, and the config, it goes on exactly."""

    learner: Any
    key: Key[Array, ""]
    """Iteration i draws from ``fold_in(key, i)``."""
    iteration: Int[Array, ""]


Metrics: TypeAlias = dict[str, Array | np.ndarray]
Period: TypeAlias = Callable[[TrainState, int], tuple[TrainState, Metrics]]
"""So many iterations: the state after them, and metrics [seeds, iterations]."""
Model: TypeAlias = Teacher | Team | FullPolicy
"""What can be tested: a finished team, greedy; or any policy, as it is."""
Test: TypeAlias = Callable[[Model, Key[Array, " seeds"]], Returns]
"""Finished teams [seeds] play whole episodes: Returns [seeds, episodes]."""
Pictures: TypeAlias = tuple[list[np.ndarray], str | None]
"""An episode as its world draws it: pictures of every joint step, [height, width, 3]; and
the path of the game's own record of it. Either may be missing."""


class AbstractRunner(ABC):
    """Plays teams in one world: trains, tests, collects and films them.

    ``rollout/runner.py`` chooses the runner of a world; nobody else asks what it is.
    """

    one_seed: ClassVar[bool] = False
    """Seeds run one after another, and not in one program."""

    @property
    @abstractmethod
    def draws(self) -> bool:
        """Whether the world makes pictures of itself."""

    @abstractmethod
    def period(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Period:
        """A period of at most ``schedule.iterations``; it may consume the state it gets."""

    @abstractmethod
    def test(self, episodes: int, seeds: int, *, sample_z: bool = False) -> Test:
        """The test of greedy teachers, or of decentralised teams, in the held-out world.

        Args:
            episodes: of each seed, unless the world has so many and no more.
            seeds: teams that are tested beside one another.
            sample_z: a teacher's z is drawn; else it is its mean.
        """

    @abstractmethod
    def rollouts(
        self,
        policy: Callable[[Any], FullPolicy],
        each: Callable[[Any, Rollout], T],
        *,
        times: int,
        copies: int,
        length: int,
        seeds: int,
    ) -> Callable[[Any, Key[Array, " seeds"]], T]:
        """Collects ``times`` rollouts of ``copies`` segments, each from a reset on.

        Args:
            policy: of a model, the policy that plays.
            each: what is kept of a rollout, from the model and the rollout.
            times: rollouts of each seed.
            copies: of the world.
            length: joint steps of a segment.
            seeds: models beside one another.

        Returns:
            a function of models and keys, both [seeds], to leaves [seeds, times, ...].
        """

    @abstractmethod
    def film(
        self, policy: FullPolicy, folder: Path | None, *, key: Key[Array, ""]
    ) -> Pictures:
        """One episode of a team, as the world draws it.

        Args:
            policy: the team.
            folder: where the game may leave its own record; None for nowhere.
            key: decides the episode.

        Raises:
            ValueError: the world cannot be filmed.
        """


def as_tested(model: Model, *, sample_z: bool = False) -> FullPolicy:
    """What a finished team does in tests; ``sample_z`` is for teachers alone."""
    if isinstance(model, FullPolicy):
        return model
    if isinstance(model, Team):
        return localise(model.policy())
    return model.policy(0.0, sample_z=sample_z)


def initial(
    algo: AbstractAlgorithm,
    env: AbstractWorld,
    schedule: Schedule,
    given: Any = None,
    *,
    key: Key[Array, ""],
) -> TrainState:
    """The state before the first iteration; ``given`` is the learner's (``algo.init``)."""
    key_init, _, key_train = jax.random.split(key, 3)
    example = rollout_shapes(env, schedule.envs, schedule.segment)
    learner = algo.init(example, given, key=key_init)
    return TrainState(learner, key_train, jnp.zeros((), jnp.int32))
