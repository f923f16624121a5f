"""A world in JAX of the user's own, by ``module:callable,option=value``."""

import inspect
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

import jax
import numpy as np

from ptde.envs.base import AbstractEnv
from ptde.ops.keys import new_key
from ptde.parts import find, target_of
from ptde.processes.protocol import NoWorld, ProcessStep
from ptde.trust import import_callable, told
from ptde.types import EnvSpec, TimeStep


def own_env(name: str) -> AbstractEnv:
    """The world that a callable makes, from options written behind it.

    Raises:
        ValueError: there is no such callable or option, it raised something, or what it
            makes is no ``AbstractEnv`` whose episodes begin as its spec says.
    """
    target = target_of(name)
    found = import_callable(target)
    if inspect.isclass(found):
        _check_in_jax(found, target)
    make: Callable[[], Any] = find("map", name, {})
    env = _said(make, target, "when it was made")
    _check_in_jax(type(env), target)
    if not isinstance(getattr(env, "spec", None), EnvSpec):
        raise ValueError(f"{target} has no spec: give it a ptde.types.EnvSpec")
    step = _said(env.shown, target, "when an episode was begun")
    for misfit in _misfits(step, env.spec):
        raise ValueError(f"{target}: {misfit}")
    return env


def _said(call: Callable[[], Any], target: str, when: str) -> Any:
    """What a call of the user's code returns. ValueError says what it raised."""
    try:
        return call()
    except Exception as error:
        what = told(error, target.partition(":")[0])
        raise ValueError(f"{target} raised {what}, {when}") from error


def _check_in_jax(kind: type, target: str) -> None:
    if not issubclass(kind, AbstractEnv):
        raise ValueError(
            f"{target} is a world in Python: type env:{target} (one in JAX is a subclass "
            "of ptde.envs.AbstractEnv, as examples/my_env.py shows)"
        )


def _misfits(step: TimeStep, spec: EnvSpec) -> Iterator[str]:
    """The arrays of a step whose shapes are not the spec's."""
    n = spec.n_agents
    shapes = {
        "obs": (step.local.obs, (n, spec.obs_dim)),
        "legal": (step.local.legal, (n, spec.n_actions)),
        "last_action": (step.local.last_action, (n,)),
        "alive": (step.local.alive, (n,)),
        "state": (step.state, (spec.state_dim,)),
    }
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            yield f"{name} has shape {array.shape}, and by the spec it is {shape}"


class Played:
    """A world in JAX as a ``ProcessEnv``, to be played at random by `ptde check`."""

    def __init__(self, env: AbstractEnv):
        self.env, self.time_limit, self.measure = env, env.spec.time_limit, env.spec.measure
        self._reset = jax.jit(lambda key: env.reset_env(key=key))
        self._step = jax.jit(lambda state, u, key: env.step_env(state, u, key=key))

    def reset(self, seed: int) -> ProcessStep:
        self.key, self.time = new_key(seed), 0
        self.state, step = self._reset(jax.random.fold_in(self.key, 0))
        idle = np.full(self.env.spec.n_agents, -1, np.int32)
        after = jax.eval_shape(self._step, self.state, idle + 1, self.key)
        _check_alike("state", self.state, after[0])
        _check_alike("TimeStep", step, after[1])
        return self._shown(step, idle, False)

    def step(self, action: np.ndarray) -> ProcessStep:
        self.time += 1
        key = jax.random.fold_in(self.key, self.time)
        self.state, step, last = self._step(self.state, action, key)
        return self._shown(step, action, bool(last))

    def _shown(self, step: TimeStep, action: np.ndarray, last: bool) -> ProcessStep:
        step = jax.tree.map(np.asarray, step)
        for fault in self._faults(step, action, last):
            raise NoWorld(fault)
        return ProcessStep(
            obs=step.local.obs,
            state=step.state,
            legal=step.local.legal,
            reward=float(step.reward),
            ended=last and not step.discount,
            cut=last and bool(step.discount),
            won=float(step.performance),
            alive=step.local.alive,
            score=None if step.score is None else float(step.score),
        )

    def _faults(self, step: TimeStep, action: np.ndarray, last: bool) -> Iterator[str]:
        """What only a world in JAX can have wrong, each in a sentence."""
        if step.first != (self.time == 0):
            yield "first must be true in what reset_env returns, and nowhere else"
        if not np.array_equal(step.local.last_action, action):
            yield "last_action must be the action, and -1 in what reset_env returns"
        if not (last or step.discount == 1):
            yield "discount must be 1 before the last step of an episode"
        if not last and step.performance:
            yield "performance must be 0 before the last step of an episode"
        if self.time >= self.time_limit and not last:
            yield f"an episode goes on after the {self.time_limit} steps of spec.time_limit"


def _check_alike(what: str, before: Any, after: Any) -> None:
    """NoWorld unless two trees have the same leaves: one program holds both."""
    for a, b in zip_longest(_leaves(before), _leaves(after), fillvalue="nothing"):
        if a != b:
            raise NoWorld(f"the {what} of reset_env has {a}, where step_env's has {b}")


def _leaves(tree: Any) -> list[str]:
    """The name, type and shape of each array in a tree."""
    leaves = jax.tree.leaves_with_path(tree)
    return [f"{jax.tree_util.keystr(p)} {x.dtype}{[*x.shape]}" for p, x in leaves]
