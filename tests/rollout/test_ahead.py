import ctypes
import dataclasses
import logging
import os
import platform
from pathlib import Path

import jax
import numpy as np
import pytest
from tests.rollout.test_devices import RUN, first_stage, on

from ptde.rollout.ahead import Program, compile_all
from ptde.rollout.runner import runner_of

__all__ = ["on"]


def test_a_program_is_called_as_its_function():
    assert Program(lambda x, y=1: x - y)(3, y=2) == 1
    compile_all(Program(abs).ahead(3))


def test_an_error_while_compiling_is_the_callers():
    def programs():
        yield jax.jit(abs).lower(1)
        raise ValueError("the second program")

    with pytest.raises(ValueError, match="the second program"):
        compile_all(programs())


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_what_was_compiled_ahead_is_not_compiled_again(on, caplog, number):
    on(number)
    training = first_stage(RUN)
    runner = runner_of(training.env)
    run = runner.period(training.algo, training.schedule, training.seeds)
    test = runner.test(training.test_episodes, training.seeds)
    keys, teacher = training.keys(training.streams[1]), training.taught_shapes().teacher
    compile_all([*run.ahead(training.shapes(), 1), *test.ahead(teacher, keys)])
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        state, _ = run(training.start(), 2)
        test(training.taught(state.learner).teacher, keys)
    compiled = [r.getMessage() for r in caplog.records if "XLA comp" in r.getMessage()]
    assert any("jit(pick)" in text or "jit(single)" in text for text in compiled)
    assert not [t for t in compiled if "jit(program)" in t or "jit(of_seeds)" in t]


@pytest.mark.parametrize("number", [1, 2])
def test_a_training_begins_where_its_periods_want_it(on, number):
    """A replay that had to move would be in memory twice."""
    on(number)
    training = first_stage(RUN)
    state, shapes = training.start(), training.placed_shapes()
    segments = jax.tree.leaves(state.learner.replay.segments)
    assert {len(x.sharding.device_set) for x in segments} == {number}
    for x, like in zip(jax.tree.leaves(state), jax.tree.leaves(shapes), strict=True):
        assert like.sharding is None or x.sharding.is_equivalent_to(like.sharding, x.ndim)


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_a_test_in_rounds_plays_the_same_episodes(on, number):
    on(number)
    training = first_stage(dataclasses.replace(RUN, map="memory", seeds=2))
    runner = runner_of(training.env)
    model = training.taught(training.start().learner).teacher
    keys = training.keys(training.streams[1])
    whole, rounds = (
        runner.test(10, training.seeds, at_once=at_once)(model, keys)
        for at_once in (None, 4)
    )
    assert rounds.reward.shape == (2, 10)
    assert len(np.unique(whole.reward)) > 1
    jax.tree.map(np.testing.assert_allclose, rounds, whole)


def resident():
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others keep less")
def test_what_compilation_freed_goes_back_to_the_system():
    library = ctypes.CDLL(None)
    library.malloc.restype, library.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    size, number = 100_000, 2_000  # too small for pages of their own
    places = [library.malloc(size) for _ in range(number)]
    for place in places:
        ctypes.memset(place, 1, size)
    for place in places[:-1]:  # the last keeps the heap from shrinking by itself
        library.free(place)
    before = resident()
    compile_all([])
    assert before - resident() > 0.8 * size * number
    library.free(places[-1])
