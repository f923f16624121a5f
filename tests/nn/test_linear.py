import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.nn.linear import Linear


@pytest.mark.parametrize("batch", [(), (5,), (3, 4)])
def test_joined_is_the_layer_on_the_concatenation(getkey, batch):
    layer = Linear(9, 4, key=getkey())
    x = jax.random.normal(getkey(), (*batch, 7))
    y = jax.random.normal(getkey(), (*batch, 2))
    whole = lambda layer, x, y: layer(jnp.concatenate([x, y], axis=-1))
    np.testing.assert_allclose(layer.joined(x, y), whole(layer, x, y), atol=1e-6)

    def gradient(call):
        loss = lambda *args: jnp.sum(call(*args) ** 2)
        return jax.tree.leaves(jax.grad(loss, argnums=(0, 1, 2))(layer, x, y))

    for a, b in zip(gradient(Linear.joined), gradient(whole), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
