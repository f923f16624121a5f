"""The parts of a gap, by hand."""

import numpy as np
import pytest

from ptde.diagnosis.gap import (
    NOTHING,
    Part,
    lacking,
    lacks_of,
    orders,
    parts,
    shares,
    steps,
)
from ptde.distill.config import DistillConfig

PAPERS = DistillConfig(network="mlp", objective="z", data="teacher", steps=7, batch=9)
MEMORY, LOSS, BOTH = (
    frozenset({"memory"}),
    frozenset({"loss"}),
    frozenset({"memory", "loss"}),
)


def reached(**numbers):
    """Two episodes of one seed for each number."""
    return {name: np.full((1, 2), value) for name, value in numbers.items()}


def test_what_a_student_lacks_is_what_sets_it_apart_from_one_that_lacks_nothing():
    assert lacks_of(DistillConfig(data="own")) == ()
    assert lacks_of(PAPERS) == ("memory", "loss", "shift")
    assert lacks_of(DistillConfig(data="replay")) == ("shift",)


def test_another_student_differs_in_what_it_lacks_alone():
    student = DistillConfig(network="mlp", objective="q", data="replay", steps=7, hidden=5)
    best = lacking(student, NOTHING)
    assert (best.network, best.objective, best.data) == ("gru", "q", "own")
    assert (best.steps, best.hidden) == (7, 5)
    assert lacking(student, frozenset(lacks_of(student))) == student
    # what the run's student does not lack is as in the paper
    assert lacking(student, LOSS).objective == "z"
    assert lacking(student, frozenset({"shift"})).data == "replay"


def test_a_student_of_another_kind_has_that_kinds_steps_and_batch():
    """The paper's learns from rows, and all others from segments."""
    assert lacking(PAPERS, frozenset(lacks_of(PAPERS))) == PAPERS
    other = lacking(PAPERS, BOTH)
    assert (other.whole, other.steps, other.batch) == (True, 0, 0)


def test_shares_are_shapleys():
    ways = orders(("memory", "loss"), quick=False)
    assert steps(ways) == [NOTHING, MEMORY, LOSS, BOTH]
    values = {NOTHING: 1.0, MEMORY: 0.7, LOSS: 0.9, BOTH: 0.2}
    found = shares(ways, {lack: np.full((1, 2), x) for lack, x in values.items()})
    # memory: (0.3 + 0.7) / 2, loss: (0.5 + 0.1) / 2
    np.testing.assert_allclose(found["memory"], 0.5)
    np.testing.assert_allclose(found["loss"], 0.3)


def test_in_one_order_each_share_is_what_is_lost_on_the_way():
    ways = orders(("memory", "loss"), quick=True)
    assert steps(ways) == [NOTHING, MEMORY, BOTH]
    values = {NOTHING: 1.0, MEMORY: 0.7, BOTH: 0.2}
    found = shares(ways, {lack: np.full((1, 2), x) for lack, x in values.items()})
    np.testing.assert_allclose(found["memory"], 0.3)
    np.testing.assert_allclose(found["loss"], 0.5)


@pytest.mark.parametrize("shown", [0.9, 0.5])
def test_all_parts_add_up_to_the_gap(shown):
    rng = np.random.default_rng(0)
    ways = orders(("memory", "loss", "shift"), quick=False)
    teams = {lack: rng.random((3, 50)) * 0.5 for lack in steps(ways)}
    teacher, told = rng.random((3, 50)), np.full((3, 50), shown)
    found = parts(teacher, told, ways, teams)
    assert list(found) == ["capacity", "knowledge", "memory", "loss", "shift"]
    gap = Part.of(teacher - teams[steps(ways)[-1]])
    assert sum(part.size for part in found.values()) == pytest.approx(gap.size)


def test_who_is_shown_the_state_knows_no_less_than_who_is_not():
    ways = orders((), quick=False)
    r = reached(teacher=1.0, shown=0.4, best=0.6)
    found = parts(r["teacher"], r["shown"], ways, {NOTHING: r["best"]})
    assert found["knowledge"].size == 0.0
    assert found["capacity"].size == pytest.approx(0.4)


def test_chance_is_over_episodes_of_one_seed_and_over_seeds_of_several():
    one = Part.of(np.array([[0.0, 1.0, 1.0, 0.0]]))
    # Student's t with 3 degrees of freedom: 3.182; the standard error is 0.2887
    assert one.size == 0.5 and one.chance == pytest.approx(3.182 * 0.2887, rel=1e-3)
    many = Part.of(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    assert many.size == 0.5 and many.chance == 0.0 and many.stands
    assert not one.stands
