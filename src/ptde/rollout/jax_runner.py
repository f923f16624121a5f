"""Worlds in JAX: a period is one compiled program, whose state is donated."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ptde.algos.base import AbstractAlgorithm
from ptde.envs.base import AbstractEnv
from ptde.ops.devices import rows_after
from ptde.ops.loops import repeat
from ptde.rollout.ahead import Program
from ptde.rollout.base import AbstractRunner, Period, TrainState, as_tested
from ptde.rollout.collect import collect, start, train_performance
from ptde.rollout.devices import Division
from ptde.rollout.evaluate import evaluate
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import over_seeds

ROUNDS = 64
"""A test is played in at most so many rounds."""


class JaxRunner(AbstractRunner):
    """Plays in a world that is compiled with the team."""

    draws = False

    def __init__(self, env: AbstractEnv):
        self.env = env

    def division(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Division:
        return Division.of(seeds, algo.parts(schedule.envs))

    def placed(self, algo, schedule, seeds, state):
        division = self.division(algo, schedule, seeds)
        return division.placed(state, state_axes(algo, state))

    def period(self, algo: AbstractAlgorithm, schedule: Schedule, seeds: int) -> Period:
        division = self.division(algo, schedule, seeds)
        program = compiled_period(algo, self.env, schedule, seeds, division)

        def play(state, count):
            state = division.place(state, state_axes(algo, state))
            state, metrics = program(state, count)
            return state, jax.tree.map(lambda x: x[:, :count], metrics)

        def ahead(state, count):
            yield program.lower(self.placed(algo, schedule, seeds, state), count)

        return Program(play, ahead)

    def test(self, episodes, seeds, *, at_once=None, sample_z=False):
        env = self.env.held_out()
        count = env.episodes(episodes)
        together = min(count, env.episodes(at_once or episodes))
        together = max(together, -(-count // ROUNDS))
        division = Division.of(seeds, together)
        copies = division.copies(together)

        def play(model, key, *, first):
            with rows_after(first):
                return evaluate(as_tested(model, sample_z=sample_z), env, copies, key=key)

        def of_seeds(model, keys, first):
            played = over_seeds(partial(play, first=first), division.seeds(seeds))
            return played(model, keys)

        round_from = jax.jit(division.program(of_seeds, (False, False, None), True))

        def test(model, keys):
            model, keys = division.place((model, keys), False)
            firsts = np.arange(0, count, together, dtype=np.int32)
            rounds = [round_from(model, keys, first) for first in firsts]
            if len(rounds) == 1:
                return rounds[0]
            joined = lambda *x: np.concatenate(x, axis=1)[:, :count]
            return jax.tree.map(joined, *rounds)

        def ahead(model, keys):
            model, keys = division.placed((model, keys), False)
            yield round_from.lower(model, keys, np.int32(0))

        return Program(test, ahead)

    def rollouts(self, policy, each, *, times, copies, length, seeds):
        def run(model, key):
            team = policy(model)

            def roll(one):
                before, key = one
                key_start, key_collect = jax.random.split(key)
                with rows_after(before):
                    state = start(team, self.env, copies, key=key_start)
                    _, rollout = collect(team, self.env, state, length, key=key_collect)
                return each(model, rollout)

            rolls = copies * jnp.arange(times), jax.random.split(key, times)
            return jax.lax.map(roll, rolls)

        return jax.jit(over_seeds(run, seeds))

    def film(self, policy, folder, *, key):
        raise ValueError(f"{self.env.spec.name} has no replays: battles and games do")


def iterate(
    algo: AbstractAlgorithm, env: AbstractEnv, copies: int, length: int, state: TrainState
) -> tuple[TrainState, dict[str, Array]]:
    """Collects one rollout, from a reset of all copies on, and learns from it."""
    key = jax.random.fold_in(state.key, state.iteration)
    key_start, key_collect, key_update = jax.random.split(key, 3)
    policy = algo.behave(state.learner)
    begun = start(policy, env, copies, key=key_start)
    _, rollout = collect(policy, env, begun, length, key=key_collect)
    learner, metrics = algo.update(state.learner, rollout, key=key_update)
    reached = train_performance(rollout, env.spec.time_limit)
    metrics = {**metrics, "train_win_rate": reached}
    return TrainState(learner, state.key, state.iteration + 1), metrics


def compiled_period(
    algo: AbstractAlgorithm,
    env: AbstractEnv,
    schedule: Schedule,
    seeds: int,
    division: Division,
) -> Any:
    """The compiled period; its metrics have room for ``schedule.iterations``."""
    most, copies = schedule.iterations, division.copies(schedule.envs)
    step = partial(iterate, algo, env, copies, schedule.segment)

    def of_seeds(state, count):  # one count for all: else each step would copy states
        run = partial(repeat, step, count=count, most=most)
        return over_seeds(run, division.seeds(seeds))(state)

    @partial(jax.jit, donate_argnums=0)
    def program(state, count):
        axes = state_axes(algo, state)
        return division.program(of_seeds, (axes, None), (axes, False))(state, count)

    return program


def state_axes(algo: AbstractAlgorithm, state: TrainState) -> TrainState:
    """The axes of a training's state, for its division."""
    whole = jax.tree.map(lambda _: False, state)
    return eqx.tree_at(lambda s: s.learner, whole, algo.divided(state.learner))
