"""A comparison of teams that rank: all of them on the same held-out lists."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ptde.envs.ranking import Ranking
from ptde.methods import METHODS
from ptde.report.ranking import ARRAYS, plain_rankers, ranking_table


def write_ranking(runs: Mapping[str, Path], env: Ranking, path: Path) -> str:
    """Writes NDCG@1, 3, 5, 10 of methods and plain rankers; returns the Markdown.

    Args:
        runs: by method, the folder of its finished run.
        env: the lists that the runs were made on.
        path: the file to write.
    """
    teams = {}
    for name, folder in runs.items():
        method = METHODS[name]
        with np.load(folder / ARRAYS) as arrays:
            mark = "C" if method.centralised else "D"
            teams[f"{method.name} ({mark})"] = arrays[method.role]
    text = ranking_table(teams, plain_rankers(env), env.held_out())
    path.write_text(text)
    return text
