"""Random keys: JAX's default generator, in a form that compiles to one kernel.

JAX lowers Threefry-2x32 on a CPU to a loop of small programs. A battle of SMAX draws some
thirty times a step, and these loops were more than half of the time of a collection.
Written out as plain arithmetic, the same rounds fuse. The numbers are those of
``jax.random.key``, bit for bit.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.random import define_prng_impl
from jaxtyping import Array, Float, Key, UInt32

from ptde.ops.devices import row_numbers

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry(
    key: UInt32[Array, "2"], x0: UInt32[Array, "*s"], x1: UInt32[Array, "*s"]
) -> tuple[UInt32[Array, "*s"], UInt32[Array, "*s"]]:
    """Threefry-2x32 with 20 rounds (Salmon et al., SC 2011)."""
    parts = key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA)
    x0, x1 = x0 + parts[0], x1 + parts[1]
    for i in range(5):
        for turn in _ROTATIONS[i % 2]:
            x0 = x0 + x1
            x1 = ((x1 << turn) | (x1 >> (32 - turn))) ^ x0
        x0 = x0 + parts[(i + 1) % 3]
        x1 = x1 + parts[(i + 2) % 3] + jnp.uint32(i + 1)
    return x0, x1


def _count(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """0, 1, 2, ... in the given shape, as high and low words."""
    size = 1
    for length in shape:
        size *= length
    low = jnp.arange(size, dtype=jnp.uint32).reshape(shape)
    return jnp.zeros_like(low), low


def _seed(seed: Array) -> UInt32[Array, "2"]:
    return jnp.stack([jnp.zeros((), jnp.uint32), seed.astype(jnp.uint32)])


def _split(key: UInt32[Array, "2"], shape: tuple[int, ...]) -> UInt32[Array, "*s 2"]:
    return jnp.stack(_threefry(key, *_count(shape)), axis=-1)


def _bits(key: UInt32[Array, "2"], width: int, shape: tuple[int, ...]) -> Array:
    if width == 64:
        raise NotImplementedError("64-bit numbers: ptde computes in 32 bits")
    x0, x1 = _threefry(key, *_count(shape))
    return (x0 ^ x1).astype(f"uint{width}")


def _fold_in(key: UInt32[Array, "2"], data: Array | int) -> UInt32[Array, "2"]:
    low = jnp.asarray(data).astype(jnp.uint32)
    return jnp.stack(_threefry(key, jnp.zeros((), jnp.uint32), low))


_FUSED = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_bits,
    fold_in=_fold_in,
    name="fused_threefry2x32",
    tag="fry_fused",
)


def new_key(seed: int) -> Key[Array, ""]:
    """The key of a seed; all other keys are split from it or folded into it."""
    return jax.random.key(seed, impl=_FUSED)


def key_of(data: UInt32[Array, "2"] | np.ndarray) -> Key[Array, ""]:
    """The key whose ``jax.random.key_data`` these are: a key itself cannot be pickled."""
    return jax.random.wrap_key_data(jnp.asarray(data), impl=_FUSED)


def row_keys(key: Key[Array, ""], rows: int) -> Key[Array, " rows"]:
    """A key for each row of a batch. It depends on the row's number alone, so that a row is
    drawn alike however many others there are, and whatever device it is on.
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(key, row_numbers(rows))


def row_uniform(
    key: Key[Array, ""], rows: int, shape: tuple[int, ...]
) -> Float[Array, "rows ..."]:
    """Numbers in [0, 1) of this shape for each row, from the row's own key."""
    return jax.vmap(lambda k: jax.random.uniform(k, shape))(row_keys(key, rows))
