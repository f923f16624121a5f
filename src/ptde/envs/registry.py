"""Worlds by name: the values of ``--world`` and ``--map``."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple

from ptde.envs.base import AbstractWorld
from ptde.envs.probes import PROBES, Probe
from ptde.envs.settings import FootballConfig, ProcessConfig, StarCraftConfig
from ptde.parts import target_of
from ptde.trust import check_target
from ptde.validation import check_choice


class MapSizes(NamedTuple):
    """The sizes of a map that `ptde list` shows."""

    time_limit: int
    """The longest episode, in joint steps of the world."""
    agents: int
    actions: int
    observation: int
    state: int


@dataclass(frozen=True)
class World:
    """A family of maps. Backends are imported when a map is listed or made, not before."""

    default: str
    """The map that is taken where none is named."""
    maps: Callable[[], tuple[str, ...]]
    make: Callable[[str, Mapping[str, Any]], AbstractWorld]
    """``make(name, options)`` is the world on a map, from the options that it ``reads``
    (``options["smax"]``) and, besides, the number of copies (``envs``), the meaning of time
    limits (``time_out``), and a function to call as data files are read (``progress``; see
    ``read_letor``)."""
    open: str = ""
    """The form of further map names that ``maps`` does not list, ``module:callable`` with
    options or without; "" if there are none."""
    reads: tuple[str, ...] = ("time_out",)
    """The options that the world reads, whole groups (``smax``) or one by one
    (``processes.limit``): ``make`` gets no others, and typing another is an error."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Defaults of a run in this world that differ from the plain ones (``value.lr``)."""
    sizes: Callable[[str], MapSizes | None] = lambda name: None
    """A map's sizes, if they are known before a game or a file is opened."""
    refused: Callable[[str], str | None] = lambda name: None
    """Why an existing map cannot be played by a team, and what to type instead; None for
    all others."""

    def check_map(self, name: str) -> None:
        """Raises ValueError, with the nearest map or the reason, if it cannot be played."""
        if (why := self.refused(name)) is not None:
            raise ValueError(why)
        if self.open and ":" in name:
            check_target(target_of(name) if "," in self.open else name)
        else:
            check_choice("map", name, (*self.maps(), *filter(None, [self.open])))


def _smax_maps() -> tuple[str, ...]:
    from ptde.envs.smax import maps

    return maps()


