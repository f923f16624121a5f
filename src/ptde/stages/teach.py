"""Stage 1: train a team (Paper Algorithm 1), so that nothing is lost on the way."""

import time
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from ptde.algos.base import AbstractAlgorithm, Teacher, Team
from ptde.envs.base import AbstractWorld
from ptde.run.checkpoint import Checkpoints
from ptde.run.evaluate import Returns
from ptde.run.interrupt import Interrupted, patient_interrupt
from ptde.run.loop import (
    Schedule,
    TrainState,
    first_bad,
    fold,
    initial,
    over_seeds,
    period,
    seed_keys,
    student_test,
    teacher_test,
)
from ptde.run.progress import Tracker
from ptde.run.record import Record, Row
from ptde.types import Rollout

TRAIN, TEST = 0, 1
"""Streams of randomness below a seed's key. Tests never share keys with training."""


class Diverged(Exception):
    """A loss or gradient was not finite; the message says where, and what to do."""


@dataclass(frozen=True)
class Training:
    """What learns, where, how long, and how it is looked at."""

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
    """Test with z drawn, or with its mean."""

    def keys(self, stream: int) -> Key[Array, " seeds"]:
        """The seeds' keys of one stream of randomness."""
        return fold(seed_keys(self.seed, self.seeds), stream)

    def start(self) -> TrainState:
        """The states before the first iteration, with a leading axis of seeds."""

        def begin(key):
            return initial(self.algo, self.env, self.schedule, key=key)

        return jax.jit(over_seeds(begin, self.seeds))(self.keys(TRAIN))

    def shapes(self) -> TrainState:
        """The shapes of ``start()``, without the memory."""
        return jax.eval_shape(self.start)


def teach(training: Training, folder: Path) -> tuple[Teacher, Team | None]:
    """Trains, from the newest checkpoint in ``folder`` if there is one.

    Writes ``record.jsonl`` and ``checkpoints/`` there.

    Returns:
        the teachers and, if a student learnt beside them, the decentralised teams; with a
        leading axis of seeds.

    Raises:
        Interrupted: the user pressed Ctrl-C; a checkpoint was written.
        Diverged: a loss or a gradient was not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    schedule = training.schedule
    checkpoints = Checkpoints(folder / "checkpoints")
    record = Record(folder / "record.jsonl")
    state, done, rows = _resume(training, checkpoints, record)
    run = period(training.algo, training.env, schedule, training.seeds)
    test = teacher_test(
        training.env,
        training.test_episodes,
        training.seeds,
        sample_z=training.sample_z,
    )
    team_test = student_test(training.env, training.test_episodes, training.seeds)
    seconds = rows[-1]["seconds"] if rows else 0.0
    saved = schedule.steps_after(done)
    total = schedule.steps_after(schedule.periods)
    with (
        patient_interrupt() as stop,
        Tracker(training.name, total, "steps") as tracker,
    ):
        while done < schedule.periods:
            began = time.monotonic()
            state, measured = run(state)
            metrics = {k: np.asarray(v) for k, v in measured.items()}
            taken = time.monotonic() - began
            _check(metrics, schedule.steps_after(done), schedule, checkpoints)
            done += 1
            steps = schedule.steps_after(done)
            keys = fold(training.keys(TEST), steps)
            # Teachers and teams only pick leaves, so the axis of seeds passes through.
            outcome = test(training.algo.teacher(state.learner), keys)
            team = training.algo.team(state.learner)
            if team is not None:
                metrics |= _of_student(team_test(team, keys))
            jax.block_until_ready(outcome)
            seconds += time.monotonic() - began
            row = _row(steps, seconds, schedule, taken, outcome, metrics)
            record.append(row)
            tracker.update(steps, _text(row, training.env.spec.measure))
            last = done == schedule.periods
            if stop.requested or last or steps - saved >= training.checkpoint_every:
                checkpoints.save(steps, state)
                saved = steps
            if stop.requested and not last:
                raise Interrupted(f"{training.name} is saved at {steps:,} steps")
    return training.algo.teacher(state.learner), training.algo.team(state.learner)


def last_state(training: Training, folder: Path) -> TrainState:
    """The state at the end of a finished training, with a leading axis of seeds.

    Raises:
        ValueError: its checkpoint is gone.
    """
    found = Checkpoints(folder / "checkpoints").newest(training.shapes())
    if found is None:
        raise ValueError(
            f"{folder}/checkpoints holds no checkpoint with the replay of stage 1: leave "
            "--student.data away, so that the teacher plays for its student"
        )
    return found[1]


def replayed(state: TrainState, envs: int) -> Rollout:
    """All segments in a training's replay, [seeds, segments, T + 1, ...]; their number is
    a multiple of ``envs``.
    """
    buffer = state.learner.replay
    full, index = bool(buffer.is_full.all()), int(buffer.current_index[0])
    experience = jax.tree.map(lambda x: x[:, 0], buffer.experience)
    count = experience.action.shape[1] if full else index
    return jax.tree.map(lambda x: x[:, : count - count % envs], experience)


def _resume(
    training: Training, checkpoints: Checkpoints, record: Record
) -> tuple[TrainState, int, list[Row]]:
    """The state to go on from, the periods behind it, and their rows."""
    schedule = training.schedule
    found = checkpoints.newest(training.shapes()) if checkpoints.steps() else None
    if found is None:
        return training.start(), 0, record.cut(0)
    steps, state = found
    return state, steps // schedule.steps_after(1), record.cut(steps)


def _check(
    metrics: dict[str, np.ndarray],
    steps: int,
    schedule: Schedule,
    checkpoints: Checkpoints,
) -> None:
    bad = first_bad(metrics)
    if bad is None:
        return
    iteration, values = bad
    step = steps + (iteration + 1) * schedule.per_iteration
    kept = checkpoints.steps()
    where = checkpoints.folder / str(kept[-1]) if kept else "none was written yet"
    batch = ", ".join(f"{k} {v:.4g}" for k, v in sorted(values.items()))
    raise Diverged(
        f"the loss is not finite at {step:,} steps. The batch: {batch}. "
        f"Last good checkpoint: {where}. Try a smaller --lr or --max-grad-norm"
    )


def _of_student(outcome: Returns) -> dict[str, np.ndarray]:
    return {
        "student_win_rate": np.asarray(outcome.won),
        "student_return": np.asarray(outcome.reward),
    }


def _row(
    steps: int,
    seconds: float,
    schedule: Schedule,
    taken: float,
    outcome: Returns,
    metrics: dict[str, np.ndarray],
) -> Row:
    def mean(x):
        return [round(float(v), 6) for v in jnp.mean(x, axis=1, dtype=jnp.float32)]

    return {
        "steps": steps,
        "seconds": round(seconds, 3),
        "steps_per_second": round(schedule.steps_after(1) / taken, 1),
        "win_rate": mean(outcome.won),
        "return": mean(outcome.reward),
        "length": mean(outcome.length),
        **{name: mean(value) for name, value in metrics.items()},
    }


def _text(row: Row, measure: str) -> str:
    text = (
        f"{row['steps_per_second']:,.0f} steps/s  "
        f"{measure} {np.mean(row['win_rate']):.2f}  return {np.mean(row['return']):.1f}"
    )
    for name in ("student_win_rate", "epsilon", "entropy"):
        if name in row:
            text += f"  {name.replace('_', ' ')} {np.mean(row[name]):.2f}"
    if any(row.get("lost_episodes", ())):
        text += f"  lost episodes {np.mean(row['lost_episodes']):.2g} a segment"
    return text
