"""The only training loop.

A *period* is what runs between two looks at the learner: so many iterations of collect and
update, as one compiled program whose state is donated. Python sees the device once a
period: to test, to record, to save.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key

from ptde.agents.policy import FullPolicy, localise
from ptde.algos.base import AbstractAlgorithm, Teacher, Team
from ptde.envs.base import AbstractEnv, AbstractWorld
from ptde.envs.host import HostWorld
from ptde.ops.keys import new_key
from ptde.rollout import host
from ptde.rollout.collect import collect, rollout_shapes, start, train_win_rate
from ptde.rollout.evaluate import Returns, evaluate

T = TypeVar("T")


@dataclass(frozen=True)
class Schedule:
    """How long a training is, in joint steps, and how often one looks at it."""

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
    def iterations(self) -> int:
        """Iterations in a period: as near to ``test_every`` as whole iterations are."""
        most = max(1, -(-self.steps // self.per_iteration))
        return min(most, max(1, round(self.test_every / self.per_iteration)))

    @property
    def periods(self) -> int:
        """Periods of the whole training; ``steps`` is rounded up to whole periods."""
        return max(1, -(-self.steps // (self.per_iteration * self.iterations)))

    def steps_after(self, periods: int) -> int:
        """Joint steps taken in so many periods."""
        return periods * self.iterations * self.per_iteration


class TrainState(eqx.Module):
    """All that a training consists of: with it, and the config, it goes on exactly."""

    learner: Any
    key: Key[Array, ""]
    """Iteration i draws from ``fold_in(key, i)``."""
    iteration: Int[Array, ""]


def over_seeds(function: Callable[..., T], seeds: int) -> Callable[..., T]:
    """``function`` over a leading axis of seeds, which is there for a single seed too.

    One seed is not vmapped: a batch of one turns slices into gathers.
    """
    if seeds > 1:
        return jax.vmap(function)

    def single(*args):
        result = function(*jax.tree.map(lambda x: x[0], args))
        return jax.tree.map(lambda x: x[None], result)

    return single


def seed_keys(seed: int, seeds: int) -> Key[Array, " seeds"]:
    """The keys of seeds ``seed``, ``seed + 1``, ...: each as if it ran alone."""
    return jnp.stack([new_key(seed + i) for i in range(seeds)])


def fold(keys: Key[Array, " seeds"], number: int) -> Key[Array, " seeds"]:
    """``fold_in`` for every seed: a stream of randomness, or one draw from it."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


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


def iterate(
    algo: AbstractAlgorithm, env: AbstractEnv, schedule: Schedule, state: TrainState
) -> tuple[TrainState, dict[str, Array]]:
    """Collects one rollout, from a reset of all copies on, and learns from it."""
    key = jax.random.fold_in(state.key, state.iteration)
    key_start, key_collect, key_update = jax.random.split(key, 3)
    policy = algo.behave(state.learner)
    cursor = start(policy, env, schedule.envs, key=key_start)
    _, rollout = collect(policy, env, cursor, schedule.segment, key=key_collect)
    learner, metrics = algo.update(state.learner, rollout, key=key_update)
    won = train_win_rate(rollout, env.spec.time_limit)
    metrics = {**metrics, "train_win_rate": won}
    return TrainState(learner, state.key, state.iteration + 1), metrics


def period(
    algo: AbstractAlgorithm, env: AbstractWorld, schedule: Schedule, seeds: int
) -> Callable[[TrainState], tuple[TrainState, dict[str, Array]]]:
    """The compiled period: the state after it, and metrics [seeds, iterations]."""
    if isinstance(env, HostWorld):
        return _host_period(algo, env, schedule)
    assert isinstance(env, AbstractEnv)

    def run(state):
        step = lambda s, _: iterate(algo, env, schedule, s)  # noqa: E731
        return jax.lax.scan(step, state, None, length=schedule.iterations)

    return jax.jit(over_seeds(run, seeds), donate_argnums=0)


def _host_period(
    algo: AbstractAlgorithm, world: HostWorld, schedule: Schedule
) -> Callable[[TrainState], tuple[TrainState, dict[str, Array]]]:
    """The same for a world in processes of its own, and a single seed."""
    run = host.iterate(algo, world, schedule.segment, schedule.iterations)

    def period(state):
        one = jax.tree.map(lambda x: x[0], state)
        learner, metrics = run(one.learner, one.key, int(one.iteration))
        after = TrainState(learner, one.key, one.iteration + schedule.iterations)
        return jax.tree.map(lambda x: x[None], (after, metrics))

    return period


def teacher_test(
    env: AbstractWorld, episodes: int, seeds: int, *, sample_z: bool
) -> Callable[[Teacher, Key[Array, " seeds"]], Returns]:
    """The compiled test of greedy teachers: Returns [seeds, episodes]."""
    return _test(lambda t: t.policy(0.0, sample_z=sample_z), env, episodes, seeds)


def student_test(
    env: AbstractWorld, episodes: int, seeds: int
) -> Callable[[Team, Key[Array, " seeds"]], Returns]:
    """The compiled test of decentralised teams: Returns [seeds, episodes]."""
    return _test(lambda team: localise(team.policy()), env, episodes, seeds)


def _test(
    policy: Callable[[Any], FullPolicy], env: AbstractWorld, episodes: int, seeds: int
) -> Callable[[Any, Key[Array, " seeds"]], Returns]:
    env = env.held_out()
    episodes = env.episodes(episodes)
    if isinstance(env, HostWorld):
        play = lambda team, key: host.evaluate(policy(team), env, episodes, key=key)  # noqa: E731
        return over_seeds(play, seeds)
    assert isinstance(env, AbstractEnv)
    play = lambda team, key: evaluate(policy(team), env, episodes, key=key)  # noqa: E731
    return jax.jit(over_seeds(play, seeds))


def first_bad(metrics: dict[str, np.ndarray]) -> tuple[int, dict[str, float]] | None:
    """The first iteration whose metrics are not finite, and these metrics."""
    bad = ~np.all([np.isfinite(v) for v in metrics.values()], axis=0)
    if not bad.any():
        return None
    iteration = int(np.argmax(bad.any(axis=0)))
    seed = int(np.argmax(bad[:, iteration]))
    return iteration, {k: float(v[seed, iteration]) for k, v in metrics.items()}
