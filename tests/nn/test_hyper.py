import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.nn import hyper
from ptde.nn.hyper import HyperLinear


@pytest.mark.parametrize("batch", [(), (5,), (3, 4)])
def test_factorised_equals_materialised(getkey, batch):
    layer = HyperLinear(local=9, state=7, out=6, hidden=8, key=getkey())
    local = jax.random.normal(getkey(), (*batch, 3, 9))
    state = jax.random.normal(getkey(), (*batch, 7))
    np.testing.assert_allclose(
        layer(local, state), layer.materialised(local, state), atol=1e-5
    )


@pytest.mark.parametrize("rows_per_block", [4, 1000])
def test_the_gradient_written_out_is_the_gradient(getkey, rows_per_block, monkeypatch):
    # 10 rows in blocks of 4: the last block is filled up
    monkeypatch.setattr(hyper, "_block_rows", lambda rows: min(rows, rows_per_block))
    layer = HyperLinear(local=9, state=7, out=6, hidden=8, key=getkey())
    local = jax.random.normal(getkey(), (10, 3, 9))
    state = jax.random.normal(getkey(), (10, 7))
    weight = jax.random.normal(getkey(), (10, 3, 6))

    def gradient(call):
        loss = lambda *args: jnp.sum(weight * call(*args))
        return jax.tree.leaves(jax.grad(loss, argnums=(0, 1, 2))(layer, local, state))

    pairs = zip(
        gradient(HyperLinear.__call__), gradient(HyperLinear.materialised), strict=True
    )
    for a, b in pairs:
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_blocks_hold_every_row():
    for rows in (1, 8, 511, 512, 513, 4128):
        size = hyper._block_rows(rows)
        blocks = hyper._blocks(jnp.arange(rows)[:, None], size)
        assert blocks.shape[1] <= 768
        np.testing.assert_array_equal(blocks.reshape(-1)[:rows], np.arange(rows))
