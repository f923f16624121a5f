"""What is checked, and then removed of a run folder, before stages are made anew or go on.

Nothing is removed before it is sure that what shall take its place can begin.
"""

import json
import shutil
from dataclasses import replace

from ptde import build
from ptde.config import Run, for_role
from ptde.envs.base import AbstractWorld
from ptde.files import shell, write_whole
from ptde.folder import DIAGNOSIS, FITTED, RunFolder
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.progress import say
from ptde.jobs.record import Record
from ptde.report.result import load_result

STAGE_1 = ("teacher", "baseline")
"""Roles that go on from their checkpoints where a run becomes longer."""


def longer(folder: RunFolder, steps: int) -> Run:
    """The run with more joint steps. ValueError if they are not more."""
    run, path = folder.run, folder.path
    if steps <= run.steps:
        raise ValueError(
            f"{path} has --steps {run.steps} already: type more, e.g. "
            f"--steps {2 * run.steps}"
        )
    alone = Record(path / "baseline" / "record.jsonl").rows() if run.baseline else []
    if alone and steps < (had := alone[-1]["steps"]):
        raise ValueError(f"the baseline of {path} has had {had} joint steps: type as many")
    new = replace(run, steps=steps)
    teach, distil, tune = new.stages
    if distil or tune:
        say(
            f"{teach:,} joint steps for the teacher, {distil:,} for the student's data, "
            f"{tune:,} for fine-tuning"
        )
    if run.value.lr_end < 1:
        say(
            "--lr-end: the learning rate has fallen as in a run of fewer steps until now, "
            "and goes on as in one of these"
        )
    return new


def check_goes_on(folder: RunFolder, new: Run, env: AbstractWorld) -> None:
    """Raises ValueError if a finished role of stage 1 has no checkpoint to go on from."""
    build.check_fits(new, env)
    for role in filter(folder.has, STAGE_1):
        training = build.training(for_role(new, role), env, role)
        place = folder.path / role / "checkpoints"
        if not Checkpoints(place).any_whole(training.shapes()):
            raise ValueError(
                f"{place} holds no whole checkpoint to go on from: start another run with "
                f"--steps {new.steps}"
            )


def check_budget(folder: RunFolder, new: Run) -> None:
    """Raises ValueError if a role that is to stay would have other joint steps."""
    if "baseline" in folder.expected and not folder.has("baseline"):
        raise ValueError(
            f"{folder.path} has no finished baseline yet, which learns with the budget of "
            f"the whole run: `ptde resume {shell(folder.path)}` finishes it first"
        )
    before, after = folder.run.stages.teach, new.stages.teach
    if before != after:
        raise ValueError(
            f"the shares leave {after:,} joint steps for a teacher who has had {before:,}: "
            "type --student.data-steps or --finetune.steps instead of a share"
        )


def remove(folder: RunFolder, *roles: str) -> None:
    """Removes roles that are to be made anew, and what was found of them. Those of stage 1
    keep their checkpoints, to go on from.
    """
    result = load_result(folder.path)
    kept = {name: x for name, x in result.items() if name not in (*roles, "prr")}
    if kept != result:
        write_whole(folder.path / "result.json", json.dumps(kept, indent=1))
    for role in roles:
        parts = ("model", "central") if role in STAGE_1 else ("",)
        for part in parts:
            shutil.rmtree(folder.path / role / part, ignore_errors=True)
    (folder.path / "replay.gif").unlink(missing_ok=True)
    if "student" in roles:
        for name in DIAGNOSIS:
            (folder.path / name).unlink(missing_ok=True)
    if "teacher" in roles:  # students that were fitted to what it was
        shutil.rmtree(folder.path / FITTED, ignore_errors=True)
