"""Learners by name, and how each is built for stage 1 and for stage 3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
from jaxtyping import Array, Key

from ptde.agents.actor import ActorNetwork, Critic
from ptde.agents.team import Teacher
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import AbstractLearner
from ptde.algos.mappo import MappoLearner
from ptde.algos.online import AbstractOnlineStudent, OnlineInfoStudent, OnlineValueStudent
from ptde.algos.value import ValueLearner, ValueModel
from ptde.info import info_shapes, make_info
from ptde.mixers import MIXERS
from ptde.options import changed
from ptde.parts import find, is_own
from ptde.types import EnvSpec
from ptde.validation import check_choice

if TYPE_CHECKING:  # a run's config names its learner, and so knows this module
    from ptde.config import Run


@dataclass(frozen=True)
class Tuning:
    """The length of stage 3, for the learner that goes on in it."""

    steps: int
    """Joint steps of the stage."""
    collections: int
    """Number of collections, each a rollout of all copies of the world."""
    warm_up: int
    """Number of collections before the team learns."""


@dataclass(frozen=True)
class Algo:
    """The parts of a named learner. A learner of the user's own has ``make`` alone."""

    make: Callable[[Run, EnvSpec], AbstractLearner]
    """``make(run, spec)`` is the learner of stage 1."""
    networks: Callable[..., Teacher] | None = None
    """``networks(run, spec, key=key)`` is the untrained team."""
    tune: Callable[[Run, Tuning], AbstractLearner] | None = None
    """``tune(run, tuning)`` is the learner of stage 3; None if it has none."""
    segment: int = 128
    """Approximate length of a segment, in joint steps."""
    leash: float = 0.0
    """Weight of the leash in stage 3 where the user gives none."""
    buffer: str = ""
    """The option for the segments in its replay, from which a student can learn."""
    off_policy: bool = False
    """Whether it learns from its replay, and so from what older networks played."""
    mixes: bool = False
    """Whether it mixes the agents' values, and is named after its ``--mixer``."""


def algo_of(name: str) -> Algo:
    """The learner of this name, or the user's own. ValueError if there is none."""
    if is_own(name):
        return Algo(find("algo", name, _MAKERS))
    check_choice("algo", name, ALGOS)
    return ALGOS[name]


def value_model(run: Run, spec: EnvSpec, *, key: Key[Array, ""]) -> ValueModel:
    """Untrained networks of the value learner."""
    key_network, key_info, key_mixer = jax.random.split(key, 3)
    seen = spec if run.teacher_sight == "own" else spec.with_full_sight()
    info = make_info(run.info, seen, run.info_config, key=key_info)
    network = UtilityNetwork(
        seen.local_dim, info.z_dim, spec.n_actions, run.hidden, key=key_network
    )
    mixer = find("mixer", run.mixer, MIXERS)(spec, run.mixer_config, key=key_mixer)
    return ValueModel(Teacher(network, info, run.teacher_sight), mixer)


def mappo_models(run: Run, spec: EnvSpec, *, key: Key[Array, ""]) -> tuple[Teacher, Critic]:
    """Untrained networks of MAPPO."""
    key_network, key_info, key_critic = jax.random.split(key, 3)
    info = make_info(run.info, spec, run.info_config, key=key_info)
    network = ActorNetwork(
        spec.local_dim, info.z_dim, spec.n_actions, run.hidden, key=key_network
    )
    critic = Critic(spec.state_dim, spec.n_agents, run.hidden, key=key_critic)
    return Teacher(network, info), critic


def _value(run: Run, spec: EnvSpec) -> ValueLearner:
    return ValueLearner(
        lambda key: value_model(run, spec, key=key),
        run.value,
        _online_student(run, spec),
        steps=run.stages.teach,
    )


def _online_student(run: Run, spec: EnvSpec) -> AbstractOnlineStudent | None:
    if not run.online_distillation:
        return None
    if run.info == "none":
        return OnlineValueStudent(spec, run.hidden)
    z_dim, student = info_shapes(run.info, spec, run.info_config).z_dim, run.student
    return OnlineInfoStudent(lambda key: student.make(spec, z_dim, key=key), student.loss())


def _mappo(run: Run, spec: EnvSpec) -> MappoLearner:
    return MappoLearner(
        lambda key: mappo_models(run, spec, key=key),
        run.mappo.on(run.map),
        buffer=run.buffer if run.distils else 0,
    )


def _tune_value(run: Run, tuning: Tuning) -> ValueLearner:
    f, warm_up = run.finetune, tuning.warm_up * run.envs
    value = changed(
        run.value,
        batch=min(run.value.batch, tuning.collections * run.envs),
        lr=f.lr or run.value.lr,
        lr_end=0.0,
        average=f.average,
        updates=f.updates,
        epsilon_start=f.epsilon,
        epsilon_end=f.epsilon,
        openings=0.0,
    )
    return ValueLearner(
        _given,
        value,
        steps=tuning.steps,
        warm_up=min(warm_up, value.buffer),
        trains=f.parts,
    )


def _tune_mappo(run: Run, tuning: Tuning) -> MappoLearner:
    f = run.finetune
    config = run.mappo.on(run.map)
    config = changed(config, lr=f.lr or config.lr)
    return MappoLearner(_given, config, tuning.warm_up, f.parts)


def _given(key: Key[Array, ""]):
    raise ValueError("a team that is fine-tuned is given, not made")


ALGOS: dict[str, Algo] = {
    "value": Algo(
        _value,
        lambda run, spec, key: value_model(run, spec, key=key).teacher,
        _tune_value,
        buffer="value.buffer",
        off_policy=True,
        mixes=True,
    ),
    "mappo": Algo(
        _mappo,
        lambda run, spec, key: mappo_models(run, spec, key=key)[0],
        _tune_mappo,
        segment=400,  # as Yu et al. have it
        buffer="mappo.buffer",
        leash=0.1,
    ),
}
"""Learners by name. One of the user's own (``module:callable``) is called as
``make(run, spec)`` and returns an ``AbstractLearner``."""

_MAKERS: Mapping[str, Callable[..., AbstractLearner]] = {
    name: algo.make for name, algo in ALGOS.items()
}
