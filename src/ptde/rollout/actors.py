"""Worlds in processes on the machines of a Ray cluster: each actor plays some copies.

An actor keeps its copies from segment to segment, gets the team's networks once for each,
and returns it whole. What a copy meets and draws depends on its number among all copies,
not on the actor (``ProcessWorld.share``); so a segment that was lost with its actor is
played again by another, and ends the same.
"""

import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ptde.agents.policy import FullPolicy
from ptde.cluster import check_address, check_alike, connected, environ
from ptde.envs.base import AbstractWorld
from ptde.envs.process import ProcessWorld
from ptde.ops.keys import key_of
from ptde.processes import WorldFailed
from ptde.processes.pool import room_for
from ptde.rollout import process
from ptde.rollout.cache import use_compilation_cache
from ptde.rollout.copies import AbstractCopies, LocalCopies
from ptde.rollout.evaluate import Returns
from ptde.types import Rollout
from ptde.validation import check_range

LOSSES = 5
"""How often in a row the actor of a share may be lost."""


class Share:
    """A Ray actor: plays its share of the copies of a world, on the machine that it is on.

    Keys come as their data, and teams as ``sent`` packs them.
    """

    def __init__(self, world: ProcessWorld, folder: str):
        with suppress(OSError):  # the user's modules may lie there, if it is here, too
            os.chdir(folder)
        use_compilation_cache()
        self.world, self.begun = world, b""

    def check(self) -> str:
        """The name of this machine. ValueError if its memory does not hold the copies."""
        host, copies = socket.gethostname(), self.world.copies
        if copies > (room := room_for(self.world.sizes)):
            raise ValueError(
                f"{host} has memory for {room} copies of {self.world.spec.name}, and gets "
                f"{copies}: type fewer --envs, or more --actors on more machines"
            )
        return host

    def begin(self, key: np.ndarray) -> None:
        """Resets the copies for a segment."""
        process.begin(self.world, key=key_of(key))
        self.begun = key.tobytes()

    def play(
        self, form: bytes, leaves: list[Any], length: int, key: np.ndarray
    ) -> tuple[Rollout, list[str]]:
        """A segment of the team's, in NumPy, and why episodes were lost."""
        if self.begun != key.tobytes():  # an actor that is lost is replaced by a new one
            self.begin(key)
        self.begun = b""
        team = _received(form, leaves)
        rollout = process.play(team, self.world, length, key=key_of(key))
        return jax.device_get(rollout), process.taken(self.world.pool.reasons)

    def evaluate(
        self, form: bytes, leaves: list[Any], episodes: int, key: np.ndarray
    ) -> Returns:
        """The results of those of so many episodes that are dealt to this share."""
        team = _received(form, leaves)
        returns = process.evaluate(team, self.world, episodes, key=key_of(key))
        self.world.pool.reasons.clear()  # those of a test do not count
        return jax.device_get(returns)


@lru_cache
def _form(structure: Any) -> bytes:
    """A team without its weights, which stays the same while they are learnt."""
    from ray import cloudpickle  # some of its functions may have no name to import

    return cloudpickle.dumps(structure.unflatten(range(structure.num_leaves)))


@lru_cache
def _structure(form: bytes) -> Any:
    """The structure of a team from ``_form``, unpickled once: another one that is equal but
    for its functions would be compiled again.
    """
    return jax.tree.structure(pickle.loads(form))


def _received(form: bytes, leaves: list[Any]) -> FullPolicy:
    return _structure(form).unflatten(jax.device_put(leaves))


