"""Recordings of held-out lists as teams rank them."""

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from ptde.agents.watch import values_of, watched
from ptde.envs.ranking import Ranking
from ptde.evaluation import team_policy
from ptde.page.scenes import Scenes, shown_values, start_of_side
from ptde.report.ranking import CUTS, list_ndcg
from ptde.rollout.collect import start
from ptde.rollout.seeds import Stream, stream_key
from ptde.strategy import Side

LISTS = 4
"""Lists that are shown for each battle that was asked for."""


def record_lists(env: Ranking, sides: Sequence[Side], battles: int) -> Iterator[Scenes]:
    """Records the rankings of all teams, of the same lists in the same order."""
    test = env.held_out()
    ranked = [_ranked(test, side) for side in sides]
    labels = ranked[0][0]
    count = min(len(labels), LISTS * battles)
    for at in np.linspace(0, len(labels) - 1, count).round().astype(int).tolist():
        yield {
            "kind": "ranking",
            "title": f"list {at + 1} of {len(labels)}",
            "actions": [f"score {u}" for u in range(test.spec.n_actions)],
            "labels": labels[at].tolist(),
            "sides": [
                {
                    **start_of_side(side),
                    "end": f"NDCG@{CUTS[-1]} {ndcg[at, -1]:.3f}",
                    "steps": 1,
                    "scores": scores[at].tolist(),
                    **shown_values(jax.tree.map(lambda x, at=at: x[at, None], valued)),
                }
                for side, (_, scores, ndcg, valued) in zip(sides, ranked, strict=True)
            ],
        }


def _ranked(env: Ranking, side: Side):
    """Labels and scores [lists, docs], NDCG [lists, cuts], values [lists, docs, u]."""
    policy = watched(
        team_policy(side.folder, env, side.role, side.seed), env.spec.n_actions
    )
    key_start, key_policy = jax.random.split(stream_key(Stream.ORDER, seed=0))

    @jax.jit
    def act(policy):
        state = start(policy, env, len(env.features), key=key_start)
        memory, output = policy(state.memory, state.step, key=key_policy)
        return state.env_state[0][1], output.action, values_of(policy, memory)

    labels, scores, valued = jax.tree.map(np.asarray, act(policy))
    return labels, scores, list_ndcg(scores, labels), valued
