"""A run folder: the config of a run, and the results that its stages leave to one another.

Every stage finds there the files of the stage before:

    run.json                     the config, and the goal of the run
    origin                       proof that this user's ptde wrote it (trust.py)
    teacher/  student/  finetuned/  baseline/
        record.jsonl             one row for each test
        checkpoints/             to resume from
        model/                   the finished networks
        central/                 the teacher's mixer or critic, for a stage 3
    result.json  curves.png  replay.gif
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import equinox as eqx
import jax

from ptde import build
from ptde.algos.base import Teacher, Team
from ptde.config import Run, for_role
from ptde.envs.base import AbstractWorld
from ptde.files import LOCK, Held, locked, shell, write_whole
from ptde.jobs import checkpoint
from ptde.jobs.checkpoint import DamagedCheckpoint, UnfitCheckpoint
from ptde.jobs.interrupt import Interrupted, resumable
from ptde.rollout.devices import on_one_thread, usable
from ptde.run_json import FORMAT, load_run
from ptde.trust import sign
from ptde.validation import check_choice

Goal = Literal["teach", "run"]
ROLES = ("teacher", "student", "finetuned", "baseline")
DIAGNOSIS = ("diagnosis.json", "diagnosis.png")
"""Names of the files that a diagnosis leaves in a run folder."""
FITTED = "diagnosis"
"""Folder of the students that it fits to the run's teacher."""


