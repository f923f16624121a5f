"""The one root config, and how it becomes a world and a learner."""

import dataclasses
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import psutil
import tyro
from jaxtyping import Array, Key

from ptde.agents.actor import ActorNetwork, Critic
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import AbstractAlgorithm
from ptde.algos.companion import AbstractCompanion, InfoStudent, ValueStudent
from ptde.algos.mappo import Actor, MappoConfig, MappoLearner
from ptde.algos.value import ValueConfig, ValueLearner, ValueModel
from ptde.check import known, within
from ptde.envs.base import AbstractWorld, TimeOut
from ptde.envs.registry import WORLDS, make_env
from ptde.envs.settings import (
    FootballConfig,
    HostConfig,
    RankingConfig,
    SmaxConfig,
    StarCraftConfig,
)
from ptde.info import INFOS, AbstractInfo, InfoSizes, make_info
from ptde.jobs.checkpoint import size_of
from ptde.jobs.distill import Distillation, DistillConfig
from ptde.jobs.progress import Reading
from ptde.jobs.teach import Training
from ptde.mixers import MIXERS, MixerSizes
from ptde.ops.keys import new_key
from ptde.ops.local import Eyes
from ptde.options import Options
from ptde.rollout.loop import Schedule
from ptde.types import EnvSpec

FORMAT = 2
"""Version of what a run folder holds."""

LIMIT_OPTIONS = {
    "smax": "--time-limit",
    "football": "--football.limit",
    "host": "--host.limit",
}
"""What sets a world's time limit."""

SEGMENTS = {"value": 128, "mappo": 400}
"""Joint steps that a segment has about, by algorithm: Yu et al. give MAPPO 400."""

_FLAT = tyro.conf.OmitArgPrefixes
"""Options of a group are typed without its name: ``--lr``, not ``--value.lr``."""


