"""A comparison of teams that rank: all of them on the same held-out lists."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ptde.envs.ranking import Ranking
from ptde.files import write_whole
from ptde.methods import METHODS
from ptde.report.ranking import ARRAYS, plain_rankers, ranking_table


def write_ranking(runs: Mapping[str, Sequence[Path]], env: Ranking, path: Path) -> str:
    """Writes NDCG@1, 3, 5, 10 of methods and plain rankers; returns the Markdown.

    Args:
        runs: by method, the folders of its finished runs.
        env: the lists that the runs were made on.
        path: the file to write.
    """
    teams = {}
    for name, folders in runs.items():
        method = METHODS[name]
        arrays = [np.load(folder / ARRAYS)[method.role] for folder in folders]
        teams[method.label] = np.concatenate(arrays)
    text = ranking_table(teams, plain_rankers(env), env.held_out())
    write_whole(path, text)
    return text
