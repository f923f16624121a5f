"""The time that the stages of a run will take, estimated from its first tests.

In a slow world most of the time may go into tests, which the joint steps do not show.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ptde import build
from ptde.config import Run, for_role
from ptde.envs.base import AbstractWorld
from ptde.jobs.record import Row
from ptde.rollout.runner import runner_of

LONG = 60.0
"""Seconds of tests from which on the estimate advises to shorten them."""
SHORT = 10.0
"""Seconds of a run up to which no estimate is printed."""


@dataclass(frozen=True)
class Stage:
    """The joint steps and test episodes of a stage."""

    name: str
    steps: int
    """Joint steps, without those of tests."""
    tested: int = 0
    """Number of test episodes."""
    gradient_steps: int = 0
    """Gradient steps that nothing in stage 1 tells the cost of."""


@dataclass(frozen=True)
class Pace:
    """The measured cost of playing."""

    step: float
    """Seconds of a joint step, with all that is learnt from it."""
    episode: float
    """Seconds of a test episode."""

    def seconds(self, stage: Stage) -> float:
        """Seconds that the whole stage takes."""
        return self.step * stage.steps + self.testing(stage)

    def testing(self, stage: Stage) -> float:
        """Seconds that the tests of a stage take."""
        return self.episode * stage.tested


def stages(run: Run, env: AbstractWorld, roles: list[str]) -> list[Stage]:
    """The stages of a run's roles, and its evaluation."""
    schedule, held = build.schedule(run, env.spec), env.held_out()
    tests = len(schedule.ends) * held.episodes(run.test_episodes)
    both = 2 if run.online_distillation else 1  # beside its teacher, the student, too
    found = [Stage("teaching", schedule.total, both * tests)]
    if "student" in roles and run.distils:
        task = build.distillation(run, env)
        student, schedule_2 = task.config, task.own_schedule
        own = student.data == "own"
        ends = schedule_2.ends if own else task.ends
        fits = task.own_updates * schedule_2.collections if own else student.gradient_steps
        tests = len(ends) * held.episodes(task.tested)
        found.append(Stage("the student", task.joint_steps, tests, fits))
    if "finetuned" in roles:
        tuning = build.finetuning(run, env, None)
        tests = len(tuning.schedule.ends) * held.episodes(tuning.test_episodes)
        found.append(Stage("fine-tuning", tuning.schedule.total, tests))
    if "baseline" in roles:
        alone = build.schedule(for_role(run, "baseline"), env.spec)  # all of --steps
        tests = len(alone.ends) * held.episodes(run.test_episodes)
        found.append(Stage("the baseline", alone.total, tests))
    found.append(Stage("the evaluation", 0, len(roles) * held.episodes(run.episodes)))
    return found


def tell(stages: list[Stage], pace: Pace) -> str:
    """The stages' times in a line, and what to type where tests take most of them."""
    parts = []
    for stage in stages:
        testing = pace.testing(stage) if stage.steps else 0.0
        notes = [f"{span(testing)} of it tests"] if testing >= 1 else []
        if stage.gradient_steps:
            notes.append(f"without its {stage.gradient_steps:,} gradient steps")
        note = f" ({', '.join(notes)})" if notes else ""
        parts.append(f"{span(pace.seconds(stage))} of {stage.name}{note}")
    line = f"about {', '.join(parts)}, at the pace so far, compiling apart"
    later = stages[1:-1]
    tests = sum(pace.testing(stage) for stage in later)
    if tests > max(LONG, 0.5 * sum(pace.seconds(stage) for stage in later)):
        line += ": for shorter tests --test-episodes, for fewer --student.tests and "
        line += "--finetune.tests"
    return line


def span(seconds: float) -> str:
    """Seconds as text, in the unit that fits."""
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            count = seconds / size
            return f"{count:.0f} {unit}" if count >= 10 else f"{count:.2g} {unit}"
    return f"{seconds:.0f} s"


class Budget:
    """Hears the rows of stage 1, and says once how long all stages take, if it is long.

    The second period is measured, as learning may begin within the first; the first is
    where it is the only one, and in worlds in processes, where a period takes long.
    """

    def __init__(
        self, run: Run, env: AbstractWorld, roles: list[str], say: Callable[[str], None]
    ):
        self.stages, self.say, self.said = stages(run, env, roles), say, False
        periods = len(build.schedule(run, env.spec).ends)
        self.first_tells = runner_of(env).one_seed or periods == 1
        both = 2 if run.online_distillation else 1
        self.episodes = both * env.held_out().episodes(run.test_episodes)
        self.heard = False

    def __call__(self, row: Row) -> None:
        """Hears one row of stage 1's record."""
        first, self.heard = not self.heard, True
        if self.said or (first and not self.first_tells):
            return
        self.said = True
        playing = 1 / max(row["steps_per_second"], 1e-9)
        pace = Pace(playing, row["test_seconds"] / self.episodes)
        if sum(map(pace.seconds, self.stages)) >= SHORT:
            self.say(tell(self.stages, pace))
