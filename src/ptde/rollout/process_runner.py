"""Worlds in processes of their own, stepped by a Python loop (``process.py``)."""

from contextlib import closing

import jax
import jax.numpy as jnp

from ptde.algos.base import AbstractAlgorithm
from ptde.envs.process import ProcessWorld
from ptde.rollout import process
from ptde.rollout.ahead import Program
from ptde.rollout.base import AbstractRunner, Period, TrainState, as_tested
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import over_seeds


class ProcessRunner(AbstractRunner):
    """Plays in the processes of a world, all its copies at once, one seed at a time."""

    one_seed = True

    def __init__(self, world: ProcessWorld):
        self.world = world

    @property
    def draws(self) -> bool:
        return self.world.sizes.pictures

    def period(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Period:
        run = process.iterations(algo, self.world, schedule.segment)

        def play(state, count):
            def one(state):
                first = int(state.iteration)
                learner, metrics = run(state.learner, state.key, first, count)
                return TrainState(learner, state.key, state.iteration + count), metrics

            return over_seeds(one, seeds)(state)

        return Program(play)

    def test(self, episodes, seeds, *, at_once=None, sample_z=False):
        world = self.world.held_out()
        count = world.episodes(episodes)

        def play(model, key):
            policy = as_tested(model, sample_z=sample_z)
            return process.evaluate(policy, world, count, key=key)

        return Program(over_seeds(play, seeds))

    def rollouts(self, policy, each, *, times, copies, length, seeds):
        kept = jax.jit(each)

        def run(model, key):
            team = policy(model)
            keys = jax.random.split(key, times)
            rolls = (process.collect(team, self.world, length, key=k) for k in keys)
            parts = [kept(model, rollout) for rollout in rolls]
            return jax.tree.map(lambda *x: jnp.stack(x), *parts)

        return over_seeds(run, seeds)

    def film(self, policy, folder, *, key):
        with closing(self.world.recording(folder)) as one:
            return process.film(policy, one, key=key)
