"""Seeds: their axis, their keys, and the streams of randomness below each of them.

A seed's key is never drawn from: every use of randomness folds the number of its stream
into it, and splits or folds what comes out. The i-th key of a split is ``fold_in(key, i)``
(``ops/keys``), so numbers below one key must differ, and those of all streams stand here.
"""

from collections.abc import Callable
from enum import IntEnum, unique
from functools import partial
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree, UInt32

from ptde.ops.keys import new_key

T = TypeVar("T")
P = TypeVar("P", bound=PyTree)


@unique
class Stream(IntEnum):
    """Every stream of randomness below a seed's key. Tests share none with training."""

    TRAIN = 0
    """Stage 1: networks at the start, collections, updates."""
    TEST = 1
    """Stage 1's tests, one key for each count of joint steps."""
    DATA = 10
    """The episodes that the teacher plays for its student."""
    FIT = 11
    """The student's initial weights, and its batches."""
    STUDENT_TEST = 12
    """Stage 2's tests, one key for each count of its steps."""
    OWN = 13
    """A student's training on its own episodes."""
    RANK = 18
    """The draws of a team that ranks a file, below seed 0's key alone."""
    ORDER = 19
    """The documents' order in test lists, below seed 0's key alone: one for all runs."""
    EVALUATION = 20
    """The final evaluation: all teams of a run meet the same initial states."""
    REPLAY = 21
    """Episodes that are drawn as pictures, one key for each episode's number."""
    DIAGNOSIS = 22
    """Episodes in which a diagnosis compares what student and teacher would do."""
    FINETUNE = 30
    """Stage 3: collections and updates."""
    FINETUNE_TEST = 31
    """Stage 3's tests, one key for each count of joint steps."""


def over_seeds(function: Callable[..., T], seeds: int) -> Callable[..., T]:
    """``function`` over a leading axis of seeds, which a single seed has, too.

    One seed is not vmapped: a batch of one turns slices into gathers.
    """
    if seeds > 1:
        return jax.vmap(function)

    def single(*args):
        return jax.tree.map(lambda x: x[None], function(*of_seed(args, 0)))

    return single


def of_seed(tree: P, index: int) -> P:
    """The part of one seed in a tree with a leading axis of seeds."""
    return jax.tree.map(lambda x: x[index], tree)


@partial(jax.jit, static_argnums=(0, 1))  # one program, not one for every operation
def seed_keys(seed: int, seeds: int) -> Key[Array, " seeds"]:
    """The keys of seeds ``seed``, ``seed + 1``, ...: each is the same if run alone."""
    return jnp.stack([new_key(seed + i) for i in range(seeds)])


def fold_in_all(keys: Key[Array, " seeds"], number: int) -> Key[Array, " seeds"]:
    """``fold_in`` for every seed, to get a stream of randomness or one draw from it."""
    return _fold(keys, np.uint32(number))


@jax.jit
def _fold(keys: Key[Array, " seeds"], number: UInt32[Array, ""]) -> Key[Array, " seeds"]:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


def stream_keys(stream: Stream, seed: int, seeds: int) -> Key[Array, " seeds"]:
    """The keys of one stream for seeds ``seed``, ``seed + 1``, ..."""
    return fold_in_all(seed_keys(seed, seeds), stream)


def stream_key(stream: Stream, seed: int) -> Key[Array, ""]:
    """The key of one stream for one seed."""
    return jax.random.fold_in(new_key(seed), stream)
