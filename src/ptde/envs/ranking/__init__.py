"""Learning to rank: files of queries and documents, lists cut from them, and the world."""

from ptde.envs.ranking.env import MAPS, PREPARATION, SCORES, Ranking, ranking_data
from ptde.envs.ranking.letor import Queries, read_letor
from ptde.envs.ranking.lists import Lists, Preparation, RankingData, make_lists

__all__ = [
    "MAPS",
    "PREPARATION",
    "SCORES",
    "Lists",
    "Preparation",
    "Queries",
    "Ranking",
    "RankingData",
    "make_lists",
    "ranking_data",
    "read_letor",
]
