import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.algos.replay import Replay, lanes
from ptde.ops.keys import new_key


def collected(first, copies=4):
    """A collection whose segments are numbered."""
    return {"x": first + jnp.arange(copies, dtype=jnp.int32)[:, None]}


def filled(collections, copies=4, capacity=8, batch=8):
    replay = Replay.new(collected(0, copies), capacity, batch)
    for i in range(collections):
        replay = replay.add(collected(10 * i, copies))
    return replay


def kept(replay):
    return sorted(replay.segments["x"][:, : int(replay.filled)].ravel().tolist())


@pytest.mark.parametrize(
    ("copies", "batch", "number"), [(8, 32, 8), (8, 12, 4), (64, 32, 32), (8, 1, 1)]
)
def test_every_lane_has_as_many_copies_and_rows(copies, batch, number):
    assert lanes(copies, batch) == number


def test_the_oldest_collection_gives_way():
    assert kept(filled(1)) == [0, 1, 2, 3]
    assert kept(filled(3)) == [10, 11, 12, 13, 20, 21, 22, 23]


def test_its_capacity_is_rounded_up_to_whole_collections():
    replay = filled(4, capacity=5)
    assert len(kept(replay)) == 8
    assert replay.shape == (4, 2)


@pytest.mark.parametrize(("copies", "batch"), [(4, 8), (8, 4), (4, 6)])
def test_a_batch_has_as_many_rows_of_every_lane(copies, batch):
    replay = filled(2, copies, capacity=2 * copies, batch=batch)
    draw = jax.vmap(lambda k: replay.sample(key=k)["x"][:, 0])
    rows = np.asarray(draw(jax.random.split(new_key(0), 500)))
    assert rows.shape == (500, batch)
    number = lanes(copies, batch)
    lane = rows % 10 // (copies // number)
    assert (lane == np.repeat(np.arange(number), batch // number)).all()
    each = np.bincount(rows.ravel(), minlength=20)
    expected = 500 * batch / (2 * copies)
    np.testing.assert_allclose(each[each > 0], expected, rtol=0.3)
    assert (each > 0).sum() == 2 * copies


def test_what_is_not_there_yet_is_not_drawn():
    rows = filled(1, capacity=400).sample(key=new_key(1))["x"]
    assert set(rows.ravel().tolist()) <= {0, 1, 2, 3}
