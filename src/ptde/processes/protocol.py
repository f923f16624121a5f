"""What a world in a process of its own is: two methods, and what they return."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

LONGEST = 100
"""Joint steps of an episode in a world that names no limit."""


SET = "joint steps; another limit is --processes.limit N, or its attribute time_limit"


class NoWorld(ValueError):
    """What was named is no world that can be played; the message says what it is."""


class WorldFailed(Exception):
    """A world crashed, hung, or showed what it must not; the message says what."""


@dataclass
class ProcessStep:
    """What a world shows at the start of an episode, and after each joint action."""

    obs: Any
    """[n, o]: what each agent sees."""
    state: Any
    """[s]: the global state, for training alone."""
    legal: Any
    """[n, u]: which actions each agent may take; at least one."""
    reward: float = 0.0
    """The team's, earned by the joint action."""
    ended: bool = False
    """The task is over: nothing follows that could be worth anything."""
    cut: bool = False
    """The episode is over because its time is: what would follow is estimated."""
    won: float = 0.0
    """How well the episode that ends here went, in [0, 1]; 1 won, 0 lost."""
    alive: Any = None
    """[n]: who still acts. None: all."""
    score: float | None = None
    """The score so far, such as a goal difference, in a world that keeps one."""


@runtime_checkable
class ProcessEnv(Protocol):
    """A world: write these two methods, and nothing else is needed.

    Optional attributes: ``time_limit``, the longest episode in joint steps; ``measure``,
    what the mean of ``won`` is called; ``notes``, what a user must be told;
    ``observation_names`` and ``action_names``, which an exported team tells. Optional
    methods: ``close()``; ``frame()``, a picture of now, [height, width, 3] uint8, from
    which `ptde replay` makes an animation; ``replay()``, which keeps the game's own record
    of the episode that ended, and returns its path.
    """

    def reset(self, seed: int) -> ProcessStep:
        """Starts an episode; the same seed starts the same one, if the world can."""

    def step(self, action: np.ndarray) -> ProcessStep:
        """The joint action ``action[i]`` of every agent i, all legal."""


@dataclass(frozen=True)
class Sizes:
    """What is known of a world once one copy of it was started."""

    n_agents: int
    obs_dim: int
    state_dim: int
    n_actions: int
    time_limit: int
    measure: str = "win rate"
    notes: tuple[str, ...] = ()
    score: bool = False
    """It keeps a score."""
    pictures: bool = False
    """It has ``frame()``."""
    replays: bool = False
    """It has ``replay()``."""
    observation_names: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()
    memory: int = field(default=0, compare=False)
    """Bytes that the process of one copy takes."""


def standard(step: Any) -> ProcessStep:
    """The same in arrays of the right kinds. ValueError if something is no array, NoWorld
    if it is no step at all.
    """
    if not isinstance(step, ProcessStep):
        raise NoWorld(
            f"the world returned a {type(step).__name__}: reset and step must return a "
            "ptde.processes.ProcessStep, as examples/my_game.py shows"
        )
    obs = _array("obs", step.obs, np.float32, 2)
    alive = np.ones(len(obs), bool) if step.alive is None else step.alive
    return replace(
        step,
        obs=obs,
        state=_array("state", step.state, np.float32, 1),
        legal=_array("legal", step.legal, bool, 2),
        alive=_array("alive", alive, bool, 1),
        reward=float(step.reward),
        won=float(step.won),
    )


def _array(name: str, value: Any, kind: type, axes: int) -> np.ndarray:
    try:
        array: np.ndarray = np.asarray(value).astype(kind)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name} is no array of one shape: {error}") from None
    if array.ndim != axes:
        raise ValueError(f"{name} has shape {array.shape}: it needs {axes} axes")
    return array


def measured(env: ProcessEnv, step: ProcessStep, time_limit: int = 0) -> Sizes:
    """The sizes of a world from its first step; ``time_limit`` 0 is the world's own."""
    n, obs_dim = step.obs.shape
    limit = time_limit or int(getattr(env, "time_limit", 0) or 0)
    notes = tuple(getattr(env, "notes", ()))
    if not limit:
        notes = (*notes, f"it names no time limit: episodes are cut after {LONGEST} {SET}")
    return Sizes(
        n_agents=n,
        obs_dim=obs_dim,
        state_dim=len(step.state),
        n_actions=step.legal.shape[-1],
        time_limit=limit or LONGEST,
        measure=str(getattr(env, "measure", "win rate")),
        notes=notes,
        score=step.score is not None,
        pictures=callable(getattr(env, "frame", None)),
        replays=callable(getattr(env, "replay", None)),
        observation_names=tuple(map(str, getattr(env, "observation_names", ()))),
        action_names=tuple(map(str, getattr(env, "action_names", ()))),
    )


def faults(step: ProcessStep, sizes: Sizes) -> Iterator[str]:
    """What is wrong with a step, each in a sentence; nothing if it is right."""
    n, u = sizes.n_agents, sizes.n_actions
    shapes = {
        "obs": (n, sizes.obs_dim),
        "state": (sizes.state_dim,),
        "legal": (n, u),
        "alive": (n,),
    }
    for name, shape in shapes.items():
        if getattr(step, name).shape != shape:
            yield (
                f"{name} has shape {getattr(step, name).shape}, at first it was {shape}: "
                "sizes must not change"
            )
            return
    for name in ("obs", "state", "reward", "won", "score"):
        value = getattr(step, name)
        if value is not None and not np.isfinite(value).all():
            yield f"{name} holds NaN or infinity"
    stuck = np.flatnonzero(~step.legal.any(axis=1))
    if len(stuck):
        yield (
            f"agent {stuck[0]} has no legal action: give one who cannot act a no-op that "
            "is legal"
        )
    if not 0 <= step.won <= 1:
        yield f"won is {step.won}: it must lie in [0, 1]"
    if step.ended and step.cut:
        yield "ended and cut are both true: an episode is over for one reason"