class Actors(AbstractCopies):
    """The copies of a world, divided over Ray actors; one that is lost is replaced."""

    def __init__(self, world: ProcessWorld, stage: "Stage"):
        self.world, self.stage = world, stage
        self.actors: list[Any] = []
        """The actor of each share, once the world was played."""
        self.hosts: list[str] = []
        self.in_a_row: list[int] = []
        """How often each actor was lost since it last answered."""
        self._lost: list[str] = []

    @cached_property
    def parts(self) -> list[ProcessWorld]:
        """The shares of the copies. ValueError if they cannot be alike."""
        number, copies = self.stage.size, self.world.copies
        if copies % number:
            fewer = max(n for n in range(1, number) if copies % n == 0)
            raise ValueError(
                f"--envs {copies} cannot be divided over {number} actors: type --envs "
                f"{-(-copies // number) * number} or --actors {fewer}"
            )
        return [self.world.share(index, number) for index in range(number)]

    def begin(self, *, key):
        self._ready()
        data = np.asarray(jax.random.key_data(key))
        for actor in self.actors:  # one that is lost meanwhile begins when it plays
            actor.begin.remote(data)

    def play(self, policy, length, *, key):
        self._ready()
        sent, data = self._sent(policy), np.asarray(jax.random.key_data(key))
        played = self._all(lambda actor: actor.play.remote(*sent, length, data))
        for _, reasons in played:
            self._lost += reasons
        return _joined([rollout for rollout, _ in played])

    def evaluate(self, policy, episodes, *, key):
        self._ready()
        sent, data = self._sent(policy), np.asarray(jax.random.key_data(key))
        lost = len(self._lost)
        tested = self._all(lambda actor: actor.evaluate.remote(*sent, episodes, data))
        del self._lost[lost:]  # those of a test do not count
        dealt = np.concatenate([part.dealt(episodes) for part in self.parts])
        return _joined(tested, np.argsort(dealt))

    def lost(self):
        return process.taken(self._lost)

    def close(self) -> None:
        """Ends the actors, and with them their worlds' processes."""
        for actor in process.taken(self.actors):
            self._end(actor)

    def _ready(self) -> None:
        """Starts the actors, when the world is first played."""
        if not self.actors:
            self.in_a_row = [0] * len(self.parts)
            self.hosts = ["a machine"] * len(self.parts)
            self.actors = [self._start(part) for part in self.parts]
            self.hosts = self._all(lambda actor: actor.check.remote())

    def _sent(self, policy: FullPolicy) -> tuple[bytes, Any]:
        """What ``Share`` takes of a team; its weights are put into Ray's store once."""
        leaves, structure = jax.tree.flatten(policy)
        return _form(structure), self.stage.ray.put(jax.device_get(leaves))

    def _all(self, ask: Callable[[Any], Any]) -> list[Any]:
        """Every actor's answer, in order; if one is lost, that of the one in its place.

        Raises:
            WorldFailed: copies failed too often, or actors were lost too often.
        """
        ray, answers = self.stage.ray, {}
        asked = {ask(actor): index for index, actor in enumerate(self.actors)}
        while asked:
            for ref in ray.wait([*asked])[0]:
                index = asked.pop(ref)
                try:
                    answers[index] = ray.get(ref)
                    self.in_a_row[index] = 0
                except ray.exceptions.RayTaskError as error:
                    if isinstance(error.cause, WorldFailed | ValueError):
                        raise error.cause from None
                    raise
                except ray.exceptions.RayError as error:
                    self._replace(index, error)
                    asked[ask(self.actors[index])] = index
        return [answers[index] for index in range(len(self.actors))]

    def _start(self, part: ProcessWorld) -> Any:
        """A new actor, on any machine that has a CPU for it."""
        actor = self.stage.ray.remote(Share).options(
            num_cpus=1,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": _environ()},
        )
        return actor.remote(part, os.getcwd())

    def _replace(self, index: int, error: Exception) -> None:
        """Puts a new actor in a lost one's place, and says so."""
        self._end(self.actors[index])
        self.in_a_row[index] += 1
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        part, host = self.parts[index], self.hosts[index]
        text = f"Ray lost the actor of copies {part.first} to "
        text += f"{part.first + part.copies - 1}, on {host}"
        if self.in_a_row[index] > LOSSES:
            raise WorldFailed(
                f"{text}, {self.in_a_row[index]} times in a row ({why}): `ptde resume RUN` "
                "goes on, with --ray or without"
            )
        print(f"{text} ({why}): another plays for it", flush=True)
        self._lost += [why] * part.copies
        self.hosts[index] = "the next machine"
        self.actors[index] = self._start(part)

    def _end(self, actor: Any) -> None:
        with suppress(Exception):  # it is lost, or Ray is
            self.stage.ray.kill(actor)


