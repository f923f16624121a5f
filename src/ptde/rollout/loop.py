"""The only training loop.

A *period* is what runs between two looks at the learner: so many iterations of collect and
update, as one compiled program whose state is donated. Python sees the device once a
period: to test, to record, to save. How many iterations is a number that the program is
given, so that a short last period compiles nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt32

from ptde.agents.policy import FullPolicy, localise
from ptde.algos.base import AbstractAlgorithm, Teacher, Team
from ptde.envs.base import AbstractEnv, AbstractWorld
from ptde.envs.process import ProcessWorld
from ptde.ops.keys import new_key
from ptde.rollout import process
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
    def collections(self) -> int:
        """Iterations of the whole training: ``steps`` is rounded up to whole ones."""
        return max(1, -(-self.steps // self.per_iteration))

    @property
    def total(self) -> int:
        """Joint steps that the whole training takes."""
        return self.collections * self.per_iteration

    @property
    def iterations(self) -> int:
        """Iterations in a period: as near to ``test_every`` as whole iterations are. The
        last period may have fewer.
        """
        return min(self.collections, max(1, round(self.test_every / self.per_iteration)))

    @property
    def ends(self) -> list[int]:
        """Joint steps at the end of each period."""
        period = self.iterations * self.per_iteration
        return [*range(period, self.total, period), self.total]


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


@partial(jax.jit, static_argnums=(0, 1))  # one program, not one for every operation
def seed_keys(seed: int, seeds: int) -> Key[Array, " seeds"]:
    """The keys of seeds ``seed``, ``seed + 1``, ...: each as if it ran alone."""
    return jnp.stack([new_key(seed + i) for i in range(seeds)])


def fold(keys: Key[Array, " seeds"], number: int) -> Key[Array, " seeds"]:
    """``fold_in`` for every seed: a stream of randomness, or one draw from it."""
    return _fold(keys, np.uint32(number))


@jax.jit
def _fold(keys: Key[Array, " seeds"], number: UInt32[Array, ""]) -> Key[Array, " seeds"]:
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
    begun = start(policy, env, schedule.envs, key=key_start)
    _, rollout = collect(policy, env, begun, schedule.segment, key=key_collect)
    learner, metrics = algo.update(state.learner, rollout, key=key_update)
    won = train_win_rate(rollout, env.spec.time_limit)
    metrics = {**metrics, "train_win_rate": won}
    return TrainState(learner, state.key, state.iteration + 1), metrics


Period = Callable[[TrainState, int], tuple[TrainState, dict[str, Array]]]
"""So many iterations: the state after them, and metrics [seeds, iterations]."""


def period(
    algo: AbstractAlgorithm, env: AbstractWorld, schedule: Schedule, seeds: int
) -> Period:
    """The compiled period, of at most ``schedule.iterations``; its state is donated."""
    if isinstance(env, ProcessWorld):
        return _process_period(algo, env, schedule)
    assert isinstance(env, AbstractEnv)
    program = compiled_period(algo, env, schedule, seeds)

    def play(state, count):
        state, metrics = program(state, count)
        return state, jax.tree.map(lambda x: x[:, :count], metrics)

    return play


def compiled_period(
    algo: AbstractAlgorithm, env: AbstractEnv, schedule: Schedule, seeds: int
) -> Any:
    """The program of a period: metrics have room for ``schedule.iterations``."""
    most = schedule.iterations

    def run(state, *, count):
        step = partial(iterate, algo, env, schedule)
        empty = jax.tree.map(
            lambda x: jnp.zeros((most, *x.shape), x.dtype), jax.eval_shape(step, state)[1]
        )

        def one(i, carry):
            state, metrics = carry
            state, new = step(state)
            return state, jax.tree.map(lambda x, y: x.at[i].set(y), metrics, new)

        return jax.lax.fori_loop(0, count, one, (state, empty))

    @partial(jax.jit, donate_argnums=0)
    def program(state, count):  # one count for all seeds: else each step would copy states
        return over_seeds(partial(run, count=count), seeds)(state)

    return program


def _process_period(
    algo: AbstractAlgorithm, world: ProcessWorld, schedule: Schedule
) -> Period:
    """The same for a world in processes of its own, and a single seed."""
    run = process.iterate(algo, world, schedule.segment)

    def play(state, count):
        one = jax.tree.map(lambda x: x[0], state)
        learner, metrics = run(one.learner, one.key, int(one.iteration), count)
        after = TrainState(learner, one.key, one.iteration + count)
        return jax.tree.map(lambda x: x[None], (after, metrics))

    return play


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
    if isinstance(env, ProcessWorld):
        play = lambda team, key: process.evaluate(policy(team), env, episodes, key=key)  # noqa: E731
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
