"""From ``module:callable`` to a world: of this library's own protocol, or of another."""

import importlib
import inspect
from collections.abc import Callable
from typing import Any

from ptde.processes.protocol import ProcessEnv
from ptde.trust import check_callable, check_target


def load(target: str) -> Callable[..., Any]:
    """The callable that ``module:callable`` names. ValueError says what is wrong."""
    check_target(target)
    module, _, name = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"cannot import {module!r} ({error}): is it installed, or in the folder that "
            "you start ptde in?"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ValueError(f"{module!r} has no {part!r}: type --map {module}:NAME")
        found = getattr(found, part)
    check_callable(target, found)
    return found


def make(target: str, kwargs: dict[str, Any], seed: int) -> ProcessEnv:
    """One copy of a world.

    Args:
        target: ``module:callable``; the callable returns the world.
        kwargs: for the callable.
        seed: for the callable as well, if it takes one and ``kwargs`` has none.

    Raises:
        ValueError: there is no such world, or it speaks no interface that is known here.
    """
    maker = load(target)
    if "seed" not in kwargs and _takes(maker, "seed"):
        kwargs = {**kwargs, "seed": seed}
    return adapted(maker(**kwargs))


def adapted(world: Any) -> ProcessEnv:
    """A world of any known interface as a ``ProcessEnv``."""
    if hasattr(world, "get_avail_actions") and hasattr(world, "get_obs"):
        from ptde.processes.adapters.pymarl import PyMarl

        return PyMarl(world)
    if hasattr(world, "possible_agents"):
        from ptde.processes.adapters.pettingzoo import PettingZoo

        return PettingZoo(world)
    if isinstance(world, ProcessEnv):
        return world
    raise ValueError(
        f"{type(world).__name__} speaks no interface that is known here: write reset(seed) "
        "and step(action) (see ptde.processes.ProcessEnv), PyMARL's get_obs, get_state and "
        "get_avail_actions, or PettingZoo's parallel interface"
    )


def _takes(function: Callable[..., Any], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
