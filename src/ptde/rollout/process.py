"""Collecting and testing in worlds that run in processes of their own, on this machine.

What ``collect``, ``evaluate`` and ``jax_runner`` compile with a world in JAX is a Python
loop here: the worlds step, and one compiled call acts for all copies that are ready.
Rollouts and returns have the same form, so that later code needs no difference.
"""

from collections.abc import Iterator
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, PyTree

from ptde.agents.policy import FullPolicy
from ptde.envs.process import ProcessWorld
from ptde.info.base import Carry
from ptde.ops.devices import rows_after
from ptde.processes import WorldFailed
from ptde.rollout.base import Pictures
from ptde.rollout.collect import RolloutState, forget
from ptde.rollout.evaluate import Returns
from ptde.types import PolicyOutput, Rollout, TimeStep

T = TypeVar("T")
SEEDS = 2**30
"""Upper bound of the seeds of episodes."""


class Players:
    """A team that plays in B copies of a world, in those that are ready."""

    def __init__(self, policy: FullPolicy, world: ProcessWorld, *, key: Key[Array, ""]):
        self.policy, self.pool, self.key = policy, world.pool, key
        self.first = world.first
        self.shape = jax.tree.structure(world.shown())
        self.memory = policy.start(world.copies, world.spec.n_agents)
        self.last_action = np.full_like(self.pool.slots.action, -1)
        self.last = np.zeros(world.copies, bool)
        """Whether each copy's episode ends with its present step."""
        self.keeps_score = world.sizes.score
        self.terminal = world.time_out == "terminal"
        self.ticks = 0

    def steps(self) -> TimeStep:
        """The steps of all copies, [B, ...] in NumPy; that of a busy copy is undefined."""
        s = self.pool.slots
        self.last = s.last.copy()
        last_action = np.where(s.first[:, None], -1, self.last_action)
        local = (s.obs.copy(), s.legal.copy(), last_action, s.alive.copy())
        discount = np.where(s.last, 0.0, s.discount) if self.terminal else s.discount
        others = [s.state, s.reward, discount.astype(np.float32), s.first, s.won]
        others += [s.score] if self.keeps_score else []
        # In the order of TimeStep's fields.
        return jax.tree.unflatten(self.shape, [*local, *(x.copy() for x in others)])

    def act(self, step: TimeStep, going: np.ndarray) -> tuple[PolicyOutput, np.ndarray]:
        """Chooses the actions of the copies that are ``going``, [B], and steps them.

        Returns:
            The policy's output [B, ...] in NumPy, and messages sent [B].
        """
        state = RolloutState((), step, self.memory)
        self.memory, output, sent = _decide(
            self.policy, state, going, self.key, self.ticks, self.first
        )
        self.ticks += 1
        output, sent = jax.tree.map(np.asarray, (output, sent))
        which = np.flatnonzero(going)
        self.last_action[which] = self.pool.slots.action[which] = output.action[which]
        self.pool.step(which.tolist())
        return output, sent


@jax.jit
def _decide(policy: FullPolicy, state: RolloutState, going, key, tick, first):
    """The policy's carry, output and messages. Folding the key in here saves time."""
    before = forget(state)
    with rows_after(first):
        after, output = policy(before, state.step, key=jax.random.fold_in(key, tick))

    def keep(new, old):
        return jnp.where(going.reshape(-1, *(1,) * (new.ndim - 1)), new, old)

    memory = jax.tree.map(keep, after, state.memory)
    return memory, output, jnp.broadcast_to(policy.sent(before, after), going.shape)


def begin(world: ProcessWorld, *, key: Key[Array, ""]) -> None:
    """Resets every copy for a segment; ``play`` with the same key goes on from there."""
    key_seeds, _ = jax.random.split(key)
    seeds = episode_seeds(key_seeds, world.total)[world.first :][: world.copies]
    world.pool.lost.clear()
    world.pool.begin(range(world.copies), seeds, on=True)


def play(
    policy: FullPolicy, world: ProcessWorld, length: int, *, key: Key[Array, ""]
) -> Rollout:
    """Plays the segment that ``begin`` began."""
    _, key_actions = jax.random.split(key)
    players, lost = Players(policy, world, key=key_actions), world.pool.lost
    segment: _Segment | None = None
    at = np.zeros(world.copies, int)  # the index of a copy's next step
    began = np.zeros(world.copies, int)  # the first step of its episode
    while at.min() <= length:
        ready = _ready(world, at <= length)
        for index in taken(lost):
            at[index] = min(at[index], began[index])
        step = players.steps()
        going = ready & (at < length)
        if going.any():
            output, _ = players.act(step, going)
            segment = segment or _Segment(step, output, length)
            segment.write(segment.outputs, np.flatnonzero(going), at, output)
        assert segment is not None  # a segment has an action at least
        segment.write(segment.steps, np.flatnonzero(ready), at, step)
        at = at + ready
        for index in np.flatnonzero(ready & players.last).tolist():
            began[index] = at[index]
            world.pool.succeeded(index)
    assert segment is not None
    return segment.rollout()


