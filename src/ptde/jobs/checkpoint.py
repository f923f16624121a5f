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
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from ptde.files import writing

T = TypeVar("T", bound=PyTree)
DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)
"""What reading a file that is not whole may raise."""
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
            _write(part / ARRAYS, tree)
            (part / DIGEST).write_text(json.dumps({ARRAYS: _digest(part / ARRAYS)}))
            os.rename(part, path)
    finally:  # a part that is not whole takes up the space that is lacking
        shutil.rmtree(part, ignore_errors=True)


def load(path: Path, like: T) -> T:
    """Reads a tree of the structure, shapes and dtypes of ``like``.

    Each array goes to where its shape in ``like`` says that it lies, if that says so.

    Raises:
        DamagedCheckpoint: a file is missing or changed.
        UnfitCheckpoint: it does not hold such a tree.
    """
    with _naming(path):
        _check(path, like)
        leaves, structure = jax.tree.flatten(like)
        with np.load(path / ARRAYS, allow_pickle=False) as file:
            read = [_as(x, file[n]) for x, n in zip(leaves, _names(like), strict=True)]
        return jax.tree.unflatten(structure, read)


def check(path: Path, like: PyTree) -> None:
    """Raises what ``load`` would, for which no array is read into memory."""
    with _naming(path):
        _check(path, like)


class Checkpoints:
    """The newest few checkpoints of a training."""

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = folder
        self.keep = keep

    def steps(self) -> list[int]:
        """Steps of the stage at which there is a checkpoint, oldest first."""
        names = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        return sorted(int(x) for x in names if x.isascii() and x.isdecimal())

    def any_whole(self, like: PyTree) -> bool:
        """Whether ``newest`` would find one, for which no array is read into memory.

        Raises:
            UnfitCheckpoint: the newest that is whole holds no such tree.
        """
        for steps in reversed(self.steps()):
            with suppress(DamagedCheckpoint):
                check(self.folder / str(steps), like)
                return True
        return False

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


def _write(path: Path, tree: PyTree) -> None:
    """Writes the arrays as NumPy's ``savez`` does, one after another, so that no more than
    one of them is copied to the host; of those that are there already, none.
    """
    arrays = dict(zip(_names(tree), jax.tree.leaves(_raw(tree)), strict=True))
    with zipfile.ZipFile(path, "w", allowZip64=True) as whole:
        for name, array in arrays.items():
            with whole.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {
                    "descr": np.lib.format.dtype_to_descr(array.dtype),
                    "fortran_order": False,
                    "shape": array.shape,
                }
                np.lib.format.write_array_header_1_0(file, header)
                for piece in _pieces(array):
                    file.write(np.ascontiguousarray(piece).data)


def _pieces(array: Array | np.ndarray) -> Iterator[np.ndarray]:
    """The parts of an array in their order; views, where the host has it already."""
    shards = getattr(array, "addressable_shards", ())
    parts = {tuple(i.start or 0 for i in x.index): np.asarray(x.data) for x in shards}
    if len(parts) < 2:
        yield np.asarray(array)
        return
    starts = sorted(parts)
    divided = next(i for i in range(array.ndim) if starts[0][i] != starts[1][i])
    for before in np.ndindex(array.shape[:divided]):
        yield from (parts[start][before] for start in starts)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """A context in which errors of reading name the checkpoint, as its own errors."""
    try:
        yield
    except UnfitCheckpoint as error:
        raise UnfitCheckpoint(f"{path}: {error}") from error
    except DAMAGE as error:  # a full device is none
        raise DamagedCheckpoint(f"{path}: {error}") from error


def _check(path: Path, like: PyTree) -> None:
    """Checks the digest, and names, shapes and dtypes of the arrays."""
    if {ARRAYS: _digest(path / ARRAYS)} != json.loads((path / DIGEST).read_text()):
        raise ValueError("its arrays are not those that were written")
    wanted = jax.tree.leaves(_jitted_raw.eval_shape(like))
    there, named = _headers(path / ARRAYS), dict(zip(_names(like), wanted, strict=True))
    if named.keys() != there.keys():
        odd = sorted(named.keys() ^ there.keys())
        raise UnfitCheckpoint(
            f"it holds another kind of run (differs in {odd[0]!r}). Nothing was "
            "overwritten; use the version of ptde that wrote it (run.json names it)"
        )
    for name, leaf in named.items():
        shape, dtype = there[name]
        if (shape, dtype) != (leaf.shape, leaf.dtype):
            raise UnfitCheckpoint(
                f"{name!r} is {dtype}{list(shape)}, "
                f"not {leaf.dtype}{list(leaf.shape)}: it is of another map or size"
            )


def _headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shapes and dtypes of the arrays in a file of NumPy's, by their names."""
    found = {}
    with zipfile.ZipFile(path) as whole:
        for name in whole.namelist():
            with whole.open(name) as file:
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                if dtype.hasobject:
                    raise ValueError(f"{name} is a pickle")
                found[name.removesuffix(".npy")] = shape, dtype
    return found


def _as(leaf: Any, value: np.ndarray) -> Array:
    """An array that was read, as ``leaf`` is: a key, if that is one, and where it lies."""
    # A real array says where it is, which is no wish.
    where = leaf.sharding if isinstance(leaf, jax.ShapeDtypeStruct) else None
    if not _is_key(leaf):
        return jax.device_put(value, where)
    # ``leaf`` may be a shape, which has no generator that JAX could give.
    impl = jax.random.key_impl(jnp.empty((), leaf.dtype))
    return jax.device_put(jax.random.wrap_key_data(jnp.asarray(value), impl=impl), where)


def _digest(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "blake2b").hexdigest()
