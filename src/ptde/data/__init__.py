"""Data that a world is made of: files of queries and documents, read once and kept."""

from ptde.data.letor import Queries, read_letor
from ptde.data.lists import Lists, Preparation, RankingData, make_lists

__all__ = [
    "Lists",
    "Preparation",
    "Queries",
    "RankingData",
    "make_lists",
    "read_letor",
]
