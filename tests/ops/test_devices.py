from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from ptde.ops.devices import COPIES, averaged, row_numbers, rows_after, total
from ptde.ops.keys import new_key, row_keys
from ptde.ops.masks import masked_mean

ALIKE = PartitionSpec()
ROWS = jnp.arange(8.0)
WHERE = jnp.array([1, 1, 0, 1, 0, 0, 0, 1], bool)


def on_two(function, *arguments, gives=ALIKE):
    """The result of a function of rows on two devices, each with half of the rows."""
    mesh = Mesh(np.array(jax.devices()[:2]), (COPIES,))
    run = partial(jax.shard_map, mesh=mesh, in_specs=PartitionSpec(COPIES), out_specs=gives)
    return jax.jit(run(function, check_vma=False))(*arguments)


def test_alone_a_device_has_all_rows():
    assert total(3) == 3
    assert averaged(ROWS) is ROWS
    assert row_numbers(3).tolist() == [0, 1, 2]


def test_rows_are_numbered_over_both_devices():
    numbers = on_two(lambda x: row_numbers(len(x)), ROWS, gives=PartitionSpec(COPIES))
    assert numbers.tolist() == list(range(8))


def test_rows_that_come_after_others_are_numbered_behind_them():
    number = lambda first, x: jax.jit(partial(_numbered, x))(first)
    assert number(5, ROWS[:3]).tolist() == [5, 6, 7]
    with rows_after(8):
        numbers = on_two(lambda x: row_numbers(len(x)), ROWS, gives=PartitionSpec(COPIES))
    assert numbers.tolist() == list(range(8, 16))
    assert row_numbers(2).tolist() == [0, 1]


def _numbered(x, first):
    with rows_after(first):
        return row_numbers(len(x))


def test_a_row_draws_the_same_wherever_it_is():
    def draw(x):
        keys = row_keys(new_key(3), len(x))
        return jax.vmap(lambda k: jax.random.normal(k, (2,)))(keys)

    alone = draw(ROWS)
    assert (on_two(draw, ROWS, gives=PartitionSpec(COPIES)) == alone).all()
    assert (draw(ROWS[:3]) == alone[:3]).all()
    assert len(np.unique(alone)) == 16


def test_a_masked_mean_is_over_the_rows_of_both_devices():
    assert float(masked_mean(ROWS, WHERE)) == 11 / 4
    assert float(on_two(masked_mean, ROWS, WHERE)) == 11 / 4
    nowhere = jnp.zeros(8, bool)
    assert float(on_two(masked_mean, ROWS, nowhere)) == 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda w, x, where: masked_mean(jnp.square(w * x - 1), where),
        lambda w, x, where: jnp.mean(jnp.square(w * x - 1)),  # a user's, without masks
        lambda w, x, where: jnp.sqrt(masked_mean((w * x) ** 2, where)) / (1 + w),
    ],
)
def test_the_average_of_gradients_is_that_of_the_whole_batch(loss):
    def gradient(x, where):
        return averaged(jax.grad(loss)(0.3, x, where))

    alone = float(jax.grad(loss)(0.3, ROWS, WHERE))
    assert float(on_two(gradient, ROWS, WHERE)) == pytest.approx(alone)
