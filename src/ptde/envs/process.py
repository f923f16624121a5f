"""Worlds in processes of their own, with the interface of all worlds."""

import json
from copy import copy
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp

from ptde.envs.base import AbstractWorld
from ptde.envs.settings import ProcessConfig
from ptde.processes.pool import Maker, Pool, room_for, sizes_of
from ptde.types import EnvSpec, LocalView, TimeStep


class ProcessWorld(AbstractWorld):
    """A Python or C++ program that a team plays (``ptde.processes.ProcessEnv``).

    Its processes start when it is first played, and end with ``close`` or with the process
    that plays it.
    """

    def __init__(
        self, name: str, maker: Maker, config: ProcessConfig, copies: int, seed: int = 0
    ):
        """Starts one copy to learn the world's sizes, and ends it.

        Args:
            name: the world's name.
            maker: makes each copy.
            config: how copies are waited for.
            copies: number of copies.
            seed: the run's seed, for worlds that take one where they are made.

        Raises:
            ValueError: it cannot be started.
        """
        self.maker, self.config, self.copies, self.seed = maker, config, copies, seed
        self.first, self.total = 0, copies
        self.sizes = sizes_of(maker, config.patience)
        self.notes = self.sizes.notes
        self.spec = EnvSpec(
            name=name,
            n_agents=self.sizes.n_agents,
            obs_dim=self.sizes.obs_dim,
            state_dim=self.sizes.state_dim,
            n_actions=self.sizes.n_actions,
            time_limit=self.sizes.time_limit,
            measure=self.sizes.measure,
        )
        self._pool: Pool | None = None

    @property
    def pool(self) -> Pool:
        """The copies of the world, in processes that stay until ``close``."""
        if self._pool is None:
            self._pool = Pool(
                self.maker,
                self.sizes,
                self.copies,
                self.config.patience,
                self.config.failures,
                seed=self.seed,
                first=self.first,
            )
        return self._pool

    def share(self, index: int, parts: int) -> "ProcessWorld":
        """One of so many equal shares of this world's copies, to be played elsewhere.

        They keep their numbers, ``first`` to ``first + copies - 1`` of ``total``, by which
        seeds and keys are drawn.
        """
        part = copy(self)
        part.copies = self.copies // parts
        part.first, part._pool = index * part.copies, None
        return part

    def dealt(self, episodes: int) -> list[int]:
        """The numbers of the episodes of a test that these copies play: all of them, or
        those that fall to this share when copies take them in turns.
        """
        mine = range(self.first, self.first + self.copies)
        return [number for number in range(episodes) if number % self.total in mine]

    def recording(self, folder: Path | None) -> "ProcessWorld":
        """One copy of this world, which writes the game's own recordings into a folder, if
        one is given and the world takes it.
        """
        kwargs = json.loads(self.maker.kwargs)
        if folder is not None and self.sizes.records:
            kwargs["record"] = str(folder)
        maker = replace(self.maker, kwargs=json.dumps(kwargs))
        return ProcessWorld(self.spec.name, maker, self.config, 1, self.seed)

    def observation_names(self) -> tuple[str, ...]:
        return self.sizes.observation_names or super().observation_names()

    def action_names(self) -> tuple[str, ...]:
        return self.sizes.action_names or super().action_names()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()
        self._pool = None

    def check_copies(self, copies: int, seeds: int) -> None:
        if seeds > 1:
            raise ValueError(
                f"{self.spec.name} runs in processes of its own, one seed at a time: leave "
                "--seeds away and type --seed, or `ptde compare`, which runs one after "
                "another"
            )
        if copies > (room := room_for(self.sizes)):
            each = self.sizes.memory / 1e9
            raise ValueError(
                f"--envs {copies} needs {copies * each:.2f} GB, {each:.2f} GB a copy, and "
                f"the free memory holds {room} of them: type --envs {max(room, 1)}"
            )

    def shown(self) -> TimeStep:
        s = self.spec
        n, u = s.n_agents, s.n_actions

        def step():
            local = LocalView(
                obs=jnp.zeros((n, s.obs_dim)),
                legal=jnp.zeros((n, u), bool),
                last_action=jnp.zeros(n, jnp.int32),
                alive=jnp.zeros(n, bool),
            )
            zero, no = jnp.zeros(()), jnp.zeros((), bool)
            score = zero if self.sizes.score else None
            return TimeStep(
                local, jnp.zeros(s.state_dim), zero, zero, no, zero, score=score
            )

        return jax.eval_shape(step)
