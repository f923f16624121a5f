"""What is said of how long the stages will take."""

import dataclasses

import pytest

from ptde import build
from ptde.algos.finetune import FinetuneConfig
from ptde.budget import Budget, Pace, Stage, span, stages, tell
from ptde.config import Run
from ptde.distill.config import DistillConfig

ROLES = ["teacher", "student", "finetuned"]
RUN = Run(
    world="probe",
    map="personal",
    steps=8_000,
    envs=4,
    segment=10,
    test_every=800,
    test_episodes=5,
    episodes=100,
    student=DistillConfig(data="own"),
    finetune=FinetuneConfig(tests=3),
)


@pytest.fixture(scope="module")
def env():
    return build.world(RUN)


def of(run, env, roles=ROLES):
    return {s.name: (s.steps, s.tested) for s in stages(run, env, roles)}


def test_every_stage_is_tested_with_as_many_episodes_unless_it_is_told(env):
    assert of(RUN, env) == {
        "teaching": (6_400, 8 * 5),
        "the student": (800, 20 * 5),
        "fine-tuning": (800, 3 * 5),
        "the evaluation": (0, 300),
    }
    told = dataclasses.replace(
        RUN,
        student=DistillConfig(data="own", test_episodes=7, tests=2),
        finetune=FinetuneConfig(test_episodes=9, tests=1),
    )
    found = of(told, env)
    assert found["the student"] == (800, 14)
    assert found["fine-tuning"] == (800, 9)


def test_the_students_gradient_steps_are_counted_apart(env):
    count = lambda **kw: (
        stages(dataclasses.replace(RUN, student=DistillConfig(**kw)), env, ROLES)[
            1
        ].gradient_steps
    )
    assert count(data="own", updates=3) == 3 * 20
    assert count(data="own", steps=50) == 3 * 20  # shared among 20 collections
    assert count(data="teacher", steps=7) == 7


def test_the_stages_are_those_of_the_goal(env):
    assert list(of(RUN, env, ["teacher"])) == ["teaching", "the evaluation"]
    with_baseline = of(
        dataclasses.replace(RUN, baseline=True), env, ["teacher", "baseline"]
    )
    assert with_baseline["teaching"] == (6_400, 8 * 5)
    assert with_baseline["the baseline"] == (8_000, 10 * 5)  # all of --steps
    replay = dataclasses.replace(RUN, student=DistillConfig(tests=4))
    assert of(replay, env)["the student"] == (0, 4 * 5)


def test_a_slow_world_is_told_what_its_tests_take():
    line = tell(
        [
            Stage("teaching", 1_000, 10),
            Stage("the student", 100, 200, 960),
            Stage("the evaluation", 0, 30),
        ],
        Pace(step=0.05, episode=4.0),
    )
    assert line == (
        "about 90 s of teaching (40 s of it tests), 13 min of the student (13 min of it "
        "tests, without its 960 gradient steps), 2 min of the evaluation, at the pace so "
        "far, compiling apart: for shorter tests --test-episodes, for fewer "
        "--student.tests and --finetune.tests"
    )
    quick = tell([Stage("teaching", 10, 1), Stage("the evaluation", 0, 1)], Pace(1.0, 1.0))
    assert quick == (
        "about 11 s of teaching (1 s of it tests), 1 s of the evaluation, at the pace so "
        "far, compiling apart"
    )


def row(pace, seconds):
    """A row of the record, with its steps/s and the seconds of its test."""
    return {"steps_per_second": pace, "test_seconds": seconds}


def test_the_second_period_tells(env):
    said = []
    budget = Budget(RUN, env, ["teacher"], said.append)
    budget(row(14.0, 3.0))
    assert not said
    budget(row(400.0, 0.5))
    budget(row(400.0, 60.0))
    # 6,400 steps are 16 s, 5 episodes 0.5 s: 8 periods of them, and 100 in the evaluation
    assert said == [
        "about 20 s of teaching (4 s of it tests), 10 s of the evaluation, "
        "at the pace so far, compiling apart"
    ]
    quick = Budget(RUN, env, ["teacher"], said.append)
    quick(row(14.0, 3.0))
    quick(row(4_000.0, 0.1))
    assert len(said) == 1  # nobody needs it


def test_where_there_is_one_period_it_tells(env):
    said = []
    budget = Budget(dataclasses.replace(RUN, test_every=10**6), env, ROLES, said.append)
    budget(row(200.0, 5.0))
    assert said[0].startswith("about 37 s of teaching (5 s of it tests), 104 s of the stud")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.0, "3 s"), (119.0, "119 s"), (6_600.0, "110 min"), (9e3, "2.5 h"), (4e5, "111 h")],
)
def test_spans(seconds, text):
    assert span(seconds) == text