class _FolderExists(ValueError):
    """There is such a folder already."""


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path, *, reads_data: bool = True):
        """Reads ``run.json``. ValueError as in ``run_json.load_run``."""
        self.path = path
        self.run, self.meta = load_run(path, reads_data=reads_data)

    @classmethod
    def create(cls, run: Run, path: Path | None, goal: Goal) -> "RunFolder":
        """A new folder; without a ``path`` one that nobody else makes, by the run's name.
        ValueError if it exists, OSError if it cannot be written.
        """
        while path is None:
            with suppress(_FolderExists):  # another process was faster
                return cls.create(run, default_folder(run), goal)
        name = f".{path.name}.{secrets.token_hex(4)}.part"
        part = path.absolute().parent / name  # absolute: "." has a parent, too
        try:
            if path.exists():
                raise FileExistsError
            part.mkdir(parents=True)
            cls._write(part, run, {"goal": goal})
            part.rename(path)  # whole, or not there
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            if path.exists():
                begun = (path / "run.json").is_file()
                way = f", or `ptde resume {shell(path)}` to go on with it" if begun else ""
                raise _FolderExists(
                    f"{path} exists and is left as it is: type another --out{way}"
                ) from None
            reason = os.strerror(error.errno) if error.errno else error
            raise OSError(
                error.errno,
                f"cannot write a run folder there ({reason}): type another --out",
                str(path),
            ) from error
        return cls(path)

    @contextmanager
    def alone(self, command: str = "resume") -> Iterator[None]:
        """A context in which no other process trains here; ValueError if one does.

        The system releases the lock when the process ends, however it ends; who is
        interrupted is told the ``command`` that goes on.
        """
        advice = f"`ptde {command} {shell(self.path)}` goes on"
        try:
            with (
                locked(self.path / LOCK),
                resumable(f"{advice} from the last save"),
            ):
                yield
        except Interrupted as stopped:
            raise Interrupted(f"{stopped}: {advice}") from None
        except Held as held:
            raise ValueError(
                f"{self.path} is being trained by process {held}: wait for it, or stop it "
                "with Ctrl-C there"
            ) from None

    @staticmethod
    def _write(path: Path, run: Run, meta: dict[str, Any]) -> None:
        data = {
            "format": FORMAT,
            "ptde": version("ptde"),
            "jax": version("jax"),
            "devices": usable(),
            "one_thread": on_one_thread(),
            **meta,
            "run": run.to_json(),
        }
        text = json.dumps(data, indent=1).encode()
        sign(path, text)
        write_whole(path / "run.json", text)

    def rewrite(self, run: Run, **meta: Any) -> None:
        """Replaces the config, for a stage that is to run with other options. A run that
        has begun keeps its devices and their threads; one that has not notes those of now.
        """
        kept = ("goal", "devices", "one_thread") if self.begun else ("goal",)
        self._write(self.path, run, {**{n: self.meta[n] for n in kept}, **meta})
        self.run, self.meta = load_run(self.path)

    @property
    def expected(self) -> list[str]:
        """The roles that the run is to have, in the order of their training."""
        run, whole = self.run, self.meta["goal"] == "run"
        student = run.online_distillation or (whole and run.distils)
        asked = {
            "teacher": True,
            "student": student,
            "finetuned": whole and run.finetunes,
            "baseline": run.baseline,
        }
        return [role for role, wanted in asked.items() if wanted]

    @property
    def begun(self) -> bool:
        """Whether any role has been at work."""
        return any((self.path / role).exists() for role in ROLES)

    def has(self, role: str) -> bool:
        """Whether the role's networks are finished."""
        return (self.path / role / "model").is_dir()

    def check_has(self, role: str) -> None:
        """Raises ValueError, with those that are, if the role is not finished."""
        check_choice("role", role, ROLES)
        if self.has(role):
            return
        there = " or ".join(r for r in ROLES if self.has(r))
        advice = (
            f"type --role {there}" if there else f"`ptde resume {shell(self.path)}` ends it"
        )
        raise ValueError(f"{self.path} has no finished {role}: {advice}")

    def index_of(self, seed: int | None) -> int:
        """The index of a seed among the run's; None is its first. ValueError if the run
        does not have it.
        """
        first, count = self.run.seed, self.run.seeds
        if seed is None:
            return 0
        if not first <= seed < first + count:
            last = first + count - 1
            raise ValueError(f"--seed {seed} is not in this run: {first} to {last} are")
        return seed - first

    def finish(self, role: str, model: eqx.Module, central: Any = None) -> None:
        """Saves the role's finished networks, and a teacher's mixer or critic."""
        if jax.tree.leaves(central):  # VDN's mixer has none
            path = self.path / role / "central"
            shutil.rmtree(path, ignore_errors=True)
            checkpoint.save(path, central)
        checkpoint.save(self.path / role / "model", model)

    @property
    def decentralised(self) -> str:
        """The role of the last finished stage, whose team is to be deployed."""
        teams = [role for role in ("finetuned", "student") if self.has(role)]
        return teams[0] if teams else "teacher"

    def model(self, role: str, env: AbstractWorld) -> Teacher | Team:
        """The finished networks of a role, with a leading axis of seeds."""
        if role in ("student", "finetuned"):
            return self.team(role, self.run, env)
        return self.teacher(role, for_role(self.run, role), env)

    def teacher(self, role: str, run: Run, env: AbstractWorld) -> Teacher:
        """The finished teacher (or baseline), with a leading axis of seeds."""
        training = build.training(run, env, role)
        return self._load(role, training.taught_shapes().teacher)

    def central(self, run: Run, env: AbstractWorld) -> Any:
        """The mixer or critic that stage 1 left, with a leading axis of seeds.

        Raises:
            ValueError: there is none, as older versions did not keep it.
        """
        like = build.training(run, env, "teacher").taught_shapes().central
        if not jax.tree.leaves(like):
            return like
        if not (self.path / "teacher" / "central").is_dir():
            raise ValueError(
                f"{self.path}/teacher holds no mixer or critic to fine-tune with: an older "
                "ptde taught it. Teach another with `ptde run`"
            )
        return self._load("teacher", like, "central")

    def team(self, role: str, run: Run, env: AbstractWorld) -> Team:
        """A finished decentralised team, with a leading axis of seeds."""
        like = build.training(run, env, "teacher").taught_shapes()
        if like.team is not None:
            return self._load(role, like.team)
        task, teacher = build.distillation(run, env), like.teacher
        student = jax.eval_shape(lambda teacher: task.start(teacher).student, teacher)
        return self._load(role, Team(teacher.network, student))

    def _load(self, role: str, like: Any, what: str = "model") -> Any:
        try:
            return checkpoint.load(self.path / role / what, like)
        except DamagedCheckpoint as error:
            raise ValueError(
                f"the {role} of {self.path} is damaged: {error}. Remove "
                f"{self.path / role}/model; `ptde resume {shell(self.path)}` then makes it "
                "anew from the newest checkpoint"
            ) from error
        except UnfitCheckpoint as error:
            raise ValueError(
                f"the {role} of {self.path} cannot be used on {self.run.world}/"
                f"{self.run.map}: {error}"
            ) from error


def default_folder(run: Run) -> Path:
    """The path ``runs/WORLD-MAP-METHOD-SEED``, with a number appended if it exists."""
    name = f"{run.world}-{run.place}-{run.method.lower()}-{run.seed_name}"
    path, count = Path("runs") / name, 1
    while path.exists():
        count += 1
        path = Path("runs") / f"{name}-{count}"
    return path


def name_of(run: Run, role: str) -> str:
    """The name of a role's team: the paper's, if it has one (QMIX_GIP, QMIX_KD, QMIX)."""
    method = for_role(run, role).method
    if role == "finetuned":
        return f"{method}, fine-tuned"
    if role != "student":
        return method
    if run.info == "gip" and run.distils and run.student.papers:
        return f"{method.removesuffix('_GIP')}_KD"
    return f"{method}, student"
