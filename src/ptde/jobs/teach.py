"""Stage 1: trains a team (Paper Algorithm 1), with checkpoints, tests and a record."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from ptde.algos.base import AbstractAlgorithm, AbstractLearner, Teacher, Team
from ptde.envs.base import AbstractWorld
from ptde.files import shell
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.job import Job, OnRow, run_job
from ptde.jobs.progress import console
from ptde.jobs.record import Row, reached_text
from ptde.rollout.ahead import Ahead
from ptde.rollout.base import TrainState, initial
from ptde.rollout.evaluate import Returns
from ptde.rollout.runner import runner_of
from ptde.rollout.schedule import Schedule
from ptde.rollout.seeds import Stream, fold_in_all, over_seeds, stream_keys
from ptde.types import RETURN, Rollout


class Taught(NamedTuple):
    """The result of a training, with a leading axis of seeds."""

    teacher: Teacher
    team: Team | None
    """The decentralised team, if the algorithm learns one."""
    central: Any
    """The mixer or critic, for stage 3."""


@dataclass(frozen=True)
class Training:
    """A training: the algorithm, the world, the schedule and the tests."""

    name: str
    algo: AbstractAlgorithm
    env: AbstractWorld
    schedule: Schedule
    seed: int
    seeds: int
    test_episodes: int
    checkpoint_every: int
    """Joint steps between checkpoints."""
    sample_z: bool
    """Whether tests draw z; otherwise they use its mean."""
    tested: Literal["teacher", "student"] = "teacher"
    """The role whose tests are recorded; a student beside its teacher is tested, too."""
    before: int = 0
    """Joint steps of earlier stages."""
    given: Any = None
    """The ``given`` of the algorithm's ``init``, with a leading axis of seeds."""
    streams: tuple[Stream, Stream] = (Stream.TRAIN, Stream.TEST)
    """The streams of randomness of learning and of tests."""

    def keys(self, stream: Stream) -> Key[Array, " seeds"]:
        """The seeds' keys of one stream of randomness."""
        return stream_keys(stream, self.seed, self.seeds)

    @cached_property
    def begin(self) -> Any:
        """The compiled function from keys and ``given`` to states, [seeds]."""
        shapes = self.placed_shapes()
        where = jax.tree.map(lambda x: x.sharding, shapes)  # a second replay is no copy
        return jax.jit(self._begin, out_shardings=where)

    def start(self) -> TrainState:
        """The states before the first iteration, with a leading axis of seeds."""
        return self.begin(self.keys(self.streams[0]), self.given)

    def shapes(self) -> TrainState:
        """The shapes of ``start()``, for which nothing is computed."""
        return jax.eval_shape(self._begin, self.keys(self.streams[0]), self.given)

    def placed_shapes(self) -> TrainState:
        """The same, with where each array lies: a replay's half on each of two devices."""
        runner = runner_of(self.env)
        return runner.placed(self.algo, self.schedule, self.seeds, self.shapes())

    def _begin(self, keys: Key[Array, " seeds"], given: Any) -> TrainState:
        def begin(key, given):
            return initial(self.algo, self.env, self.schedule, given, key=key)

        return over_seeds(begin, self.seeds)(keys, given)

    @cached_property
    def taught(self) -> Callable[[Any], Taught]:
        """The compiled function from learners to what they learnt, [seeds]."""
        algo = self.algo

        def pick(learner):
            central = algo.central(learner) if isinstance(algo, AbstractLearner) else None
            return Taught(algo.teacher(learner), algo.team(learner), central)

        return jax.jit(over_seeds(pick, self.seeds))

    def taught_shapes(self) -> Taught:
        """The shapes of the training's result."""
        return jax.eval_shape(lambda: self.taught(self.start().learner))


