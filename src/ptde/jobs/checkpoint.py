"""Checkpoints: written whole or not at all, and checked when they are read.

A checkpoint is a folder named after the steps of its stage, joint or gradient steps: a file
of NumPy's with the arrays by their names in the state, and a digest of that file. It is
written under another name and then renamed, so a checkpoint that exists is complete; a
digest that does not fit means damage after the writing.
"""

import hashlib
import json
import math
import os
import shutil
import sys
from pathlib import Path
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ptde.files import writing

T = TypeVar("T", bound=PyTree)
ARRAYS = "arrays.npz"
DIGEST = "digest.json"


class DamagedCheckpoint(Exception):
    """A checkpoint cannot be read; the message names it and says why."""


class UnfitCheckpoint(ValueError):
    """A valid checkpoint holds other arrays than were asked for; the message names it."""


def save(path: Path, tree: PyTree) -> None:
    """Writes ``tree`` to the folder ``path``, which must not exist.

    Raises:
        OSError: it could not be written; the message names the path, the space that it
            needs and what to do.
    """
    path = path.absolute()
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(path, size_of(tree)):
            part.mkdir(parents=True)
            with open(part / ARRAYS, "wb") as file:
                np.savez(file, allow_pickle=False, **_to_dict(tree))
            (part / DIGEST).write_text(json.dumps({ARRAYS: _digest(part / ARRAYS)}))
            os.rename(part, path)
    finally:  # a part that is not whole takes up the space that is lacking
        shutil.rmtree(part, ignore_errors=True)


def load(path: Path, like: T) -> T:
    """Reads a tree of the structure, shapes and dtypes of ``like``.

    Raises:
        DamagedCheckpoint: a file is missing or changed.
        UnfitCheckpoint: it does not hold such a tree.
    """
    try:
        digest = json.loads((path / DIGEST).read_text())
        if {ARRAYS: _digest(path / ARRAYS)} != digest:
            raise ValueError("its arrays are not those that were written")
        with np.load(path / ARRAYS, allow_pickle=False) as file:
            arrays = dict(file)
    except Exception as error:
        raise DamagedCheckpoint(f"{path}: {error}") from error
    try:
        return _from_dict(arrays, like)
    except ValueError as error:
        raise UnfitCheckpoint(f"{path}: {error}") from error


class Checkpoints:
    """The newest few checkpoints of a training."""

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Steps of the stage at which there is a checkpoint, oldest first."""
        names = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(x) for x in names if x.isascii() and x.isdecimal())

    def save(self, steps: int, tree: PyTree) -> Path:
        """Writes a checkpoint, then removes the oldest beyond ``keep``."""
        path = self.folder / str(steps)
        if path.exists():  # a damaged one, or one that a resumed run comes by again
            shutil.rmtree(path)
        save(path, tree)
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.folder / str(old))
        return path

    def newest(self, like: T) -> tuple[int, T] | None:
        """Steps and tree of the newest checkpoint that can be read; None if there is none.

        Damaged ones are named on standard error and skipped. UnfitCheckpoint is raised, as
        going on without it would overwrite the checkpoints of another version.
        """
        there = self.steps()
        for place, steps in reversed([*enumerate(there)]):
            try:
                return steps, load(self.folder / str(steps), like)
            except DamagedCheckpoint as error:
                then = "using the one before" if place else "none is left before it"
                print(f"damaged checkpoint, {then}: {error}", file=sys.stderr)
        if there:
            print(f"{self.folder}: the stage begins again at step 0", file=sys.stderr)
        return None


def size_of(tree: PyTree) -> int:
    """Bytes of a tree's arrays (or shapes)."""
    # One jitted function for all calls: JAX keeps what it knows of each for ever.
    leaves = jax.tree.leaves(_jitted_raw.eval_shape(tree))
    return sum(math.prod(x.shape) * x.dtype.itemsize for x in leaves)


def _raw(tree: PyTree) -> PyTree:
    """The tree with its typed random keys as plain integers."""

    def raw(x):
        return jax.random.key_data(x) if _is_key(x) else x

    return jax.tree.map(raw, tree)


_jitted_raw = jax.jit(_raw)


def _is_key(x) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _names(tree: PyTree) -> list[str]:
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in paths]


def _to_dict(tree: PyTree) -> dict[str, np.ndarray]:
    leaves = [np.asarray(x) for x in jax.tree.leaves(_raw(tree))]
    return dict(zip(_names(tree), leaves, strict=True))


def _from_dict(arrays: dict[str, np.ndarray], like: T) -> T:
    leaves, structure = jax.tree.flatten(like)
    named = dict(zip(_names(like), leaves, strict=True))
    if named.keys() != arrays.keys():
        odd = sorted(named.keys() ^ arrays.keys())
        raise ValueError(
            f"it holds another kind of run (differs in {odd[0]!r}). Nothing was "
            "overwritten; use the version of ptde that wrote it (run.json names it)"
        )
    restored = []
    for name, leaf in named.items():
        value = jnp.asarray(arrays[name])
        if _is_key(leaf):
            # ``leaf`` may be a shape, which has no generator that JAX could give.
            impl = jax.random.key_impl(jnp.empty((), leaf.dtype))
            value = jax.random.wrap_key_data(value, impl=impl)
        if (value.shape, value.dtype) != (leaf.shape, leaf.dtype):
            raise ValueError(
                f"{name!r} is {value.dtype}{list(value.shape)}, "
                f"not {leaf.dtype}{list(leaf.shape)}: it is of another map or size"
            )
        restored.append(value)
    return jax.tree.unflatten(structure, restored)


def _digest(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "blake2b").hexdigest()
