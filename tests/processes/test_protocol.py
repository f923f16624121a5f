import re

import numpy as np
import pytest
from tests.processes.worlds import Drawn, Endless, Line, Many

from ptde.processes import ProcessEnv, ProcessStep
from ptde.processes.adapters.check import check
from ptde.processes.protocol import faults, measured, standard


def test_a_world_is_measured_by_its_first_step():
    env = Line()
    assert isinstance(env, ProcessEnv)
    sizes = measured(env, standard(env.reset(3)))
    assert (sizes.n_agents, sizes.obs_dim, sizes.state_dim, sizes.n_actions) == (2, 3, 4, 3)
    assert (sizes.time_limit, sizes.measure, sizes.pictures) == (6, "win rate", False)
    assert measured(env, standard(env.reset(3)), time_limit=9).time_limit == 9


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"obs": np.zeros((2, 4))}, "obs has shape (2, 4)"),
        ({"state": np.zeros(3)}, "state has shape (3,)"),
        ({"legal": np.ones((2, 2))}, "legal has shape (2, 2)"),
        ({"reward": np.nan}, "reward holds NaN"),
        ({"state": [1, np.inf, 0, 0]}, "state holds NaN or infinity"),
        ({"legal": [[1, 1, 1], [0, 0, 0]]}, "agent 1 has no legal action"),
        ({"won": 1.5}, "won is 1.5"),
        ({"ended": True, "cut": True}, "both true"),
    ],
)
def test_what_is_wrong_with_a_step_is_said(change, text):
    first = standard(Line().reset(0))
    sizes = measured(Line(), first)
    assert not list(faults(first, sizes))
    step = standard(ProcessStep(**{**vars(first), **change}))
    (found,) = faults(step, sizes)
    assert text in found


def test_what_is_no_array_is_refused():
    with pytest.raises(ValueError, match="obs is no array of one shape"):
        standard(ProcessStep([[1, 2], [3]], [1], [[1]]))
    with pytest.raises(ValueError, match=r"state has shape \(1, 1\): it needs 1 axes"):
        standard(ProcessStep([[1]], [[1]], [[1]]))


def test_a_check_reports_every_violation_at_once():
    report = check(Many())
    text = "\n".join(report.lines())
    for part in ("obs holds NaN", "agent 0 has no legal", "won is 2.0", "both true"):
        assert part in text


def test_a_check_of_a_good_world_finds_nothing():
    report = check(Line(), steps=40)
    assert not report.violations
    assert (report.steps, report.episodes) == (40, 10)
    assert check(Endless(), steps=40).episodes == 6  # cut by the time limit of 6
    assert "type a larger --steps" in "\n".join(check(Line(), steps=3).lines())


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("float", "frame() returned a ndarray, float64 [8, 8, 3]: return uint8 [height, w"),
        ("flat", "frame() returned a ndarray, uint8 [8, 8]: return uint8 [height, width"),
        ("raise", "frame() raised RuntimeError: no screen"),
    ],
)
def test_a_check_draws_once_and_plays_on(how, says):
    report = check(Drawn(how), steps=40)
    ((said, times),) = report.violations.items()
    assert said.startswith(says) and times == 1
    assert report.episodes == 10
    assert not check(Drawn("well"), steps=40).violations


def test_a_crash_in_a_check_is_a_violation():
    class Crash(Line):
        def step(self, action):
            raise KeyError("ball")

    said = "\n".join(check(Crash()).lines())
    assert re.search(
        r"it raised KeyError: 'ball' \(.*test_protocol\.py, line \d+, in step\)", said
    )