@dataclass(frozen=True)
class Run(Options):
    """A team, a world, and two stages: everything that decides a run's result."""

    world: str = "smax"
    """Family of worlds; `ptde list` shows them."""
    map: str = ""
    """Map of the world; `ptde list` shows them. Where none is named: 3s_vs_5z of smax,
    letor of ranking, academy_3_vs_1_with_keeper of football. Of host: module:callable."""
    algo: Literal["value", "mappo"] = "value"
    """Who learns: ``value`` (VDN, QMIX, QPLEX), or ``mappo`` with options --mappo.*."""
    mixer: str = "qmix"
    """How agents' values become the team's: vdn, qmix, qplex. Not for mappo."""
    info: str = "gip"
    """What agents are told of the global state: none, giu, gip, csrl, copa, copa_lite,
    state."""
    eyes: Eyes = "own"
    """``all``: the teacher's network reads observations of unlimited sight (CTDS). Only for
    --algo value and --info none."""
    together: bool = False
    """The student learns beside its teacher, from the same replay, instead of in a second
    stage: with --info none --eyes all as CTDS, else on z. Only for --algo value."""
    steps: int = 2_000_000
    """Joint steps of stage 1, all copies of the world together. >= 1."""
    seed: int = 0
    """The first seed. >= 0."""
    seeds: int = 1
    """So many seeds are trained in one program, from ``seed`` on. >= 1."""
    envs: int = 8
    """Copies of the world that play at once. >= 1."""
    segment: int = 0
    """Joint steps of each copy per collection, from a reset on: at least the world's time
    limit. >= 0; 0 takes as many of the longest episodes as come nearest to 128 steps, or
    to 400 for mappo."""
    time_out: TimeOut = "bootstrap"
    """What a time limit means: ``bootstrap`` estimates what would have followed,
    ``terminal`` takes it for the task's end, as the paper's runs do."""
    hidden: int = 64
    """Width of the agents' recurrent network. Units; >= 1."""
    z_test: Literal["mean", "sample"] = "mean"
    """z of the teacher in tests: its mean, or drawn (as the paper's released code does)."""
    test_every: int = 20_000
    """Joint steps between tests in stage 1. >= 1."""
    test_episodes: int = 32
    """Episodes of each of these tests. >= 1."""
    checkpoint_every: int = 100_000
    """Joint steps between checkpoints. >= 1."""
    episodes: int = 256
    """Test episodes of the final evaluation, for each role and seed. >= 1."""
    baseline: bool = False
    """Train the same learner without information, too, and report it."""
    value: Annotated[ValueConfig, _FLAT] = field(default_factory=ValueConfig)
    infos: Annotated[InfoSizes, _FLAT] = field(default_factory=InfoSizes)
    mixers: Annotated[MixerSizes, _FLAT] = field(default_factory=MixerSizes)
    mappo: MappoConfig = field(default_factory=MappoConfig)
    smax: Annotated[SmaxConfig, _FLAT] = field(default_factory=SmaxConfig)
    football: FootballConfig = field(default_factory=FootballConfig)
    starcraft: StarCraftConfig = field(default_factory=StarCraftConfig)
    host: HostConfig = field(default_factory=HostConfig)
    ranking: Annotated[RankingConfig, _FLAT] = field(default_factory=RankingConfig)
    student: DistillConfig = field(default_factory=DistillConfig)

    def __post_init__(self):
        known("world", self.world, WORLDS)
        world = WORLDS[self.world]
        self.settle(world.defaults)
        if not self.map:
            object.__setattr__(self, "map", world.default)
        known("algo", self.algo, ("value", "mappo"))
        known("eyes", self.eyes, ("own", "all"))
        known("mixer", self.mixer, MIXERS)
        known("info", self.info, INFOS)
        known("z_test", self.z_test, ("mean", "sample"))
        known("time_out", self.time_out, ("bootstrap", "terminal"))
        within("seed", self.seed, 0, 2**31 - 1, example=0)
        within("segment", self.segment, 0, example=0)
        counts = (
            "steps seeds envs hidden test_every test_episodes checkpoint_every episodes"
        )
        for count in counts.split():
            default = type(self).__dataclass_fields__[count].default
            within(count, getattr(self, count), 1, example=default)

        if self.eyes == "all" and self.info != "none":
            raise ValueError(
                "--eyes all goes with --info none: unlimited sight takes the place of "
                "what an info module tells (CTDS is --info none --eyes all --together)"
            )
        if self.together and self.info == "none" and self.eyes == "own":
            raise ValueError(
                "--together needs a teacher that knows more than its student: type "
                "--info none --eyes all (CTDS), or --info gip"
            )
        if self.student.data == "replay" and self.algo == "mappo":
            raise ValueError(
                "--student.data replay needs a replay, and mappo keeps none: leave it away"
            )
        if self.together and self.student.data == "own":
            raise ValueError(
                "--student.data own is for students that learn after their teacher: leave "
                "--together away, or --student.data"
            )
        if self.learns_on and self.info == "none":
            raise ValueError(
                "--student.data replay is for students of z: CTDS's has none. Leave it "
                "away, or type --info gip"
            )

    @property
    def method(self) -> str:
        """The method by the paper's name, e.g. QMIX_GIP, MAPPO_GIU, QMIX_CTDS."""
        parts = [self.mixer if self.algo == "value" else "mappo"]
        if self.info != "none":
            parts.append(self.info)
        if self.eyes == "all":
            parts.append("ctds" if self.together else "all")
        elif self.together:
            parts.append("together")
        return "_".join(parts).upper()

    @property
    def place(self) -> str:
        """The map as a folder may be called."""
        return place_of(self.map)

    @property
    def seed_name(self) -> str:
        """``0`` for one seed; ``0+3`` for three, from 0 on."""
        return f"{self.seed}" if self.seeds == 1 else f"{self.seed}+{self.seeds}"

    @property
    def centralised(self) -> bool:
        """The teacher needs the global state, or unlimited sight, when it acts."""
        return self.info != "none" or self.eyes == "all"

    @property
    def distils(self) -> bool:
        """A stage 2 follows stage 1."""
        return self.info != "none" and not self.together

    @property
    def learns_on(self) -> bool:
        """The student that learnt beside its teacher learns on, on the final replay."""
        return self.together and self.student.data == "replay"

    def schedule(self, spec: EnvSpec) -> Schedule:
        """Stage 1 in iterations and periods."""
        return Schedule(self.envs, self.segment_of(spec), self.steps, self.test_every)

    def segment_of(self, spec: EnvSpec) -> int:
        """Joint steps of each copy per collection.

        Between two episodes lies one step, the restart; so k episodes of the longest take
        k (limit + 1) - 1 steps, and none is left unfinished for being long.
        """
        if self.segment:
            return self.segment
        about, longest = SEGMENTS[self.algo], spec.time_limit + 1
        episodes = max(1, round((about + 1) / longest))
        if self.algo == "value" and self.value.segment_episodes:
            episodes = self.value.segment_episodes
        return episodes * longest - 1

    def env(self) -> AbstractWorld:
        """The world. ValueError names the nearest map there is."""
        full_sight = self.smax.full_sight or self.eyes == "all"
        smax = replace(self.smax, full_sight=full_sight)
        with Reading() as progress:
            groups = {**vars(self), "smax": smax}
            # What a world does not say it reads, it does not get: see unread.py.
            names = {name.partition(".")[0] for name in WORLDS[self.world].reads}
            options = {name: groups[name] for name in (*names, "envs")}
            return make_env(self.world, self.map, {**options, "progress": progress})

    def value_model(self, spec: EnvSpec, *, key: Key[Array, ""]) -> ValueModel:
        """Untrained networks of the value learner."""
        key_network, key_info, key_mixer = jax.random.split(key, 3)
        seen = spec if self.eyes == "own" else spec.with_full_sight()
        info = make_info(self.info, seen, self.infos, key=key_info)
        network = UtilityNetwork(
            seen.local_dim, info.z_dim, spec.n_actions, self.hidden, key=key_network
        )
        mixer = MIXERS[self.mixer](spec, self.mixers, key=key_mixer)
        return ValueModel(network, info, mixer, self.eyes)

    def mappo_models(self, spec: EnvSpec, *, key: Key[Array, ""]) -> tuple[Actor, Critic]:
        """Untrained networks of MAPPO."""
        key_network, key_info, key_critic = jax.random.split(key, 3)
        info = make_info(self.info, spec, self.infos, key=key_info)
        network = ActorNetwork(
            spec.local_dim, info.z_dim, spec.n_actions, self.hidden, key=key_network
        )
        critic = Critic(spec.state_dim, spec.n_agents, self.hidden, key=key_critic)
        return Actor(network, info), critic

    def learner(self, spec: EnvSpec) -> AbstractAlgorithm:
        """The learner of stage 1."""
        if self.algo == "mappo":
            config = self.mappo.on(self.map)
            return MappoLearner(lambda key: self.mappo_models(spec, key=key), config)
        return ValueLearner(
            lambda key: self.value_model(spec, key=key),
            self.value,
            self._companion(spec),
            total=self.steps,
        )

    def _companion(self, spec: EnvSpec) -> AbstractCompanion | None:
        if not self.together:
            return None
        if self.info == "none":
            return ValueStudent(spec, self.hidden)
        z_dim, student = self._info(spec).z_dim, self.student
        return InfoStudent(lambda key: student.make(spec, z_dim, key=key), student.loss())

    def _info(self, spec: EnvSpec) -> AbstractInfo:
        """The information module in shapes."""
        make = lambda key: make_info(self.info, spec, self.infos, key=key)  # noqa: E731
        return jax.eval_shape(make, new_key(0))

    def training(self, env: AbstractWorld, name: str) -> Training:
        """Stage 1."""
        return Training(
            name=name,
            algo=self.learner(env.spec),
            env=env,
            schedule=self.schedule(env.spec),
            seed=self.seed,
            seeds=self.seeds,
            test_episodes=self.test_episodes,
            checkpoint_every=self.checkpoint_every,
            sample_z=self._info(env.spec).stochastic and self.z_test == "sample",
        )

    def check_fits(self, env: AbstractWorld) -> None:
        """ValueError with the numbers if the run does not fit into the free memory."""
        env.check_copies(self.envs, self.seeds)
        limit, segment = env.spec.time_limit, self.segment_of(env.spec)
        if limit > segment:
            flag = LIMIT_OPTIONS.get(self.world)
            raise ValueError(
                f"--segment {segment} cannot hold an episode of {env.spec.name}, which may "
                f"take {limit} joint steps: leave --segment away, or type --segment {limit}"
                + (f" or {flag} {segment}" if flag else "")
            )
        _fits(self.training(env, "teacher"), self.value.buffer)

    def distillation(self, env: AbstractWorld) -> Distillation:
        """Stage 2."""
        return Distillation(
            env=env,
            config=self.student,
            envs=self.envs,
            segment=self.segment_of(env.spec),
            seed=self.seed,
            seeds=self.seeds,
        )

    def to_json(self) -> dict[str, Any]:
        """The run as plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Run":
        """The run from ``to_json``'s data. ValueError names a field that does not fit."""
        return _build(cls, data)


