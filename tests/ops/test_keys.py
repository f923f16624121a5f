"""Our keys give JAX's numbers."""

import jax
import jax.numpy as jnp
import pytest

from ptde.ops.keys import new_key

DRAWS = {
    "split": lambda key: jax.random.key_data(jax.random.split(key, 5)),
    "split in a grid": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 123)),
    "bits 8": lambda key: jax.random.bits(key, (7,), jnp.uint8),
    "bits 16": lambda key: jax.random.bits(key, (7,), jnp.uint16),
    "bits 32": lambda key: jax.random.bits(key, (3, 5), jnp.uint32),
    "uniform": lambda key: jax.random.uniform(key, ()),
    "normal": lambda key: jax.random.normal(key, (4, 3)),
    "integers": lambda key: jax.random.randint(key, (9,), 0, 17),
    "permutation": lambda key: jax.random.permutation(key, 11),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())
@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_numbers_are_those_of_jax(draw, seed):
    ours, theirs = new_key(seed), jax.random.key(seed)
    assert (draw(ours) == draw(theirs)).all()
    many = jax.vmap(draw)
    keys = jax.random.split(ours, 3), jax.random.split(theirs, 3)
    assert (many(keys[0]) == many(keys[1])).all()


def test_the_compiled_program_gives_the_same():
    draw = DRAWS["bits 32"]
    assert (jax.jit(draw)(new_key(3)) == draw(jax.random.key(3))).all()


def test_64_bits_are_refused():
    with pytest.raises(NotImplementedError, match="32 bits"), jax.enable_x64(True):
        jax.random.bits(new_key(0), (2,), jnp.uint64)
