"""Quality of rankings: NDCG@1, 3, 5, 10 of teams and plain rankers on the held-out lists.

All rankers get the same lists, so differences are paired. Intervals are bootstrap
intervals over lists; they say nothing about other training seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from ptde.agents.policy import FullPolicy
from ptde.envs.ranking import SCORES, Lists, Ranking
from ptde.files import whole, write_whole
from ptde.ops.ranking import expected_ndcg
from ptde.report.statistics import Interval, bootstrap_interval
from ptde.rollout.collect import start
from ptde.rollout.seeds import Stream, stream_key

CUTS = (1, 3, 5, 10)
"""The cutoffs k of NDCG@k."""
ARRAYS, TABLE = "ndcg.npz", "ranking.md"
"""Files in a run folder: NDCG of every role, [seeds, lists, cuts], and the table of it."""


def list_ndcg(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """NDCG of every list at every cutoff, [lists, cuts], on average over equal scores."""
    return np.asarray(_list_ndcg(scores, labels))


@jax.jit
@jax.vmap
def _list_ndcg(scores: jax.Array, labels: jax.Array) -> jax.Array:
    return jnp.stack([expected_ndcg(scores, labels, k) for k in CUTS])


def team_ndcg(env: Ranking, policies: Sequence[FullPolicy]) -> np.ndarray:
    """NDCG of the lists that teams rank, [teams, lists, cuts]; ``env`` is held out."""
    key_start, key_policy = jax.random.split(stream_key(Stream.ORDER, seed=0))

    @jax.jit
    def act(policy):
        state = start(policy, env, len(env.features), key=key_start)
        _, output = policy(state.memory, state.step, key=key_policy)
        (_, labels), _ = state.env_state
        return output.action, labels

    played = (map(np.asarray, act(policy)) for policy in policies)
    return np.stack([list_ndcg(*arrays) for arrays in played])


def plain_rankers(env: Ranking) -> dict[str, np.ndarray]:
    """NDCG of rankers other than teams, [lists, cuts] each, on ``env``'s held-out lists.

    LightGBM is among them if it is installed (``pip install 'ptde[ranking]'``).
    """
    train, test = env.lists, env.held_out().lists
    nothing = np.zeros(test.labels.shape)
    found = {"random order": list_ndcg(nothing, test.labels)}
    for name, (seen, scores) in {
        "best single feature": _best_feature(train, test),
        **_boosted(train, test),
    }.items():
        found[name] = list_ndcg(scores, test.labels)
        found[f"{name}, ten scores"] = list_ndcg(ten_scores(seen, scores), test.labels)
    return found


Scores = tuple[np.ndarray, np.ndarray]
"""A ranker's scores of the training rows, and of the test lists [L, N]."""


def _best_feature(train: Lists, test: Lists) -> Scores:
    """The feature, or the negative of one, that ranks the training lists best."""
    columns = np.moveaxis(np.concatenate([train.features, -train.features], -1), -1, 0)
    value = [list_ndcg(column, train.labels)[:, -1].mean() for column in columns]
    best = int(np.argmax(value))
    shown = np.concatenate([test.features, -test.features], -1)
    return columns[best].reshape(-1), shown[..., best]


