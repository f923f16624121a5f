"""Learning to rank as a team (Paper Sec. 4.3): each document of a list is an agent.

An agent sees its document's features, the state is those of all documents, an action is a
score 0 .. 9, and the team's reward is the NDCG@k of the list sorted by score. An episode is
one step. Documents stand in a new order in every episode, so that the file's order tells
nothing.
"""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.envs.base import AbstractEnv, EnvState
from ptde.envs.ranking.letor import Progress, read_letor
from ptde.envs.ranking.lists import LIMIT, Lists, Preparation, RankingData, make_lists
from ptde.envs.ranking.synthetic import synthetic
from ptde.envs.settings import RankingConfig
from ptde.files import read_object, shell, write_whole
from ptde.ops.devices import row_numbers
from ptde.ops.keys import row_keys
from ptde.ops.ranking import drawn_ndcg, expected_ndcg
from ptde.types import EnvSpec, LocalView, TimeStep
from ptde.validation import check_choice

MAPS = ("letor", "synthetic")
SCORES = 10
"""Actions: scores 0 .. 9."""
PREPARATION = "ranking.json"
"""File in a run folder: how raw features become those that the team was trained on."""


def ranking_data(
    map_name: str, config: RankingConfig, progress: Progress | None = None
) -> RankingData:
    """The training and test lists. ValueError says what is wrong with the data."""
    check_choice("map", map_name, MAPS)
    c = config
    if map_name == "synthetic":
        for option in ("data", "features"):
            if getattr(c, option):
                raise ValueError(
                    f"--map synthetic makes its own data: leave --{option} away"
                )
        made = synthetic(c.lists or 2_000, c.docs, features=20, seed=c.data_seed)
        return make_lists("synthetic", [made], c.docs, c.lists, c.train_share, c.data_seed)
    if not c.data:
        raise ValueError(
            "--map letor needs --data with a LETOR file or folder (MSLR-WEB30K's, say); "
            "without one, --map synthetic makes data up"
        )
    parts = read_letor(c.data, c.features, progress=progress)
    name = Path(c.data).name.split(".")[0]
    return make_lists(name, parts, c.docs, c.lists, c.train_share, c.data_seed, c.missing)


class Ranking(AbstractEnv):
    """Lists to rank, drawn evenly in training; lists of one label are left out."""

    def __init__(self, data: RankingData, config: RankingConfig, test: bool = False):
        self.data = data
        self.notes = data.notes
        self.config = config
        self.test = test
        part = data.test if test else data.train
        self.lists = part.only(part.decided)
        self.features = jnp.asarray(self.lists.features)
        self.labels = jnp.asarray(self.lists.labels)
        _, n, width = self.features.shape
        self.spec = EnvSpec(
            name=f"ranking/{data.name}",
            n_agents=n,
            obs_dim=width,
            state_dim=n * width,
            n_actions=SCORES,
            time_limit=1,
            entities=tuple(tuple(range(i * width, (i + 1) * width)) for i in range(n)),
            measure=f"NDCG@{config.k}",
        )

    @classmethod
    def blank(cls, preparation: Preparation, config: RankingConfig) -> "Ranking":
        """A world of the right sizes without data, to load a trained team."""
        labels = np.arange(config.docs, dtype=np.int32)[None]
        features = np.zeros((1, config.docs, len(preparation.kept)), np.float32)
        lists = Lists(features, labels)
        return cls(RankingData("blank", lists, lists, preparation), config)

    @classmethod
    def kept(cls, folder: Path, config: RankingConfig) -> "Ranking":
        """The ``blank`` world of a run folder, from the file that ``keep`` wrote."""
        path = folder / PREPARATION
        try:
            preparation = Preparation.from_json(read_object(path))
        except ValueError as error:
            text = str(error) if str(path) in str(error) else f"{path} is damaged: {error}"
            raise ValueError(
                f"{text}. `ptde resume {shell(folder)}` writes it anew, from the run's "
                "--data"
            ) from None
        return cls.blank(preparation, config)

    def observation_names(self) -> tuple[str, ...]:
        p = self.data.preparation
        heavy = zip(p.kept, p.logarithmic, strict=True)
        return tuple(
            f"feature {i + 1}, {'log(1 + x), ' if log else ''}standardised"
            for i, log in heavy
        )

    def action_names(self) -> tuple[str, ...]:
        return tuple(f"score {i}" for i in range(SCORES))

    def held_out(self) -> "Ranking":
        return Ranking(self.data, self.config, test=True)

    def keep(self, folder: Path) -> None:
        text = json.dumps(self.data.preparation.to_json())
        write_whole(folder / PREPARATION, text)

    def for_export(self) -> dict[str, Any]:
        return {"preparation": {**self.data.preparation.to_json(), "limit": LIMIT}}

    def episodes(self, asked: int) -> int:
        return len(self.features) if self.test else asked

    def resets(self, copies: int, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        if not self.test:
            return super().resets(copies, key=key)
        keys = row_keys(key, copies)
        which = row_numbers(copies) % len(self.features)
        begin = lambda i, k: self._restartable(self._open(i, key=k))
        return jax.vmap(begin)(which, keys)

    def reset_env(self, *, key: Key[Array, ""]) -> tuple[EnvState, TimeStep]:
        key_list, key_order = jax.random.split(key)
        which = jax.random.randint(key_list, (), 0, len(self.features))
        return self._open(which, key=key_order)

    def show(self, features: Float[Array, "n o"]) -> TimeStep:
        """The first step of an episode with this list."""
        nobody = jnp.full(self.spec.n_agents, -1, jnp.int32)
        return self._show(features, nobody, jnp.zeros(()), jnp.zeros((), bool))

    def _open(
        self, which: Int[Array, ""], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep]:
        key_order, key_jitter = jax.random.split(key)
        order = jax.random.permutation(key_order, self.spec.n_agents)
        features = self.features[which][order]
        if self.config.jitter and not self.test:
            noise = jax.random.normal(key_jitter, features.shape)
            features = features + self.config.jitter * noise
        return (features, self.labels[which][order]), self.show(features)

    def step_env(
        self, state: EnvState, action: Int[Array, " n"], *, key: Key[Array, ""]
    ) -> tuple[EnvState, TimeStep, Bool[Array, ""]]:
        features, labels = state
        if self.test:
            reward = expected_ndcg(action, labels, self.config.k)
        else:
            reward = drawn_ndcg(action, labels, self.config.k, key=key)
        last = jnp.ones((), bool)
        return state, self._show(features, action, reward, last), last

    def _show(
        self,
        features: Float[Array, "n o"],
        action: Int[Array, " n"],
        reward: Float[Array, ""],
        last: Bool[Array, ""],
    ) -> TimeStep:
        n = self.spec.n_agents
        return TimeStep(
            local=LocalView(
                obs=features,
                legal=jnp.ones((n, SCORES), bool),
                last_action=action.astype(jnp.int32),
                alive=jnp.ones(n, bool),
            ),
            state=features.reshape(-1),
            reward=reward,
            discount=1.0 - last.astype(jnp.float32),
            first=~last,
            performance=jnp.where(last, reward, 0.0),
        )
