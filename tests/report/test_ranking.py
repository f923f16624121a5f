import numpy as np
from tests.test_rank import letor

from ptde import build
from ptde.config import Run
from ptde.envs.settings import RankingConfig
from ptde.report.ranking import mean_ci, plain_rankers, ranking_table


def test_a_single_list_has_no_interval(tmp_path):
    assert mean_ci(np.array([0.5])) is None
    file = letor(tmp_path / "few.txt", queries=4, docs=4)
    settings = RankingConfig(data=str(file), docs=4, k=4)
    env = build.world(Run(world="ranking", ranking=settings))
    test = env.held_out()
    assert len(test.lists.labels) == 1
    plain = plain_rankers(env)
    table = ranking_table({"QMIX": plain["best single feature"][None]}, plain, test)
    (row,) = [line for line in table.splitlines() if line.startswith("| QMIX |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[5] == ""
    assert float(cells[6])  # the difference, and no interval behind it