def teach(training: Training, folder: Path, on_row: Iterable[OnRow] = ()) -> Taught:
    """Trains, from the newest checkpoint in ``folder`` if there is one.

    Writes ``record.jsonl`` and ``checkpoints/`` there.

    Raises:
        Interrupted: the user pressed Ctrl-C; a checkpoint was written.
        Diverged: a loss or a gradient was not finite.
    """
    t, runner = training, runner_of(training.env)
    division = runner.division(t.algo, t.schedule, t.seeds)
    if division.devices > 1:
        console().print(f"{t.name}: {division}")
    run = runner.period(t.algo, t.schedule, t.seeds)
    test = runner.test(t.test_episodes, t.seeds, sample_z=t.sample_z)

    def look(state: TrainState, steps: int) -> dict[str, Array]:
        keys = fold_in_all(t.keys(t.streams[1]), steps)
        teacher, team, _ = t.taught(state.learner)
        if t.tested == "student":
            assert team is not None
            return _seen(test(team, keys))
        seen = _seen(test(teacher, keys))
        if team is not None:
            outcome = test(team, keys)
            seen["student_win_rate"] = outcome.performance.mean(1)
            seen["student_return"] = outcome.reward.mean(1)
        return seen

    def ahead(anew: bool) -> Ahead:
        keys, taught = t.keys(t.streams[0]), t.taught_shapes()
        yield from run.ahead(t.shapes(), 1)
        model = taught.team if t.tested == "student" else taught.teacher
        yield from test.ahead(model, keys)
        if anew:
            yield t.begin.lower(keys, t.given)

    job = Job(
        name=t.name,
        unit="steps",
        ends=t.schedule.ends,
        ahead=ahead,
        start=t.start,
        shapes=t.placed_shapes,
        advance=lambda state, steps: run(state, steps // t.schedule.per_iteration),
        test=look,
        text=lambda row: _text(row, t.env.spec.measure),
        save_every=t.checkpoint_every,
        joint=lambda steps: t.before + steps,
        one_program=not runner.one_seed,
    )
    return t.taught(run_job(job, folder, on_row).learner)


def check_last_state(training: Training, folder: Path) -> None:
    """Raises what ``last_state`` would, for which no array is read into memory."""
    if not Checkpoints(folder / "checkpoints").any_whole(training.shapes()):
        raise _no_replay(folder)


def last_state(training: Training, folder: Path) -> TrainState:
    """The state at the end of a finished training, with a leading axis of seeds.

    Raises:
        ValueError: there is no checkpoint any more, or it is of another training.
    """
    t = training
    division = runner_of(t.env).division(t.algo, t.schedule, t.seeds)
    # Each seed's replay to its device; one that is divided is labelled as a whole.
    like = t.placed_shapes() if division.by == "seeds" else t.shapes()
    found = Checkpoints(folder / "checkpoints").newest(like)
    if found is None:
        raise _no_replay(folder)
    return found[1]


def _no_replay(folder: Path) -> ValueError:
    return ValueError(
        f"{folder}/checkpoints holds no checkpoint with the replay of stage 1: "
        f"`ptde distill {shell(folder.parent)} --student.data own` lets the student play"
    )


def take_replay(state: TrainState) -> Rollout:
    """All segments of a training's replay, [seeds, segments, T + 1, ...].

    The replay is deleted, array by array: no two of it need be in memory at once.
    """
    filled = int(state.learner.replay.filled[0])  # as many for each seed

    @jax.jit
    def flat(x):
        return x[:, :, :filled].reshape(len(x), -1, *x.shape[3:])

    def taken(x):
        segments = flat(x).block_until_ready()
        x.delete()
        return segments

    return jax.tree.map(taken, state.learner.replay.segments)


def _seen(outcome: Returns) -> dict[str, Array]:
    """Means over a test's episodes, for each seed."""
    return {
        "win_rate": outcome.performance.mean(1),
        "return": outcome.reward.mean(1),
        "length": outcome.length.mean(1),
    }


def _text(row: Row, measure: str) -> str:
    text = f"{row['steps_per_second']:,.0f} steps/s  {reached_text(row, measure)}"
    beside = "student_return" if measure == RETURN else "student_win_rate"
    for name in (beside, "epsilon", "entropy", "r2"):
        if name in row:
            text += f"  {name.replace('_', ' ')} {np.mean(row[name]):.2f}"
    if any(row.get("lost_episodes", ())):
        text += f"  lost episodes {np.mean(row['lost_episodes']):.2g} a segment"
    return text
