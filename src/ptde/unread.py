"""The options that a run reads, and what to type instead of one that it does not read.

They are not listed by hand: a copy of the run, which notes the options that are read, makes
a learner, which goes through an update, in shapes alone. A world lists what it reads itself
(``World.reads``), and is given nothing else.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from functools import cache, lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from ptde import build, validation
from ptde.algos.base import AbstractAlgorithm, Team
from ptde.algos.finetune import FinetuneConfig, Handed
from ptde.algos.registry import ALGOS
from ptde.config import Run, flag, for_role
from ptde.distill.config import DistillConfig
from ptde.distill.students import STUDENTS
from ptde.envs.probes import Probe
from ptde.envs.registry import WORLDS
from ptde.info import INFOS
from ptde.mixers import MIXERS
from ptde.ops.keys import new_key
from ptde.options import Options, T, flatten, put
from ptde.rollout.collect import rollout_shapes

PROBE = Probe("personal")
"""The world on which options are tried, as those that are read do not depend on sizes."""

_ALWAYS = {"world", "map", "algo", "info", "steps", "seed", "seeds", "envs", "segment"}
_ALWAYS |= {"test_every", "test_episodes", "checkpoint_every", "episodes", "baseline"}
"""Options that every run reads, whatever its learner and world; ``baseline``, if the run's
team uses information."""

_CHOICES: dict[str, Iterable[Any]] = {
    "online_distillation": (False, True),
    "algo": ALGOS,
    "mixer": MIXERS,
    "info": INFOS,
    "teacher_sight": ("own", "all"),
    "segment": (0,),
    "student.data": ("own", "teacher", "replay"),
    "student.network": STUDENTS,
    "student.share": (0.0, 0.1),
    "finetune.share": (0.0, 0.1),
}
"""Options that decide which others are read, and their values."""

_STAGES = {"student", "finetune"}
"""Groups of later stages, whose options take no place of another group's."""


def typed(words: Iterable[str]) -> frozenset[str]:
    """The options among the words of a command, at their defaults or not."""
    flags = {validation.flag(w[2:].partition("=")[0]) for w in words if w[:2] == "--"}
    return frozenset(n for n in flatten(Run()) if flags & {flag(n), flag(n, False)})


def reads(run: Run) -> frozenset[str]:
    """The options that the run reads, by dotted name (``value.lr``)."""
    return _read_by_learner(run) | _read_by_world(run.world) | _always(run)


def is_read(run: Run, name: str) -> bool:
    """Whether the run reads an option; its learner is traced only for learners' options."""
    if name in _ALWAYS:
        return name in _always(run)
    if name in _read_by_world(run.world):
        return True
    return name not in _of_worlds() and name in _read_by_learner(run)


def _always(run: Run) -> frozenset[str]:
    """``_ALWAYS``, without a baseline that would be the run's own team once more."""
    same = for_role(run, "baseline") == run
    return frozenset(_ALWAYS - {"baseline"} if same else _ALWAYS)


def unread(run: Run, given: frozenset[str] = frozenset()) -> list[str]:
    """The options that the run does not read, and that were given, or are not at their
    defaults.
    """
    plain = flatten(Run(world=run.world))
    there = [n for n, value in flatten(run).items() if value != plain[n] or n in given]
    return [name for name in there if not is_read(run, name)]


def check_read(
    run: Run, start: Run | None = None, given: frozenset[str] = frozenset()
) -> None:
    """Raises ValueError, with what to type, for options that the run does not read; with
    ``start``, for those that differ from it or were given.
    """
    mine, before = flatten(run), flatten(start) if start else {}
    own = lambda n: n in given or n not in before or mine[n] != before[n]
    names = [n for n in unread(run, given) if own(n)]
    if names:
        raise ValueError("\n".join(complaint(run, name) for name in names))


def without_unread(run: Run, start: Run) -> Run:
    """The run without the options that it does not read and that come from ``start``."""
    mine, before, plain = map(flatten, (run, start, Run(world=run.world)))
    return put(run, {n: plain[n] for n in unread(run) if mine[n] == before[n]})


def complaint(run: Run, name: str) -> str:
    """Why an option is not read, and what to type."""
    values = flatten(run)
    option = flag(name, False if values[name] is False else None)
    way = _depends_on(run, name)
    if way is None:
        return f"{option} is not read by this run: leave it away"
    (by, others), group = way, name.split(".")[0]
    here = sorted(reads(run).difference(*others.values()))
    namesakes = [n for n in here if n.split(".")[-1] == name.split(".")[-1]]
    namesakes = [n for n in namesakes if not {n.split(".")[0], group} & _STAGES]
    instead = " | ".join([flag(by, next(iter(others))), *map(str, [*others][1:])])
    if namesakes:
        instead = flag(namesakes[0])
    now = flag(by, values[by])
    return f"{option} is not read with {now}: type {instead}, or leave {option} away"


def _depends_on(run: Run, name: str) -> tuple[str, dict[Any, frozenset[str]]] | None:
    """An option, and its values with which this one would be read: with what else is."""
    if worlds := {w: r for w in WORLDS if name in (r := _read_by_world(w))}:
        return "world", worlds
    for by, values, base in _changes(run, name):
        found = {}
        for value in values:
            with suppress(
                Exception
            ):  # of options that do not go together, of one's own part
                found[value] = reads(put(base, {by: value}))
        if found := {value: read for value, read in found.items() if name in read}:
            return by, found
    return None


