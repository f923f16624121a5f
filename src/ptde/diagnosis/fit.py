"""The students that a diagnosis compares: each is fitted once, and then kept."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import jax

from ptde import build
from ptde.algos.base import Teacher, Team
from ptde.algos.student import StudentLearner
from ptde.diagnosis.gap import NOTHING, Lack, data_steps, lacking
from ptde.diagnosis.shown import Gap, ShownLearner, wide
from ptde.distill.config import DistillConfig
from ptde.envs.base import AbstractWorld
from ptde.files import write_whole
from ptde.folder import FITTED, RunFolder
from ptde.jobs import checkpoint
from ptde.jobs.checkpoint import DamagedCheckpoint
from ptde.jobs.distill import distill
from ptde.jobs.distillation import Distillation
from ptde.jobs.record import Record
from ptde.jobs.teach import Training, last_state, take_replay, teach
from ptde.types import Rollout

TESTS = 4
"""Tests of each fit, for its progress alone."""


@dataclass(frozen=True)
class Fitted:
    """A student that was fitted."""

    team: Team | Teacher
    """A teacher if it is shown the state."""
    seconds: float
    """Wall time of the fit, whenever it was."""


@dataclass(frozen=True)
class Fitter:
    """Fits students beside a run's own, to its teacher and with its budget."""

    folder: RunFolder
    env: AbstractWorld
    teacher: Teacher

    def student(self, lack: Lack, name: str) -> Fitted:
        """The run's student, but for what it lacks.

        Args:
            lack: what that is.
            name: what its progress is called.
        """
        config = lacking(self.folder.run.stage_2, lack)
        place = self._place("-".join(sorted(lack)) or "nothing", config)
        task = self._task(config, name)

        def shapes():
            start = jax.eval_shape(lambda teacher: task.start(teacher), self.teacher)
            return Team(self.teacher.network, start.student)

        def fit():
            if config.data == "own":
                return teach(self._own(task), place).team
            replay = (lambda: self._replay) if config.data == "replay" else None
            return distill(task, self.teacher, place, replay=replay)

        return self._kept(place, shapes, fit)

    def shown(self, name: str) -> Fitted:
        """A student that lacks nothing, and is shown the state."""
        config, spec = lacking(self.folder.run.stage_2, NOTHING), self.env.spec
        z_dim, longer = self.teacher.info.z_dim, wide(spec)
        training = self._own(self._task(config, name))
        learner = training.algo
        assert isinstance(learner, StudentLearner)
        learner = replace(
            learner, make_student=lambda key: config.make(longer, z_dim, key=key)
        )
        algo = ShownLearner(learner, Gap(spec.obs_dim, spec.state_dim))
        training = replace(training, algo=algo, tested="teacher")
        place = self._place("state", config)
        return self._kept(
            place,
            lambda: training.taught_shapes().teacher,
            lambda: teach(training, place).teacher,
        )

    def _task(self, config: DistillConfig, name: str) -> Distillation:
        run = self.folder.run
        task = build.distillation(run, self.env)
        budget = task.joint_steps or data_steps(run)
        config = replace(config, share=0.0, data_segments=0, tests=TESTS)
        return replace(task, config=config, steps=budget, name=name)

    def _own(self, task: Distillation) -> Training:
        return task.own(self.teacher, self.folder.run.checkpoint_every)

    @cached_property
    def _replay(self) -> Rollout:
        """The segments in the replay that stage 1 left."""
        run = self.folder.run
        training = build.training(run, self.env, "teacher")
        return take_replay(last_state(training, self.folder.path / "teacher"))

    def _place(self, name: str, config: DistillConfig) -> Path:
        """The student's folder; one that was fitted otherwise is removed from it."""
        place = self.folder.path / FITTED / name
        wanted = json.dumps(asdict(config), indent=1)
        noted = place / "student.json"
        with suppress(OSError):
            if noted.read_text() == wanted:
                return place
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        write_whole(noted, wanted)
        return place

    @staticmethod
    def _kept(place: Path, shapes: Callable[[], Any], fit: Callable[[], Any]) -> Fitted:
        model = place / "model"
        if model.is_dir():
            try:
                team = checkpoint.load(model, shapes())
            except DamagedCheckpoint as error:
                raise ValueError(
                    f"{error}. Remove {place}: `ptde diagnose` then fits it anew"
                ) from error
        else:
            team = fit()
            checkpoint.save(model, team)
            shutil.rmtree(place / "checkpoints")  # with all that it learnt from
        rows = Record(place / "record.jsonl").rows()
        return Fitted(team, rows[-1]["seconds"] if rows else 0.0)
