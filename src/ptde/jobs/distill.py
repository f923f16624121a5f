"""Stage 2: distil the teacher's z into a student (Paper Algorithm 2, Sec. 3.3).

The frozen teacher plays for data, or the student plays and the teacher labels; the student
fits the *mean* of the teacher's z, or the action values that follow from it, and then takes
the information module's place, with the network as it was.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from ptde.agents.base import AbstractNetwork
from ptde.algos.base import Teacher, Team
from ptde.info.base import AbstractStudent
from ptde.jobs.distillation import Distillation, Fit
from ptde.jobs.job import Job, OnRow, run_job
from ptde.jobs.record import Row, reached_text
from ptde.jobs.student_data import Data, axes_of
from ptde.rollout.ahead import Ahead
from ptde.rollout.base import Test
from ptde.rollout.devices import Division
from ptde.rollout.runner import runner_of
from ptde.rollout.seeds import Stream, fold_in_all, over_seeds
from ptde.types import Rollout


def _text(row: Row, measure: str) -> str:
    return (
        f"held-out loss {np.mean(row['held_out_loss']):.3f}  R2 {np.mean(row['r2']):.2f}  "
        f"{reached_text(row, measure)}"
    )


def distill(
    task: Distillation,
    teacher: Teacher,
    folder: Path,
    student: AbstractStudent | None = None,
    replay: Callable[[], Rollout] | None = None,
    on_row: Iterable[OnRow] = (),
) -> Team:
    """Distils on fixed data, from the newest checkpoint in ``folder`` if there is one.

    Writes ``record.jsonl`` and ``checkpoints/`` there; ``steps`` are gradient steps.

    Args:
        task: world, options and sizes.
        teacher: the frozen teachers, with a leading axis of seeds.
        folder: the student's folder in the run folder.
        student: the students to begin with, with a leading axis of seeds; None begins anew.
        replay: returns the segments to learn from [seeds, segments, ...], and is called
            only if there is something to learn; None lets the teacher play.
        on_row: functions that are called with each row of the record.

    Returns:
        The decentralised teams, with a leading axis of seeds.

    Raises:
        Interrupted: the user pressed Ctrl-C; a checkpoint was written.
        Diverged: a loss was not finite.
    """
    work = _Work(task, teacher, student, replay)
    job = Job(
        name=task.name,
        unit="gradient steps",
        ends=task.ends,
        start=work.start,
        shapes=lambda: jax.eval_shape(work.start),
        advance=work.advance,
        test=work.look,
        text=lambda row: _text(row, task.env.spec.measure),
        save_every=max(1, task.config.gradient_steps // 4),
        joint=lambda _: task.before + task.joint_steps,
        ahead=work.ahead,
    )
    return Team(teacher.network, run_job(job, folder, on_row).student)


@dataclass(frozen=True)
class _Work:
    """The work of a distillation on fixed data, as a job calls it."""

    task: Distillation
    teacher: Teacher
    student: AbstractStudent | None
    replay: Callable[[], Rollout] | None

    @cached_property
    def divided(self) -> tuple[Division, Data]:  # a finished job needs none
        """How the work is divided, and the data, each part on the device that reads it."""
        replay = None if self.replay is None else self.replay()
        data = self.task.data(self.teacher, replay)
        del replay  # no two of these need be in memory at once
        parts = jax.tree.leaves(data.learnt.segments)[0].shape[1]  # the lanes
        division = Division.of(self.task.seeds, parts)
        return division, division.place(data, axes_of(data))

    @property
    def division(self) -> Division:
        return self.divided[0]

    @property
    def data(self) -> Data:
        return self.divided[1]

    @cached_property
    def network(self) -> AbstractNetwork:
        return self.division.place(self.teacher.network, False)

    @cached_property
    def learn(self) -> Any:
        """The compiled function from students, data, networks and a number of steps to the
        students after them, and losses.
        """
        task, division = self.task, self.division

        def of_seeds(fit, data, network, steps):  # one count for all: else each copies
            learn = partial(task.learn, steps=steps)
            return over_seeds(learn, division.seeds(task.seeds))(fit, data, network)

        @partial(jax.jit, donate_argnums=0)
        def learn(fit, data, network, steps):
            program = division.program(of_seeds, (False, axes_of(data), False, None), False)
            return program(fit, data, network, steps)

        return learn

    @cached_property
    def held_out(self) -> Any:
        return jax.jit(over_seeds(self.task.held_out, self.task.seeds))

    @cached_property
    def test(self) -> Test:
        return runner_of(self.task.env).test(self.task.tested, self.task.seeds)

    def start(self) -> Fit:
        return self.task.start(self.teacher, self.student)

    def advance(self, fit: Fit, steps: int) -> tuple[Fit, dict[str, Array]]:
        fit = self.division.place(fit, False)
        fit, losses = self.learn(fit, self.data, self.network, steps)
        return fit, {"loss": losses[:, :steps]}

    def ahead(self, anew: bool) -> Ahead:
        fit, keys = jax.eval_shape(self.start), self.task.keys(Stream.STUDENT_TEST)
        fit = self.division.placed(fit, False)
        yield self.learn.lower(fit, self.data, self.network, 1)
        yield from self.test.ahead(Team(self.network, fit.student), keys)
        yield self.held_out.lower(fit, self.data, self.network)

    def look(self, fit: Fit, steps: int) -> dict[str, Array]:
        keys = fold_in_all(self.task.keys(Stream.STUDENT_TEST), steps)
        outcome = self.test(Team(self.network, fit.student), keys)
        reached = {"win_rate": outcome.performance.mean(1)}
        reached["return"] = outcome.reward.mean(1)
        return reached | self.held_out(fit, self.data, self.network)
