"""What a gap consists of, and what to type: one or two sentences."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ptde.algos.finetune import proposed
from ptde.algos.registry import algo_of
from ptde.config import Run
from ptde.diagnosis.gap import LACKS, Part, data_steps
from ptde.files import shell
from ptde.types import RETURN

MEANS = {
    "capacity": "even a student that is shown the whole state falls short of its teacher: "
    "students like this one are too small, or learn too short",
    "knowledge": "what z tells is in nothing that the agents have seen, so no student can "
    "know it, but rewards can teach a team to do without",
    "memory": "the agents have seen what z tells, but earlier, and the student does not "
    "remember",
    "loss": "the student is taught to be near z, and not to act as its teacher",
    "shift": "the student comes into situations that its teacher never showed it",
}
"""What each part of a gap means."""
DEALT = "teacher, errors dealt out"
"""The name of the teacher whose z is off by its student's errors, at random."""


def sentence(
    run: Run,
    path: Path,
    measure: str,
    reached: Mapping[str, float],
    gap: Part,
    parts: Mapping[str, Part],
) -> str:
    """What a run's gap consists of, and what to try.

    Args:
        run: whose student it is.
        path: its folder.
        measure: what counts in this world (``counted``).
        reached: by ``teacher``, ``student`` and, if there are such, ``finetuned`` and
            ``DEALT``.
        gap: between the first two.
        parts: of the gap, by name.
    """
    ends = f"{reached['teacher']:.3f} to {reached['student']:.3f}"
    if measure != RETURN and reached["teacher"] <= gap.chance:
        return (
            f"The teacher itself reaches {reached['teacher']:.3f} in {measure}, so there "
            "is nothing to lose yet: teach one for longer, with `ptde run --steps "
            f"{4 * run.steps:_}`."
        )
    if not gap.stands:
        return (
            "As far as so many seeds and episodes tell, the student keeps what its teacher "
            f"reaches: {measure} goes from {ends}, and a gap of {gap.chance:.3f} could be "
            "chance."
        )
    total = f"{measure[0].upper()}{measure[1:]} falls from {ends}, a gap of {gap.size:.3f}"
    found = sorted((n for n in parts if parts[n].stands), key=lambda n: -parts[n].size)
    if not found:
        return (
            f"{total}, of which no part is larger than chance: type --episodes with more "
            "of them."
        )
    first, *others = found
    beside = ", ".join(f"{name} {parts[name].size:.3f}" for name in others)
    beside = f" (beside it: {beside})" if beside else ""
    return (
        f"{total}, of which {parts[first].size:.3f} is {first}{beside}: {MEANS[first]}. "
        f"{_dealt(reached, gap)}{advice(run, path, found)}{_tuned(reached)}"
    )


def advice(run: Run, path: Path, found: list[str]) -> str:
    """The command that takes away what was found, the largest part first."""
    student = run.apart.stage_2
    changes: dict[str, Any] = {LACKS[n][0]: LACKS[n][1] for n in found if n in LACKS}
    if changes and replace(student, **changes).whole != student.whole:
        # As those students had that were compared: rows and segments are counted apart.
        fit = ("steps", "batch", "lr")
        changes |= {option: 0 for option in fit if getattr(student, option)}
    if "data" in changes and student.data == "replay":  # it has no budget of its own
        changes["data-steps"] = data_steps(run)
    if not changes and found[0] == "capacity":
        changes = {"hidden": 2 * student.hidden}
        if student.data == "replay":
            changes["steps"] = 2 * student.gradient_steps
        elif student.segments:
            changes["data-segments"] = 2 * student.segments
        else:
            changes["data-steps"] = 2 * student.data_steps
    if changes and found[0] != "knowledge":
        typed = " ".join(f"--student.{option} {_typed(x)}" for option, x in changes.items())
        return f"Try `ptde distill {shell(path)} {typed}`."
    if algo_of(run.algo).tune is None:
        return f"Stage 3 could, which the learner {run.algo} does not have."
    more = run.apart.finetune.steps * 2 or proposed(run.steps)
    return f"Try `ptde finetune {shell(path)} --finetune.steps {more:_}`."


def _typed(value: Any) -> str:
    return f"{value:_}" if isinstance(value, int) else str(value)


def _dealt(reached: Mapping[str, float], gap: Part) -> str:
    """Whether errors as large cost as much wherever they are made."""
    if DEALT not in reached:
        return ""
    left = reached[DEALT]
    where = "it errs where it matters" if left - reached["student"] > gap.size / 2 else ""
    where = where or "it is not near enough to z, wherever that is"
    return (
        f"Its errors of z, dealt out at random, leave its teacher at {left:.3f}: {where}. "
    )


def _tuned(reached: Mapping[str, float]) -> str:
    """What stage 3 has made of it, where there was one."""
    if "finetuned" not in reached:
        return ""
    return f" Fine-tuned, the team reaches {reached['finetuned']:.3f}."
