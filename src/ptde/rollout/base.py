"""Training, testing and filming teams in a world, however it is stepped.

A *period* is what runs between two tests of a learner: some iterations of collecting a
rollout and learning from it. Python fetches results from the device once a period: to test,
to record, to save. The number of iterations is an argument of the compiled period, so that
a short last one compiles nothing anew.
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
from ptde.rollout.ahead import Program
from ptde.rollout.collect import rollout_shapes
from ptde.rollout.devices import Division
from ptde.rollout.evaluate import Returns
from ptde.rollout.schedule import Schedule
from ptde.types import Rollout

T = TypeVar("T")


class TrainState(eqx.Module):
    """The whole state of a training: from it and the config, training resumes exactly."""

    learner: Any
    key: Key[Array, ""]
    """Iteration i draws from ``fold_in(key, i)``."""
    iteration: Int[Array, ""]


Metrics: TypeAlias = dict[str, Array | np.ndarray]
Period: TypeAlias = Program[[TrainState, int], tuple[TrainState, Metrics]]
"""From a state and a number of iterations to the state after them, and metrics [seeds,
iterations]."""
Model: TypeAlias = Teacher | Team | FullPolicy
"""What can be tested: a finished team, which acts greedily, or any policy, as it is."""
Test: TypeAlias = Program[[Model, Key[Array, " seeds"]], Returns]
"""Finished teams [seeds] play whole episodes: Returns [seeds, episodes]."""
Pictures: TypeAlias = tuple[list[np.ndarray], str | None]
"""An episode as its world draws it: pictures of every joint step, [height, width, 3], and
the path of the game's own recording of it. Either may be missing."""


class AbstractRunner(ABC):
    """Plays teams in one world: trains, tests, collects and films them.

    ``rollout/runner.py`` chooses the runner of a world; other code depends on no kind.
    """

    one_seed: ClassVar[bool] = False
    """Whether only one seed can be trained at a time."""

    @property
    @abstractmethod
    def draws(self) -> bool:
        """Whether the world makes pictures of itself."""

    @abstractmethod
    def period(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Period:
        """A period of at most ``schedule.iterations``; it may consume the state it gets."""

    def division(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Division:
        """How ``period`` is divided over devices."""
        return Division("copies", 1)

    def placed(
        self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int, state: TrainState
    ) -> TrainState:
        """The shapes of a training's state, with where ``period`` wants each array."""
        return state

    @abstractmethod
    def test(
        self,
        episodes: int,
        seeds: int,
        *,
        at_once: int | None = None,
        sample_z: bool = False,
    ) -> Test:
        """The test of greedy teachers, or of decentralised teams, in the held-out world.

        Args:
            episodes: episodes of each seed, unless the world has a fixed number.
            seeds: number of teams, tested side by side.
            at_once: episodes that are played side by side; None is all. They are the same
                however many it is: a long test as broad as short ones compiles no more.
            sample_z: whether a teacher's z is drawn; else it is its mean.
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
        """Collects ``times`` rollouts of ``copies`` segments, each from a reset on. A world
        of fixed episodes plays others in every rollout, until all were played.

        Args:
            policy: makes the policy that plays, from a model.
            each: makes the result that is kept, from the model and a rollout.
            times: rollouts of each seed.
            copies: copies of the world.
            length: joint steps of a segment.
            seeds: number of models, side by side.

        Returns:
            A function of models and keys, both [seeds], to leaves [seeds, times, ...].
        """

    @abstractmethod
    def film(
        self, policy: FullPolicy, folder: Path | None, *, key: Key[Array, ""]
    ) -> Pictures:
        """One episode of a team, as the world draws it.

        Args:
            policy: the team.
            folder: where the game may leave its own recording; None for nowhere.
            key: draws the episode.

        Raises:
            ValueError: the world cannot be filmed.
        """


def as_tested(model: Model, *, sample_z: bool = False) -> FullPolicy:
    """The greedy policy of a finished team; ``sample_z`` applies to teachers alone."""
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
    """The state before the first iteration; ``given`` is passed to ``algo.init``."""
    key_init, _, key_train = jax.random.split(key, 3)
    example = rollout_shapes(env, schedule.envs, schedule.segment)
    learner = algo.init(example, given, key=key_init)
    return TrainState(learner, key_train, jnp.zeros((), jnp.int32))