def _joined(parts: Sequence[Any], order: Any = slice(None)) -> Any:
    """What all actors returned, one behind the other, in an order."""
    return jax.tree.map(lambda *x: jnp.asarray(np.concatenate(x)[order]), *parts)


def _environ() -> dict[str, str]:
    """An actor's environment: it decides on the CPU, and imports what can be here."""
    paths = [sys.path[0], os.environ.get("PYTHONPATH"), "${PYTHONPATH}"]  # the machine's
    python = os.pathsep.join(filter(None, paths))
    return {**environ(), "PYTHONPATH": python, "JAX_PLATFORMS": "cpu"}


class Stage:
    """A Ray cluster, joined when a world is first played there, and the actors on it."""

    def __init__(self, address: str, number: int | None):
        self.address, self.number = address, number
        self.left, self.casts = ExitStack(), dict[ProcessWorld, Actors]()

    @cached_property
    def ray(self) -> Any:
        """Ray, joined to the cluster."""
        return self.left.enter_context(connected(self.address, self._cpus()))

    @cached_property
    def size(self) -> int:
        """The number of actors: as many as machines, if none was typed.

        Raises:
            ValueError: the cluster is too small, or its machines are not alike.
        """
        with_cpus = [n for n in self.ray.nodes() if n["Alive"] and _cpus_of(n)]
        most = int(sum(map(_cpus_of, with_cpus)))
        number = self.number or len(with_cpus)
        if not 0 < number <= most:
            raise ValueError(
                f"--actors {number}: the cluster has {most} CPUs for Ray, and each actor "
                f"takes one: type --actors {max(1, most)}, or --ray local"
            )
        check_alike(self.ray, with_cpus)
        return number

    def of(self, world: ProcessWorld) -> Actors:
        """The actors of a world."""
        return self.casts.setdefault(world, Actors(world, self))

    def close(self) -> None:
        """Ends all actors, and leaves the cluster."""
        for actors in self.casts.values():
            actors.close()
        self.left.close()

    def _cpus(self) -> int:
        """CPUs of a new cluster: it may have more actors than this machine has cores."""
        return max(self.number or 1, len(os.sched_getaffinity(0)))


def _cpus_of(node: dict[str, Any]) -> float:
    return node["Resources"].get("CPU", 0.0)


_stage: Stage | None = None


@contextmanager
def use_actors(number: int | None = None, address: str = "") -> Iterator[None]:
    """A context in which the copies of worlds in processes are played by Ray actors.

    Args:
        number: the actors; None is one for each machine.
        address: the cluster (``ptde.cluster.check_address``).

    Raises:
        ValueError: there can be no such cluster, or Ray is missing.
    """
    global _stage
    if number is not None:
        check_range("actors", number, 1, example=2)
    check_address(address)
    before, _stage = _stage, Stage(address, number)
    try:
        yield
    finally:
        _stage.close()
        _stage = before


def copies_of(world: ProcessWorld) -> AbstractCopies:
    """The copies of a world: with actors, or in processes of this machine."""
    return LocalCopies(world) if _stage is None else _stage.of(world)


def check_actors(world: AbstractWorld) -> bool:
    """Whether the copies of a world are played by actors.

    Raises:
        ValueError: they are to be and cannot be; the message says what to type.
    """
    if _stage is None:
        return False
    if not isinstance(world, ProcessWorld):
        raise ValueError(
            f"{world.spec.name} runs in JAX: leave out --ray and --actors, which are for "
            "worlds in processes of their own (--devices divides it over cores or GPUs)"
        )
    return bool(_stage.of(world).parts)
