"""Programs that are divided over devices: GPUs, or the cores of a CPU.

Several seeds are learnt apart, each on a device of its own. One seed is divided by the
copies of its world: each device plays some of them and learns from their share of every
batch, and they average their gradients (``ops/devices``). A CPU counts as one device unless
``use_devices`` makes its cores so many.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from ptde.ops.devices import COPIES

SEEDS = "seeds"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
"""XLA's flag that keeps each device's matrix products on a single thread."""
_usable, _firm = 1, False

Axes: TypeAlias = PyTree[bool] | None
"""Whether an argument's leaves are [seeds, copies, ...] rather than [seeds, ...]; a bool
stands for all leaves below it. None: it has no seeds, and is the same on all devices."""


def use_devices(number: int, *, firm: bool = True) -> None:
    """Divides programs over up to ``number`` of JAX's devices.

    Args:
        number: the devices to use.
        firm: whether also for runs that began with others.

    Raises:
        ValueError: there are not as many.
    """
    global _usable, _firm
    there = jax.local_device_count()
    if not 1 <= number <= there:
        raise ValueError(
            f"--devices {number}: JAX has {there} here; type a number from 1 to {there}"
        )
    _usable, _firm = number, firm


def usable() -> int:
    """The number of devices over which programs are divided."""
    return _usable


def one_thread(flags: str) -> str:
    """XLA's flags with the one that keeps its matrix products on a single thread."""
    return f"{flags} {ONE_THREAD}".strip()


def on_one_thread() -> bool:
    """Whether matrix products are on one thread, which decides the order of sums."""
    return ONE_THREAD in os.environ.get("XLA_FLAGS", "")


@contextmanager
def as_before(number: int) -> Iterator[bool]:
    """A context with the devices that a run began with, so that it ends in the same bits:
    false where there are fewer, or the user wants another number.
    """
    global _usable
    mine = _usable
    if number < mine and not _firm:
        _usable = number
    try:
        yield _usable == number
    finally:
        _usable = mine


@dataclass(frozen=True)
class Division:
    """How a program is divided."""

    by: Literal["seeds", "copies"]
    devices: int

    @classmethod
    def of(cls, seeds: int, parts: int) -> "Division":
        """The division over as many devices as there are to use.

        Args:
            seeds: number of seeds.
            parts: number of like parts in which the work of one seed can be done.
        """
        by_seeds, by_copies = _most(seeds), _most(parts)
        if by_seeds >= by_copies:
            return cls("seeds", by_seeds)
        return cls("copies", by_copies)

    def __str__(self) -> str:
        share = "the seeds" if self.by == "seeds" else "the copies of the world"
        return f"{self.devices} devices, each with its share of {share}"

    def seeds(self, seeds: int) -> int:
        """The seeds of each device, of so many."""
        return seeds // self.devices if self.by == "seeds" else seeds

    def copies(self, copies: int) -> int:
        """The copies of each device, of so many."""
        return copies // self.devices if self.by == "copies" else copies

    def program(self, function: Callable, takes: tuple[Axes, ...], gives: Any) -> Callable:
        """``function``, which each device applies to its share of the arguments.

        Args:
            function: takes and returns trees with leading axes of seeds.
            takes: the axes of each argument.
            gives: the axes of the result, or of each of its parts.
        """
        if self.devices == 1:
            return function
        inside, outside = (self._specs(axes) for axes in (takes, gives))
        return jax.shard_map(
            function,
            mesh=self._mesh,
            in_specs=inside,
            out_specs=outside,
            check_vma=False,
        )

    def place(self, tree: PyTree, axes: Axes) -> PyTree:
        """The tree, each part of it on the device that works on it: a program is compiled
        anew for arguments that lie elsewhere.
        """
        if self.devices == 1:
            return tree
        return jax.device_put(tree, self._shardings(axes))

    def placed(self, shapes: PyTree, axes: Axes) -> PyTree:
        """The shapes of a tree, as those of what ``place`` returns for it."""
        if self.devices == 1:
            return shapes
        if isinstance(axes, bool):
            axes = jax.tree.map(lambda _: axes, shapes)

        def put(x, sharding):
            if x is None:
                return None
            return jax.ShapeDtypeStruct(
                x.shape, x.dtype, sharding=sharding, weak_type=x.weak_type
            )

        shapes = jax.eval_shape(lambda x: x, shapes)
        shardings, nothing = self._shardings(axes), lambda x: x is None
        return jax.tree.map(put, shapes, shardings, is_leaf=nothing)

    def _shardings(self, axes: Axes) -> PyTree[NamedSharding]:
        put = lambda spec: NamedSharding(self._mesh, spec)
        return jax.tree.map(put, self._specs(axes))

    @property
    def _mesh(self) -> Mesh:
        axis = SEEDS if self.by == "seeds" else COPIES
        return Mesh(np.array(jax.local_devices()[: self.devices]), (axis,))

    def _specs(self, axes: Any) -> PyTree[PartitionSpec]:
        def spec(by_copies: bool | None) -> PartitionSpec:
            if by_copies is None:
                return PartitionSpec()
            if self.by == "seeds":
                return PartitionSpec(SEEDS)
            return PartitionSpec(None, COPIES) if by_copies else PartitionSpec()

        return jax.tree.map(spec, axes, is_leaf=lambda x: x is None)


def _most(parts: int) -> int:
    """The largest number of devices over which so many parts can be divided evenly."""
    return max(n for n in range(1, _usable + 1) if parts % n == 0)