def _build(cls: type, data: dict[str, Any]) -> Any:
    groups: dict[str, Any] = {f.name: f.default_factory for f in dataclasses.fields(cls)}
    for name in data:
        known(f"field of {cls.__name__}", name, groups)

    def value(name):
        group = groups[name]
        return data[name] if group is dataclasses.MISSING else _build(group, data[name])

    return cls(**{name: value(name) for name in data})


def place_of(map_name: str) -> str:
    """A map's name as that of a folder."""
    return map_name.replace(":", "-")


def load_run(folder: Path) -> tuple[Run, dict[str, Any]]:
    """The run of a run folder, and what else its ``run.json`` says.

    Raises:
        ValueError: there is no run there, or one of another version of ptde.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise ValueError(
            f"{folder} is not a run folder: it has no run.json. "
            "Type the path that `ptde run` printed, e.g. runs/smax-3m-qmix_gip-0"
        )
    data = json.loads(path.read_text())
    if data.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {data.get('format')}, this ptde reads format {FORMAT}: "
            f"use the ptde that wrote it ({data.get('ptde', 'unknown version')})"
        )
    try:
        return Run.from_json(data["run"]), data
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: {error}") from error


def _fits(training: Training, buffer: int) -> None:
    """Raises ValueError if the run's arrays do not fit into the memory that is free."""
    state = training.shapes()
    need = size_of(state)
    replay = size_of(getattr(state.learner, "replay", ()))
    # The rest: a compiled update's own arrays, and the copy that a checkpoint makes.
    free = _free_memory()
    if need + replay > free and not replay:
        raise ValueError(
            f"the run needs {need / 1e9:.2f} GB and {free / 1e9:.2f} GB are free: type a "
            "smaller --envs or --segment"
        )
    if need + replay > free:
        fitting = int(buffer * 0.8 * max(free - need + replay, 0) / (2 * replay))
        raise ValueError(
            f"a replay of --buffer {buffer} segments needs {replay / 1e9:.2f} GB, "
            f"the run {need / 1e9:.2f} GB and as much again to save it; "
            f"{free / 1e9:.2f} GB are free. Type --buffer {max(fitting, 1)} or less"
        )


def _free_memory() -> int:
    device = jax.devices()[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats:
        return stats["bytes_limit"] - stats["bytes_in_use"]
    return psutil.virtual_memory().available
