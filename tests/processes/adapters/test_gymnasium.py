import numpy as np
import pytest

from ptde.processes import ProcessEnv
from ptde.processes.adapters.adapt import make
from ptde.processes.adapters.check import check

FORAGING = "tests.processes.worlds:Foraging"


def test_agents_of_different_kinds_are_filled_up():
    env = make(FORAGING, {}, 0)
    assert isinstance(env, ProcessEnv)
    first = env.reset(3)
    own, other = env.env.place
    np.testing.assert_array_equal(first.obs, [[own, own, other], [other, 0, 0]])
    np.testing.assert_array_equal(first.state, first.obs.ravel())
    np.testing.assert_array_equal(first.legal, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_array_equal(env.reset(3).obs, first.obs)
    assert not check(env, steps=40).violations


def test_actions_begin_where_the_space_says():
    env = make(FORAGING, {}, 0)
    env.reset(0)
    env.env.place = np.array([4, 4])
    env.step(np.array([2, 1]))  # the second agent's list is 1, 2
    np.testing.assert_array_equal(env.env.place, [2, 2])


def test_the_end_of_the_task_is_told_from_that_of_its_time():
    env = make(FORAGING, {}, 0)
    env.reset(0)
    env.env.place = np.array([2, 2])
    step = env.step(np.array([2, 1]))
    assert (step.ended, step.cut, step.won) == (True, False, 1.0)
    assert step.reward == 2.0  # of both
    env.reset(0)
    env.env.place = np.array([4, 9])
    steps = [env.step(np.array([0, 0])) for _ in range(5)]
    assert not any(s.ended or s.cut for s in steps[:4])
    assert (steps[4].ended, steps[4].cut, steps[4].won) == (False, True, 0.0)


def test_masks_are_read():
    env = make(FORAGING, {"mask": True}, 0)
    np.testing.assert_array_equal(env.reset(0).legal, [[1, 1, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("package", "name", "sizes", "repeats"),
    [
        # Its agents do not begin where the last episode left others: no two are the same.
        ("lbforaging", "Foraging-8x8-2p-3f-v3", (2, 15, 6, 50), False),
        ("rware", "rware-tiny-2ag-v2", (2, 71, 5, 500), True),
    ],
)
def test_the_real_ones(package, name, sizes, repeats):
    pytest.importorskip(package, reason=f"pip install {package}")
    env = make("gymnasium:make", {"id": f"{package}:{name}"}, 0)
    report = check(env, steps=2 * sizes[3] + 10)
    assert not report.violations
    s = report.sizes
    assert (s.n_agents, s.obs_dim, s.n_actions, s.time_limit) == sizes
    assert s.state_dim == s.n_agents * s.obs_dim
    assert report.episodes >= 2
    assert repeats != any("reset(seed) starts other" in text for text in report.remarks)
