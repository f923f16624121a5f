"""Worlds by name: what ``--world`` and ``--map`` may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ptde.check import known
from ptde.envs.base import AbstractEnv
from ptde.envs.probes import PROBES, Probe


@dataclass(frozen=True)
class World:
    """A family of maps. Backends are imported when a map is listed or made, not before."""

    default: str
    """The map that is taken where none is named."""
    maps: Callable[[], tuple[str, ...]]
    make: Callable[[str, Mapping[str, Any]], AbstractEnv]
    """From a map's name and the run's options, by group: ``options["smax"]``; and
    ``options["progress"]`` is told how far data files are read (see ``read_letor``)."""


def _smax_maps() -> tuple[str, ...]:
    from ptde.envs.smax import maps

    return maps()


def _smax(name: str, options: Mapping[str, Any]) -> AbstractEnv:
    from ptde.envs.smax import Smax

    return Smax(name, options.get("smax"))


def _ranking_maps() -> tuple[str, ...]:
    from ptde.envs.ranking import MAPS

    return MAPS


def _ranking(name: str, options: Mapping[str, Any]) -> AbstractEnv:
    from ptde.envs.ranking import Ranking, ranking_data
    from ptde.envs.settings import RankingConfig

    config = options.get("ranking") or RankingConfig()
    return Ranking(ranking_data(name, config, options.get("progress")), config)


WORLDS = {
    "smax": World("3s_vs_5z", _smax_maps, _smax),
    "ranking": World("letor", _ranking_maps, _ranking),
    "probe": World("constant", lambda: PROBES, lambda name, options: Probe(name)),
}
"""Add a world of your own here: ``WORLDS["mine"] = World(default, maps, make)``."""


def make_env(
    world: str, map_name: str, options: Mapping[str, Any] | None = None
) -> AbstractEnv:
    """The map of a world. ValueError names the nearest of what there is."""
    known("world", world, WORLDS)
    known("map", map_name, WORLDS[world].maps())
    return WORLDS[world].make(map_name, options or {})