def _ready(world: ProcessWorld, wanted: np.ndarray) -> np.ndarray:
    """Waits for enough ``wanted`` copies, by ``--quorum``; returns which are ready."""
    idle = len(wanted) - int(wanted.sum())
    least = idle + max(1, round(world.config.quorum * int(wanted.sum())))
    ready = np.zeros(len(wanted), bool)
    while not (ready & wanted).any():
        ready[world.pool.ready(least)] = True
        least += 1  # those that are not wanted may have been the first
    return ready & wanted


def taken(items: list[T]) -> list[T]:
    """Empties a list, and returns what it held."""
    taken, items[:] = list(items), []
    return taken


class _Segment:
    """A rollout that is filled step by step, in NumPy."""

    def __init__(self, step: TimeStep, output: PolicyOutput, length: int):
        def room(x, time):
            return np.zeros((len(x), time, *x.shape[1:]), x.dtype)

        self.steps = jax.tree.map(lambda x: room(x, length + 1), step)
        self.outputs = jax.tree.map(lambda x: room(x, length), output)

    @staticmethod
    def write(into: PyTree, copies: np.ndarray, at: np.ndarray, what: PyTree) -> None:
        """Writes entries of these copies at these times."""

        def put(array, values):
            array[copies, at[copies]] = values[copies]

        jax.tree.map(put, into, what)

    def rollout(self) -> Rollout:
        """The finished rollout, in JAX."""
        steps, outputs = jax.tree.map(jnp.asarray, (self.steps, self.outputs))
        return Rollout(steps, outputs.action, outputs.noise, outputs.opening)


def evaluate(
    policy: FullPolicy, world: ProcessWorld, episodes: int, *, key: Key[Array, ""]
) -> Returns:
    """Plays ``episodes`` whole episodes, as many at once as there are copies; a share of a
    world plays those that are ``dealt`` to it.

    Two policies on the same key meet the same seeds. A lost episode is played again, with
    another seed.
    """
    key_seeds, key_actions = jax.random.split(key)
    drawn = episode_seeds(key_seeds, episodes)
    seeds = [drawn[number] for number in world.dealt(episodes)]
    episodes = len(seeds)
    pool = world.pool
    pool.lost.clear()
    players = Players(policy, world, key=key_actions)
    columns = ("performance", "reward", "score", "length", "messages")
    table = {name: np.zeros(episodes) for name in columns}
    plays = np.full(world.copies, -1)  # the episode of each copy; -1: none
    waiting = iter(range(episodes))

    def begin(which: list[int]) -> None:
        for index in which:
            plays[index] = next(waiting, -1)
            if plays[index] >= 0:
                pool.begin([index], [seeds[plays[index]]], on=False)

    begin(list(range(world.copies)))
    while (plays >= 0).any():
        ready = _ready(world, plays >= 0)
        for index in taken(pool.lost):
            for column in table.values() if plays[index] >= 0 else ():
                column[plays[index]] = 0
        step = players.steps()
        after = ready & ~step.first
        table["performance"][plays[after]] += step.performance[after]
        table["reward"][plays[after]] += step.reward[after]
        table["length"][plays[after]] += 1
        if step.score is not None:
            table["score"][plays[after]] = step.score[after]
        over = np.flatnonzero(ready & players.last).tolist()
        going = ready & ~players.last
        if going.any():
            _, sent = players.act(step, going)
            table["messages"][plays[going]] += sent[going]
        for index in over:
            pool.succeeded(index)
        begin(over)
    counts = {name: jnp.asarray(table[name], jnp.int32) for name in ("length", "messages")}
    reals = columns[:3] if world.sizes.score else columns[:2]
    values = {name: jnp.asarray(table[name], jnp.float32) for name in reals}
    return Returns(**values, **counts)


def film(policy: FullPolicy, world: ProcessWorld, *, key: Key[Array, ""]) -> Pictures:
    """Films one episode of a world with a single copy, the one that ``episode`` plays with
    the same key.

    Returns:
        A picture of every step, none if the world makes none; and the path of the game's
        own recording, if it keeps one.
    """
    pictures = [
        world.pool.ask(0, "frame")
        for _ in episode(policy, world, key=key)
        if world.sizes.pictures
    ]
    return pictures, world.pool.ask(0, "replay") if world.sizes.replays else None


def episode(
    policy: FullPolicy, world: ProcessWorld, *, key: Key[Array, ""]
) -> Iterator[tuple[TimeStep, Carry]]:
    """Plays one episode of a world with a single copy: yields every step, [1, ...], and the
    team's carry before it.
    """
    key_seed, key_actions = jax.random.split(key)
    pool, players = world.pool, Players(policy, world, key=key_actions)
    pool.begin([0], episode_seeds(key_seed, 1), on=False)
    while True:
        pool.ready(1)
        if pool.lost:
            raise WorldFailed(pool.reasons[-1])
        step = players.steps()
        yield step, players.memory
        if players.last[0]:
            return
        players.act(step, np.ones(1, bool))


def episode_seeds(key: Key[Array, ""], count: int) -> list[int]:
    """The seeds of ``count`` episodes."""
    return np.asarray(jax.random.randint(key, (count,), 0, SEEDS)).tolist()