def _changes(run: Run, name: str) -> Iterator[tuple[str, list[Any], Run]]:
    """Options on which this one may depend, other values of theirs, and a run to try."""
    mine, plain = flatten(run), flatten(Run())
    group = name.rpartition(".")[0]
    for n in sorted(reads(run), key=lambda n: n in _CHOICES):
        if group and n.rpartition(".")[0] == group and mine[n] != plain[n]:
            yield n, [plain[n]], run
    others = lambda n: [value for value in _CHOICES[n] if value != mine[n]]
    bare = put(Run(world=run.world), {n: mine[n] for n in _CHOICES})
    near = group if run.distils else None  # without a stage 2, that is the reason
    for n in sorted(_CHOICES, key=lambda n: n.rpartition(".")[0] != near):
        if n != name:
            yield n, others(n), bare
    if near == "student":  # data_steps: with other data, and no share besides
        yield "student.data", others("student.data"), put(bare, {"student.share": 0.0})


def _of_worlds() -> set[str]:
    return set().union(*map(_read_by_world, WORLDS))


def _read_by_world(name: str) -> frozenset[str]:
    return _expand(frozenset(WORLDS[name].reads))


@lru_cache(maxsize=256)
def _read_by_learner(run: Run) -> frozenset[str]:
    """The options that the run's learner reads, which are the same in all worlds."""
    elsewhere = _of_worlds() | _ALWAYS - _CHOICES.keys()
    learns = {n: value for n, value in flatten(run).items() if n not in elsewhere}
    return _read_by_program(put(Run(world="probe"), learns))


@lru_cache(maxsize=256)
def _read_by_program(run: Run) -> frozenset[str]:
    notes: set[str] = set()
    algo = build.training(_noting(run, notes), PROBE, "teacher").algo

    jax.eval_shape(partial(_learn, algo), new_key(0))
    if run.distils or run.learns_on:
        notes |= {f"student.{name}" for name in _read_by_stage_2(run.stage_2)}
    if run.finetunes:
        notes |= _read_by_stage_3(run.algo, run.finetune)
    return frozenset(notes & flatten(run).keys())


def _learn(algo: AbstractAlgorithm, key: Key[Array, ""], given: Any = None) -> Any:
    """Calls everything that an algorithm does with a rollout."""
    shapes = rollout_shapes(PROBE, copies=1, length=2)
    batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    state = algo.init(batch, given, key=key)
    algo.behave(state)
    state, _ = algo.update(state, batch, key=key)
    return algo.teacher(state), algo.team(state)


@lru_cache
def _read_by_stage_3(algo: Any, finetune: FinetuneConfig) -> set[str]:
    notes: set[str] = set()
    run = Run(world="probe", algo=algo, info="csrl", finetune=finetune)
    first, second = build.training(run, PROBE, "teacher"), build.distillation(run, PROBE)
    third = build.finetuning(_noting(run, notes), PROBE, None)

    def tune(key):
        teacher, _, central = first.taught(first.start().learner)
        team = Team(teacher.network, second.start(teacher).student)
        handed = Handed(team, central, teacher if build.leash(run) else None)
        return _learn(third.algo, key, jax.tree.map(lambda x: x[0], handed))

    jax.eval_shape(tune, new_key(0))
    return {name for name in notes if name.startswith("finetune.")}


@lru_cache
def _read_by_stage_2(student: DistillConfig) -> frozenset[str]:
    notes: set[str] = set()
    run = Run(world="probe", info="csrl", student=student)
    training = build.training(run, PROBE, "teacher")
    task = replace(build.distillation(run, PROBE), config=_noting(student, notes))

    def distil():
        teacher = training.algo.teacher(training.start().learner)
        shapes = rollout_shapes(PROBE, task.envs, task.segment)
        batch = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
        if student.data == "own":
            own = task.own(teacher, checkpoint_every=1)
            one = jax.tree.map(lambda x: x[0], own.start().learner)
            return own.algo.update(one, batch, key=new_key(0))
        replay = jax.tree.map(lambda x: x[None], batch)
        data = task.data(teacher, None if student.data == "teacher" else replay)
        assert task.ends
        all_seeds = (task.start(teacher), data, teacher.network)
        fit, data, network = jax.tree.map(lambda x: x[0], all_seeds)
        return task.learn(fit, data, network, 1), task.held_out(fit, data, network)

    jax.eval_shape(distil)
    return frozenset(notes | {"data", "tests", "test_episodes"})


@cache
def _expand(names: frozenset[str]) -> frozenset[str]:
    """The options with these names, or in groups with these names."""
    return frozenset(n for n in flatten(Run()) if {n, n.partition(".")[0]} & names)


def _noting(options: T, notes: set[str], prefix: str = "") -> T:
    """A copy of the options that notes which of them are read."""
    names = {f.name for f in fields(options)}  # type: ignore[arg-type]

    def read(self, name):
        if name in names:
            notes.add(prefix + name)
        return object.__getattribute__(self, name)

    kind = type(options)
    noting = type(kind.__name__, (kind,), {"__getattribute__": read})
    twin: T = object.__new__(noting)
    for name, value in vars(options).items():
        inner = isinstance(value, Options)
        value = _noting(value, notes, f"{name}.") if inner else value
        object.__setattr__(twin, name, value)
    return twin
