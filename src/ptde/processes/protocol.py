"""Interface of a world in a process of its own: two methods, and what they return."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

LONGEST = 100
"""Joint steps of an episode in a world that names no limit."""


SET = "joint steps; another limit is --processes.limit N, or its attribute time_limit"


class NoWorld(ValueError):
    """The target is not a world that a team can play; the message says what it is."""


class WorldFailed(Exception):
    """A world crashed, hung, or returned an invalid step; the message says which."""


@dataclass
class ProcessStep:
    """The step that a world returns at an episode's start and after each joint action."""

    obs: Any
    """[n, o]: the observation of each agent."""
    state: Any
    """[s]: the global state, for training alone."""
    legal: Any
    """[n, u]: whether each agent may take each action; at least one each."""
    reward: float = 0.0
    """The team's reward for the joint action."""
    ended: bool = False
    """Whether the task is over: the return that follows is 0."""
    cut: bool = False
    """Whether a time limit ends the episode: the return that would follow is estimated."""
    won: float = 0.0
    """Success of the episode that ends here, in [0, 1]; 1 won, 0 lost."""
    alive: Any = None
    """[n]: whether each agent still acts. None: all do."""
    score: float | None = None
    """The score so far, such as a goal difference, in a world that keeps one."""


@runtime_checkable
class ProcessEnv(Protocol):
    """A world: these two methods are all that it needs.

    Optional attributes: ``time_limit``, the longest episode in joint steps; ``measure``,
    the name of the mean of ``won``, or ``return`` where nobody wins; ``notes``, remarks to
    the user; ``observation_names`` and ``action_names``, which are exported with a team.
    Optional methods: ``close()``; ``frame()``, a picture of the present step, [height,
    width, 3] uint8, from which `ptde replay` makes an animation; ``replay()``, which saves
    the game's own recording of the episode that ended, and returns its path; it gets the
    folder for it as ``record``, if that is a keyword argument of the callable that makes
    the world.
    """

    def reset(self, seed: int) -> ProcessStep:
        """Starts an episode; the same seed starts the same episode, if the world can."""

    def step(self, action: np.ndarray) -> ProcessStep:
        """Takes the legal action ``action[i]`` of every agent i."""


@dataclass(frozen=True)
class Sizes:
    """Sizes and facts of a world, known once a copy was started."""

    n_agents: int
    obs_dim: int
    state_dim: int
    n_actions: int
    time_limit: int
    measure: str = "win rate"
    notes: tuple[str, ...] = ()
    score: bool = False
    """Whether it keeps a score."""
    pictures: bool = False
    """Whether it has ``frame()``."""
    replays: bool = False
    """Whether it has ``replay()``."""
    records: bool = field(default=False, compare=False)
    """Whether it is made with a folder for its recordings, ``record``."""
    observation_names: tuple[str, ...] = ()
    action_names: tuple[str, ...] = ()
    memory: int = field(default=0, compare=False)
    """Bytes of memory that the process of one copy takes."""


def ending(terminated: Any, truncated: Any, late: bool) -> tuple[bool, bool]:
    """Whether an episode ended, and whether it was cut, by what is said of each agent.

    It is over when it is for each; and cut if for one of them by ``truncated``, or if
    ``late``, which the world says in another way.
    """
    over = bool(np.all(np.logical_or(terminated, truncated)))
    late = late or not np.all(terminated)
    return over and not late, over and late


def standard(step: Any) -> ProcessStep:
    """The step with arrays of the right types. ValueError if something is not an array,
    NoWorld if it is no step at all.
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


def picture_of(env: Any) -> np.ndarray:
    """The picture that a world makes of its present step, [height, width, 3] uint8.
    WorldFailed if ``frame()`` returns something else.
    """
    made = env.frame()
    picture = np.asarray(made)
    if picture.dtype != np.uint8 or picture.shape[2:] != (3,) or not picture.size:
        kind = f"a {type(made).__name__}, {picture.dtype} {list(picture.shape)}"
        raise WorldFailed(f"frame() returned {kind}: return uint8 [height, width, 3]")
    return picture


def faults(step: ProcessStep, sizes: Sizes) -> Iterator[str]:
    """The faults of a step, each in a sentence; none if it is valid."""
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
