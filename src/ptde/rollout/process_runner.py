"""Worlds in processes of their own, stepped by a Python loop (``process.py``)."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ptde.algos.base import AbstractAlgorithm
from ptde.rollout import process
from ptde.rollout.ahead import Program
from ptde.rollout.base import AbstractRunner, Period, TrainState, as_tested
from ptde.rollout.collect import train_performance
from ptde.rollout.copies import AbstractCopies
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import over_seeds


class ProcessRunner(AbstractRunner):
    """Plays in the processes of a world, all its copies at once, one seed at a time."""

    one_seed = True

    def __init__(self, copies: AbstractCopies):
        self.copies, self.world = copies, copies.world

    @property
    def draws(self) -> bool:
        return self.world.sizes.pictures

    def period(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Period:
        run = iterations(algo, self.copies, schedule.segment)

        def play(state, count):
            def one(state):
                first = int(state.iteration)
                learner, metrics = run(state.learner, state.key, first, count)
                return TrainState(learner, state.key, state.iteration + count), metrics

            return over_seeds(one, seeds)(state)

        return Program(play)

    def test(self, episodes, seeds, *, at_once=None, sample_z=False):
        def play(model, key):
            policy = as_tested(model, sample_z=sample_z)
            return self.copies.evaluate(policy, self.world.episodes(episodes), key=key)

        return Program(over_seeds(play, seeds))

    def rollouts(self, policy, each, *, times, copies, length, seeds):
        kept = jax.jit(each)

        def run(model, key):
            team = policy(model)
            keys = jax.random.split(key, times)
            rolls = (self.copies.collect(team, length, key=k) for k in keys)
            parts = [kept(model, rollout) for rollout in rolls]
            return jax.tree.map(lambda *x: jnp.stack(x), *parts)

        return over_seeds(run, seeds)

    def film(self, policy, folder, *, key):
        with closing(self.world.recording(folder)) as one:
            return process.film(policy, one, key=key)


def iterations(
    algo: AbstractAlgorithm, copies: AbstractCopies, length: int
) -> Callable[[Any, Key[Array, ""], int, int], tuple[Any, dict[str, np.ndarray]]]:
    """A function that collects and learns: from (learner, key, first iteration, times) to
    the learner after so many iterations, and metrics [times].

    While an update runs, the copies are reset for the next segment; with ``--overlap`` they
    play it, too, with the networks from before the update.
    """
    overlap, time_limit = copies.world.config.overlap, copies.world.spec.time_limit
    learn = jax.jit(lambda s, r, key: algo.update(s, r, key=key), donate_argnums=0)
    behave = jax.jit(lambda s: jax.tree.map(jnp.copy, algo.behave(s)))

    def run(learner, key, first, times):
        keys = [jax.random.split(jax.random.fold_in(key, first + i)) for i in range(times)]
        rows: list[dict[str, Any]] = []
        policy = behave(learner)
        copies.lost()  # those of a test do not count
        rollout = copies.collect(policy, length, key=keys[0][0])
        for i in range(times):
            shown = train_performance(rollout, time_limit)
            lost = len(copies.lost())
            if i + 1 < times:
                copies.begin(key=keys[i + 1][0])
            learner, metrics = learn(learner, rollout, keys[i][1])  # does not wait for it
            rows.append({**metrics, "train_win_rate": shown, "lost_episodes": lost})
            if i + 1 < times:
                if not overlap:
                    policy = behave(learner)
                rollout = copies.play(policy, length, key=keys[i + 1][0])
                if overlap:
                    policy = behave(learner)
        return learner, {name: np.array([float(r[name]) for r in rows]) for name in rows[0]}

    return run