def ten_scores(seen: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Scores as whole numbers 0 .. 9, with limits at the deciles of the ``seen`` scores."""
    edges = np.quantile(seen, np.linspace(0, 1, SCORES + 1)[1:-1])
    return np.searchsorted(edges, scores)


def _boosted(train: Lists, test: Lists) -> dict[str, Scores]:
    """LightGBM's scores, if it is installed."""
    try:
        import lightgbm
    except ImportError:
        return {}
    count, docs, width = train.features.shape
    rows, labels = train.features.reshape(-1, width), train.labels.reshape(-1)
    found = {}
    for objective in ("lambdarank", "regression"):
        data = lightgbm.Dataset(rows, labels, group=[docs] * count)
        options = {
            "objective": objective,
            "learning_rate": 0.05,
            "num_leaves": 15,
            "min_data_in_leaf": 50,
            "label_gain": [2**i - 1 for i in range(31)],
            "verbose": -1,
            "seed": 0,
            "deterministic": True,
            "num_threads": 2,
        }
        model = lightgbm.train(options, data, num_boost_round=200)
        scores = np.asarray(model.predict(test.features.reshape(-1, width)))
        seen = np.asarray(model.predict(rows))
        found[f"LightGBM {objective}"] = seen, scores.reshape(test.labels.shape)
    return found


def mean_ci(values: np.ndarray) -> Interval | None:
    """The bootstrap 95 % interval of the mean over lists; None for a single list."""
    return bootstrap_interval((values,), np.mean) if len(values) > 1 else None


def ranking_table(
    teams: Mapping[str, np.ndarray], plain: Mapping[str, np.ndarray], env: Ranking
) -> str:
    """A Markdown table with a row for each ranker.

    Args:
        teams: NDCG [seeds, lists, cuts] by name; differences are taken to the first.
        plain: NDCG [lists, cuts] by name; and to the last that is not "ten scores".
        env: the held-out lists.
    """
    decided, total = len(env.lists.labels), len(env.data.test.labels)
    lists = {**plain, **{name: values.mean(0) for name, values in teams.items()}}
    best = [name for name in plain if "ten scores" not in name][-1]
    against = [best, *list(teams)[:1]]
    columns = [
        "NDCG",
        *(f"@{k}" for k in CUTS),
        "@10, 95 % interval",
        *(f"@10 minus {name}" for name in against),
        "@10 of all lists",
        "seeds, @10",
    ]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for name, values in lists.items():
        last = values[:, -1]
        seeds = teams[name][:, :, -1].mean(1) if name in teams else ()
        cells = [
            name,
            *(f"{x:.3f}" for x in values.mean(0)),
            _interval(last, "{:.3f} - {:.3f}"),
            *("" if name == o else _difference(last - lists[o][:, -1]) for o in against),
            f"{(last.sum() + total - decided) / total:.3f}",
            ", ".join(f"{x:.3f}" for x in seeds),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *_notes(env, plain, decided, total), ""])


def _difference(values: np.ndarray) -> str:
    return f"{values.mean():+.3f}{_interval(values, ' ({:+.3f} to {:+.3f})')}"


def _interval(values: np.ndarray, form: str) -> str:
    """The interval of the mean over lists in a form of two numbers, if there is one."""
    found = mean_ci(values)
    return "" if found is None else form.format(*found)


def _notes(
    env: Ranking, plain: Mapping[str, np.ndarray], decided: int, total: int
) -> list[str]:
    """Notes below the table: the lists, the intervals and the data."""
    lines = [
        f"{env.spec.name}: {decided} held-out lists of {env.spec.n_agents} documents whose "
        f'labels differ; "all lists" are {total}, where the others count as 1. Intervals: '
        "bootstrap over lists, differences paired; a team's lists are averaged over seeds.",
    ]
    if "synthetic" in env.spec.name:
        lines.append("The data are synthetic.")
    if not any("LightGBM" in name for name in plain):
        lines.append(
            "LightGBM is not installed: pip install 'ptde[ranking]' adds its rows."
        )
    return lines


def report_ranking(
    env: Ranking, policies: Mapping[str, Sequence[FullPolicy]], folder: Path
) -> Path:
    """Writes the arrays and the table of a run, and returns the table's path.

    Args:
        env: the world of the training.
        policies: the team of each seed, by role.
        folder: the run folder.
    """
    test = env.held_out()
    teams = {role: team_ndcg(test, seeds) for role, seeds in policies.items()}
    with whole(folder / ARRAYS) as file:
        np.savez(file, **teams)  # type: ignore[arg-type]
    write_whole(folder / TABLE, ranking_table(teams, plain_rankers(env), test))
    return folder / TABLE


def compare_ranking(env: Ranking, runs: Mapping[str, Sequence[tuple[Path, str]]]) -> str:
    """The table of a comparison: all teams and plain rankers on the same held-out lists.

    Args:
        env: the world of the runs.
        runs: the folders and roles of a method's finished runs, by the method's label.
    """
    teams = {
        label: np.concatenate([np.load(folder / ARRAYS)[role] for folder, role in found])
        for label, found in runs.items()
    }
    return ranking_table(teams, plain_rankers(env), env.held_out())
