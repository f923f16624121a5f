import numpy as np
import pytest

from ptde.rollout.schedule import Schedule


@pytest.mark.parametrize("steps", [1, 100, 1000, 1001, 5000])
def test_a_schedule_covers_its_steps(steps):
    schedule = Schedule(envs=4, segment=10, steps=steps, test_every=200)
    assert steps <= schedule.total < steps + schedule.per_iteration
    assert schedule.ends[-1] == schedule.total
    gaps = np.diff([0, *schedule.ends])
    assert (gaps[:-1] == 200).all() and 0 < gaps[-1] <= 200
