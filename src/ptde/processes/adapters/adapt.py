"""From ``module:callable`` to a world, with ptde's interface or an adapter to it."""

import inspect
import sys
from collections.abc import Callable
from typing import Any

from ptde.processes.protocol import NoWorld, ProcessEnv
from ptde.trust import import_callable, told


class InJax(NoWorld):
    """The target is a world in JAX, which is compiled with a team and has no process."""


def load(target: str) -> Callable[..., Any]:
    """The callable that ``module:callable`` names. NoWorld says what is wrong."""
    try:
        return import_callable(target)
    except ValueError as error:
        raise NoWorld(str(error)) from error


def make(target: str, kwargs: dict[str, Any], seed: int) -> ProcessEnv:
    """One copy of a world.

    Args:
        target: ``module:callable``; the callable returns the world.
        kwargs: keyword arguments of the callable.
        seed: passed to the callable as well, if it takes one and ``kwargs`` has none.

    Raises:
        ValueError: there is no such world, it cannot be made, or it has no known interface.
    """
    maker = load(target)
    _check_not_in_jax(maker, target)
    if "seed" not in kwargs and takes(maker, "seed"):
        kwargs = {**kwargs, "seed": seed}
    _check_arguments(target, maker, kwargs)
    try:
        world = maker(**kwargs)
    except Exception as error:
        raise NoWorld(f"{target} raised {told(error)}, when it was made") from error
    return adapted(world, target)


def adapted(world: Any, target: str = "") -> ProcessEnv:
    """A world of any known interface as a ``ProcessEnv``.

    Raises:
        NoWorld: its interface is unknown or does not fit; says what to type.
    """
    _check_not_in_jax(type(world), target)
    if callable(getattr(world, "step_env", None)) and hasattr(world, "agents"):
        from ptde.processes.adapters.jaxmarl import misfit

        why = misfit(world)
        advice = "type --world jaxmarl --map NAME (`ptde list` shows them), --world smax "
        raise NoWorld(
            f"{type(world).__name__} is a world of JaxMARL, "
            + (
                f"and no team can play it: {why}"
                if why
                else f"which runs in JAX and not in processes: {advice}"
                "for its battles, or wrap it as examples/my_env.py shows"
            )
        )
    if hasattr(world, "get_avail_actions") and hasattr(world, "get_obs"):
        from ptde.processes.adapters.pymarl import PyMarl

        return PyMarl(world)
    if (other := _other(world, target)) is not None:
        inner = getattr(world, "unwrapped", world)
        raise NoWorld(f"{type(inner).__name__} {other}")
    if _spaces(world):
        from ptde.processes.adapters.gymnasium import GymnasiumTeam

        return GymnasiumTeam(world)
    if hasattr(world, "possible_agents"):
        from ptde.processes.adapters.pettingzoo import PettingZoo

        return PettingZoo(world)
    if isinstance(world, ProcessEnv):
        for method in ("reset", "step"):
            _check_takes_one(world, method)
        return world
    raise NoWorld(
        f"{type(world).__name__} speaks no interface that is known here: write reset(seed) "
        "and step(action) (see ptde.processes.ProcessEnv), PyMARL's get_obs, get_state and "
        "get_avail_actions, or PettingZoo's parallel interface"
    )


def _check_not_in_jax(kind: Any, target: str) -> None:
    """Raises InJax for a subclass of ``AbstractEnv``, whose module has imported that."""
    base = sys.modules.get("ptde.envs.base")
    if base and inspect.isclass(kind) and issubclass(kind, base.AbstractEnv):
        named = target or f"MODULE:{kind.__name__}"
        raise InJax(f"{named} is a world in JAX: type --world jax --map {named}")


def _other(world: Any, target: str) -> str | None:
    """Why a world of another library's interface does not fit; None if it may."""
    if callable(getattr(world, "agent_iter", None)):
        module = target.partition(":")[0] or "MODULE"
        return (
            "is PettingZoo's turn-based interface (AEC), where one agent acts after "
            f"another: type env:{module}:parallel_env for the parallel one"
        )
    if hasattr(world, "action_space") and hasattr(world, "observation_space"):
        if callable(world.action_space):  # PettingZoo's, of each agent
            return None
        if _spaces(world):
            return None
        return (
            "has Gymnasium's interface for one agent: a team needs a world of several, "
            "whose action_space is a Tuple of one Discrete for each; or write a class with "
            "reset(seed) and step(action), as examples/my_game.py shows, and type "
            "env:MODULE:CLASS"
        )
    return None


def _spaces(world: Any) -> Any:
    """The agents' action spaces in a multi-agent world with Gymnasium's interface."""
    return getattr(getattr(world, "action_space", None), "spaces", None)


def _check_arguments(
    target: str, maker: Callable[..., Any], kwargs: dict[str, Any]
) -> None:
    """Raises NoWorld, with the names, if keyword arguments are missing or unknown."""
    try:
        signature = inspect.signature(maker)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(**kwargs)
    except TypeError as error:
        lacking = [
            name
            for name, p in signature.parameters.items()
            if p.default is p.empty
            and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
            and name not in kwargs
        ]
        given = ", ".join(f'"{name}": ...' for name in lacking or signature.parameters)
        raise NoWorld(
            f"{target} cannot be called so: {error}. Type its keyword arguments as JSON: "
            f"--processes.kwargs '{{{given}}}' (in `ptde check`: --kwargs)"
        ) from None


def _check_takes_one(world: ProcessEnv, method: str) -> None:
    """NoWorld if a method cannot be called with a seed, or a joint action, alone."""
    what = {"reset": "seed", "step": "action"}[method]
    try:
        inspect.signature(getattr(world, method)).bind(0)
    except TypeError as error:
        raise NoWorld(
            f"{type(world).__name__} has reset and step, as a ProcessEnv has, but "
            f"{method} cannot be called with one argument ({error}): write {method}(self, "
            f"{what}), which returns a ptde.processes.ProcessStep, as examples/my_game.py "
            "shows"
        ) from None
    except ValueError:  # a builtin tells nothing
        return


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of this name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
