"""The root config: all options that decide a run, as data; `build.py` builds from it."""

import dataclasses
import re
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple

import tyro

from ptde import validation
from ptde.algos.finetune import FinetuneConfig
from ptde.algos.mappo import MappoConfig
from ptde.algos.registry import ALGOS, Algo
from ptde.algos.value_config import ValueConfig
from ptde.distill.config import DistillConfig
from ptde.envs.base import TimeOut
from ptde.envs.registry import WORLDS
from ptde.envs.settings import (
    FootballConfig,
    ProcessConfig,
    RankingConfig,
    SmaxConfig,
    StarCraftConfig,
)
from ptde.info import INFOS, InfoSizes
from ptde.mixers import MIXERS, MixerSizes
from ptde.ops.local import Sight
from ptde.options import In, Options
from ptde.parts import check_part, label_of

_FLAT = tyro.conf.OmitArgPrefixes
"""Mark of groups whose options are typed without its name: ``--lr``, not ``--value.lr``."""


class Stages(NamedTuple):
    """Joint steps of each stage; a collection may add less than its own to them."""

    teach: int
    distil: int
    finetune: int


@dataclass(frozen=True)
class Run(Options):
    """A team, a world, and up to three stages: everything that decides a run's result."""

    world: str = "smax"
    """Family of worlds; `ptde list` shows them."""
    map: str = ""
    """Map of the world; `ptde list` shows them. Where none is named: 3s_vs_5z of smax,
    letor of ranking, academy_3_vs_1_with_keeper of football. Of processes:
    module:callable; of jax: module:callable,option=value."""
    algo: str = "value"
    """The learner: ``value`` (VDN, QMIX, QPLEX), ``mappo`` with options --mappo.*, or
    module:callable (docs/extending.md)."""
    mixer: str = "qmix"
    """The mixer, which makes the team's value of the agents': vdn, qmix, qplex, or
    module:callable. Not for mappo."""
    info: str = "gip"
    """The information module, through which agents get the state: none, giu, gip, csrl,
    copa, copa_lite, state, or module:callable."""
    teacher_sight: Sight = "own"
    """``all``: the teacher's network reads observations of unlimited sight (CTDS). Only for
    --algo value and --info none."""
    online_distillation: bool = False
    """The student learns beside its teacher, from the same replay, instead of in a second
    stage: with --info none --teacher-sight all as in CTDS, else on z. Only for --algo
    value."""
    steps: Annotated[int, In(1)] = 2_000_000
    """Joint steps of all stages and all copies of the world together: stage 1 has what the
    shares of the others (--student.share, --finetune.share) leave. >= 1."""
    seed: Annotated[int, In(0, 2**31 - 1)] = 0
    """The first seed. >= 0."""
    seeds: Annotated[int, In(1)] = 1
    """Number of seeds that are trained in one program, from ``seed`` on. >= 1."""
    envs: Annotated[int, In(1)] = 8
    """Copies of the world that play at once. >= 1."""
    segment: Annotated[int, In(0)] = 0
    """Joint steps of each copy per collection, from a reset on: at least the world's time
    limit. >= 0; 0 takes as many of the longest episodes as come nearest to 128 steps, or
    to 400 for mappo."""
    time_out: TimeOut = "bootstrap"
    """Meaning of a time limit: ``bootstrap`` estimates the return beyond it, ``terminal``
    takes it for the task's end, as the paper's runs do, and SMAX's battles."""
    hidden: Annotated[int, In(1)] = 64
    """Width of the agents' recurrent network. Units; >= 1."""
    z_test: Literal["mean", "sample"] = "mean"
    """z of the teacher in tests: its mean, or drawn (as the paper's released code does)."""
    test_every: Annotated[int, In(1)] = 20_000
    """Joint steps between tests in stage 1. >= 1."""
    test_episodes: Annotated[int, In(1)] = 32
    """Episodes of each test in stage 1. >= 1."""
    checkpoint_every: Annotated[int, In(1)] = 100_000
    """Joint steps between checkpoints. >= 1."""
    episodes: Annotated[int, In(1)] = 256
    """Test episodes of the final evaluation, for each role and seed. >= 1."""
    baseline: bool = False
    """Also train and test the same learner without information, for comparison."""
    value: Annotated[ValueConfig, _FLAT] = field(default_factory=ValueConfig)
    info_config: Annotated[InfoSizes, _FLAT] = field(default_factory=InfoSizes)
    mixer_config: Annotated[MixerSizes, _FLAT] = field(default_factory=MixerSizes)
    mappo: MappoConfig = field(default_factory=MappoConfig)
    smax: Annotated[SmaxConfig, _FLAT] = field(default_factory=SmaxConfig)
    football: FootballConfig = field(default_factory=FootballConfig)
    starcraft: StarCraftConfig = field(default_factory=StarCraftConfig)
    processes: ProcessConfig = field(default_factory=ProcessConfig)
    ranking: Annotated[RankingConfig, _FLAT] = field(default_factory=RankingConfig)
    student: DistillConfig = field(default_factory=DistillConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)

    def __post_init__(self):
        validation.check_choice("world", self.world, WORLDS)
        world = WORLDS[self.world]
        self.settle(world.defaults)
        if not self.map:
            object.__setattr__(self, "map", world.default)
        super().__post_init__()
        check_part("algo", self.algo, ALGOS)
        check_part("mixer", self.mixer, MIXERS)
        check_part("info", self.info, INFOS)
        if self.teacher_sight == "all" and self.info != "none":
            raise ValueError(
                "--teacher-sight all goes with --info none: unlimited sight takes the "
                "place of what an info module tells (CTDS is --info none "
                "--teacher-sight all --online-distillation)"
            )
        if self.online_distillation and self.info == "none" and self.teacher_sight == "own":
            raise ValueError(
                "--online-distillation needs a teacher that knows more than its student: "
                "type --info none --teacher-sight all (CTDS), or --info gip"
            )
        if self.student.data == "replay" and not self.buffer:
            raise ValueError(
                f"--student.data replay needs a replay, and {label_of(self.algo)} keeps "
                "none: leave it away"
                + (", or teach a run with --mappo.buffer 320" if self._known else "")
            )
        if self.processes.overlap and self._known and not self._known.off_policy:
            raise ValueError(
                "--processes.overlap lets the networks from before an update play, and "
                f"--algo {self.algo} learns from its newest networks' episodes alone: type "
                "--processes.no-overlap, or --algo value"
            )
        if self.student.share + self.finetune.share >= 1:
            raise ValueError(
                f"--student.share {self.student.share} and --finetune.share "
                f"{self.finetune.share} leave nothing of --steps for the teacher: type "
                "shares that add up to less than 1"
            )
        if self.info_config.threshold and self.z_test == "sample":
            raise ValueError(
                "--threshold holds z back where it is its mean, and has no effect with "
                "--z-test sample, which --preset paper sets: type --z-test mean, or leave "
                "--threshold away"
            )
        if self.learns_on and self.info == "none":
            raise ValueError(
                "--student.data replay is for students of z: CTDS's has none. Leave it "
                "away, or type --info gip"
            )

    @property
    def method(self) -> str:
        """The method by the paper's name, e.g. QMIX_GIP, MAPPO_GIU, QMIX_CTDS."""
        mixes = self._known and self._known.mixes
        parts = [label_of(self.mixer if mixes else self.algo)]
        if self.info != "none":
            parts.append(label_of(self.info))
        if self.teacher_sight == "all":
            parts.append("ctds" if self.online_distillation else "all")
        elif self.online_distillation:
            parts.append("online")
        return "_".join(parts).upper()

    @property
    def _known(self) -> Algo | None:
        """The learner's entry; None for the user's own, which is not imported here."""
        return ALGOS.get(self.algo)

    @property
    def place(self) -> str:
        """The map's name in the form of a folder's name."""
        return place_of(self.map)

    @property
    def seed_name(self) -> str:
        """The seeds in a name: ``0`` for one seed, ``0+3`` for three from 0 on."""
        return f"{self.seed}" if self.seeds == 1 else f"{self.seed}+{self.seeds}"

    @property
    def centralised(self) -> bool:
        """Whether the teacher needs the global state, or unlimited sight, when it acts."""
        return self.info != "none" or self.teacher_sight == "all"

    @property
    def distils(self) -> bool:
        """Whether stage 2 follows stage 1."""
        online = self._known and self._known.off_policy and self.online_distillation
        return self.info != "none" and not online

    @property
    def finetunes(self) -> bool:
        """Whether stage 3 follows stage 2."""
        return self.stages.finetune > 0

    @property
    def stages(self) -> Stages:
        """The joint steps of each stage. A share of a stage that takes no joint steps, as
        there is none or its data is the replay, goes to the teacher.
        """
        if not self.distils:
            return Stages(self.steps, 0, 0)
        shared = self._share(self.student.share) if self.rolls_data else 0
        tunes = self._known and self._known.tune
        tuned = self._share(self.finetune.share) if tunes else 0
        left = max(1, self.steps - shared - tuned)
        beside = self.rolls_data and not shared and not self.student.segments
        own = self.student.data_steps if beside else shared
        return Stages(left, own, tuned or (self.finetune.steps if tunes else 0))

    @property
    def apart(self) -> "Run":
        """This run with joint steps for each stage in place of shares of --steps, so that
        one stage can be run again while the rest stay.
        """
        if not self.distils:
            return self
        teach, distil, tune = self.stages
        student = replace(self.student, share=0.0)
        student = replace(student, data_steps=distil) if distil else student
        finetune = replace(self.finetune, share=0.0, steps=tune)
        return replace(self, steps=teach, student=student, finetune=finetune)

    def _share(self, share: float) -> int:
        return max(1, round(share * self.steps)) if share else 0

    @property
    def stage_2(self) -> DistillConfig:
        """The student's options, with the data that ``auto`` stands for."""
        return replace(self.student, data=self._student_data)

    @property
    def _student_data(self) -> Literal["teacher", "replay", "own"]:
        if self.student.data != "auto":
            return self.student.data
        return "replay" if self.buffer else "own"

    @property
    def buffer(self) -> int:
        """Segments in the replay that stage 1 leaves for a student."""
        option = self._known.buffer if self._known else ""
        return attrgetter(option)(self) if option else 0

    @property
    def rolls_data(self) -> bool:
        """Whether stage 2 plays for its data, and does not take the replay of stage 1."""
        return self.distils and self._student_data != "replay"

    @property
    def learns_on(self) -> bool:
        """Whether a student that learnt beside its teacher goes on, on the last replay:
        only if that is typed.
        """
        return self.online_distillation and self.student.data == "replay"

    def to_json(self) -> dict[str, Any]:
        """The run as plain data."""
        return dataclasses.asdict(self)


_FLAT_GROUPS = {
    f.name for f in dataclasses.fields(Run) if _FLAT in getattr(f.type, "__metadata__", ())
}
"""Groups whose options are typed without the group's name (``--lr``)."""


def flag(name: str, value: Any = None) -> str:
    """An option as it is typed: ``value.lr`` with the value 0.1 is ``--lr 0.1``."""
    group, _, option = name.rpartition(".")
    prefix = "" if group in _FLAT_GROUPS or not group else f"{group}."
    typed = validation.flag(f"{prefix}no_{option}" if value is False else prefix + option)
    return typed if value is None or isinstance(value, bool) else f"{typed} {value}"


def for_role(config: Run, role: str) -> Run:
    """The config of a role: the baseline is the same learner without information."""
    if role != "baseline":
        return config
    return replace(config, info="none", teacher_sight="own", online_distillation=False)


def place_of(map_name: str) -> str:
    """A map's name as a safe name of a single folder."""
    return re.sub(r"[^\w.+-]", "-", map_name).lstrip(".") or "-"