def _smax(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.smax import Smax

    return Smax(name, options.get("smax"))


def _smax_sizes(name: str) -> MapSizes:
    s = _smax(name, {}).spec
    return MapSizes(s.time_limit, s.n_agents, s.n_actions, s.obs_dim, s.state_dim)


def _jaxmarl_maps() -> tuple[str, ...]:
    from ptde.envs.jaxmarl import MAPS

    return tuple(MAPS)


def _jaxmarl(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.jaxmarl import JaxMarl

    return JaxMarl(name)


def _jaxmarl_sizes(name: str) -> MapSizes:
    from ptde.envs.jaxmarl import MAPS

    return MapSizes(*MAPS[name].sizes)


def _jaxmarl_refused(name: str) -> str | None:
    from ptde.envs.jaxmarl import refusal

    return refusal(name)


def _ranking_maps() -> tuple[str, ...]:
    from ptde.envs.ranking import MAPS

    return MAPS


def _ranking(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.ranking import Ranking, ranking_data
    from ptde.envs.settings import RankingConfig

    config = options.get("ranking") or RankingConfig()
    return Ranking(ranking_data(name, config, options.get("progress")), config)


def _football_maps() -> tuple[str, ...]:
    from ptde.processes.games.football import SCENARIOS

    return tuple(SCENARIOS)


def _football(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.process import ProcessWorld
    from ptde.processes.games.doctor import need
    from ptde.processes.pool import Maker

    need("football")
    config = options.get("football") or FootballConfig()
    kwargs = {"scenario": name, "control": config.control, "rewards": config.rewards}
    maker = replace(
        Maker.of("ptde.processes.games.football:Football", **kwargs),
        time_limit=config.limit,
    )
    return ProcessWorld(f"football/{name}", maker, *_process_options(options))


def _football_sizes(name: str) -> MapSizes:
    from ptde.processes.games.football import ACTIONS, SCENARIOS, sizes

    return MapSizes(FootballConfig().limit, SCENARIOS[name], ACTIONS, *sizes(name))


def _starcraft_maps() -> tuple[str, ...]:
    from ptde.processes.games.starcraft import maps

    return maps()


def _starcraft(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.process import ProcessWorld
    from ptde.processes.games.starcraft import ENVIRON, require
    from ptde.processes.pool import Maker

    require(name)
    config = options.get("starcraft") or StarCraftConfig()
    on = options.get("time_out", ProcessWorld.time_out) == "bootstrap"
    kwargs = {"map_name": name, "continuing_episode": on, **asdict(config)}
    maker = replace(
        Maker.of("ptde.processes.games.starcraft:StarCraft", **kwargs), environ=ENVIRON
    )
    return ProcessWorld(f"starcraft/{name}", maker, *_process_options(options))


def _starcraft_sizes(name: str) -> MapSizes | None:
    from ptde.processes.games.starcraft import SIZES

    return MapSizes(*SIZES[name]) if name in SIZES else None


def _processes(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.process import ProcessWorld
    from ptde.processes.pool import Maker

    config, *others = _process_options(options)
    maker = Maker(name, config.kwargs or "{}", config.limit)
    return ProcessWorld(f"processes/{name}", maker, config, *others)


def _jax(name: str, options: Mapping[str, Any]) -> AbstractWorld:
    from ptde.envs.own import own_env

    return own_env(name)


def _process_options(options: Mapping[str, Any]) -> tuple[ProcessConfig, int, int]:
    """How copies are waited for, how many there are, and the run's seed."""
    config = options.get("processes") or ProcessConfig()
    return config, options.get("envs", 1), options.get("seed", 0)


_PROCESSES = (
    "seed",
    "time_out",
    "processes.patience",
    "processes.failures",
    "processes.quorum",
    "processes.overlap",
)

WORLDS = {
    "smax": World(
        "3s_vs_5z",
        _smax_maps,
        _smax,
        reads=("smax", "time_out"),
        # Openings teach to flee; what fleeing defers must not count as going on for ever.
        # Agents see enough of a battle that stage 3 is worth less than a longer stage 1.
        defaults={"time_out": "terminal", "value.openings": 0.25, "finetune.share": 0.0},
        sizes=_smax_sizes,
    ),
    "jaxmarl": World(
        "MPE_simple_spread_v3",
        _jaxmarl_maps,
        _jaxmarl,
        sizes=_jaxmarl_sizes,
        refused=_jaxmarl_refused,
    ),
    "ranking": World(
        "letor",
        _ranking_maps,
        _ranking,
        reads=("ranking",),
        defaults={
            "steps": 1_000_000,
            "envs": 256,
            "segment": 1,
            "test_every": 50_000,
            "checkpoint_every": 500_000,
            "value.gamma": 0.0,
            "value.lr": 3e-3,
            "value.lr_end": 0.0,
            "value.average": 0.998,
            "value.buffer": 2_048,
            "value.batch": 512,
            "value.updates": 1,
            "value.epsilon_end": 0.1,
            "mappo.epochs": 3,
            "student.network": "mlp",
            "ranking.jitter": 0.5,
        },
    ),
    "football": World(
        "academy_3_vs_1_with_keeper",
        _football_maps,
        _football,
        reads=("football", *_PROCESSES),
        defaults={
            "steps": 200_000,
            "value.lr": 2e-3,
            "value.batch": 32,
            "value.updates": 16,
        },
        sizes=_football_sizes,
    ),
    "starcraft": World(
        "3s_vs_5z",
        _starcraft_maps,
        _starcraft,
        reads=("starcraft", *_PROCESSES),
        sizes=_starcraft_sizes,
    ),
    "processes": World(
        "",
        lambda: (),
        _processes,
        open="module:callable",
        reads=("processes", "seed", "time_out"),
    ),
    "jax": World("", lambda: (), _jax, open="module:callable,option=value"),
    "probe": World("constant", lambda: PROBES, lambda name, options: Probe(name), reads=()),
}
"""A world of your own needs no entry: ``processes`` and ``jax`` take any. An entry gives it
a name: ``WORLDS["mine"] = World(default, maps, make)``."""


def make_env(
    world: str, map_name: str, options: Mapping[str, Any] | None = None
) -> AbstractWorld:
    """The world on a map. ValueError names the nearest world or map that there is."""
    check_choice("world", world, WORLDS)
    WORLDS[world].check_map(map_name)
    env = WORLDS[world].make(map_name, options or {})
    time_out = (options or {}).get("time_out", env.time_out)
    object.__setattr__(env, "time_out", time_out)  # a frozen dataclass is a world, too
    return env
