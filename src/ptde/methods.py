"""Every method of the paper's Tables 1, 2, 4, 5 and 6, and the controls, by name.

A method is a run with a few options set, and the role in it whose results count: QMIX_KD is
the student of QMIX_GIP's run, so that both are trained once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import jax

from ptde import build
from ptde.algos.registry import ALGOS
from ptde.config import Run, flag
from ptde.distill.config import DistillConfig
from ptde.info import make_info
from ptde.ops.keys import new_key
from ptde.options import flatten, put
from ptde.types import EnvSpec
from ptde.unread import PROBE, complaint, unread, without_unread
from ptde.validation import check_choice

LOCAL = "O_i history"
STATE = "O_i history, state"
"""Inputs of a team in execution, without and with the state."""


@dataclass(frozen=True)
class Method:
    """One row of a table."""

    name: str
    """The paper's name of the method."""
    about: str
    reads: str
    """Inputs of the team in execution, which decide whether it is decentralised."""
    options: Callable[[Run, EnvSpec], Run]
    """Function that sets the method's options on a run; the other options stay."""
    run: str
    """Name of the run; methods with the same name share it."""
    role: Literal["teacher", "student", "finetuned"] = "teacher"

    def role_in(self, run: Run) -> str:
        """The role in a run: what is fine-tuned is a student where there is no stage 3."""
        return "student" if self.role == "finetuned" and not run.finetunes else self.role

    @property
    def centralised(self) -> bool:
        """Whether the team needs more than local information in execution."""
        return self.reads != LOCAL

    @property
    def label(self) -> str:
        """The name with (C) or (D), for centralised or decentralised execution."""
        return f"{self.name} ({'C' if self.centralised else 'D'})"


_PLAIN: dict[str, Any] = {
    "algo": "value",
    "teacher_sight": "own",
    "online_distillation": False,
}
"""Options of a method that it does not set itself."""


def _set(whole: bool = False, **options: Any) -> Callable[[Run, EnvSpec], Run]:
    """A function that sets options and, unless ``whole``, the paper's student."""
    info_config, options = options.pop("info_config", {}), {**_PLAIN, **options}

    def change(run: Run, spec: EnvSpec) -> Run:
        info = replace(run.info_config, **info_config)
        run = replace(run, info_config=info, **options)
        return run if whole else _papers_student(run)

    return change


def _wide_qmix(run: Run, spec: EnvSpec) -> Run:
    """Plain QMIX with hidden layers so wide that it has GIP's number of parameters."""
    run = put(run, _PLAIN)
    goal = parameters(replace(run, info="gip"), spec)
    plain = replace(run, info="none")
    return _least(lambda n: replace(plain, hidden=n), goal, spec, at_least=run.hidden)


def _wide_giu(run: Run, spec: EnvSpec) -> Run:
    """GIU with an encoding so wide that it has GIP's number of parameters."""
    run = _papers_student(put(run, _PLAIN))
    goal = parameters(replace(run, info="gip"), spec)

    def wide(n: int) -> Run:
        return replace(run, info="giu", info_config=replace(run.info_config, giu_hidden=n))

    return _least(wide, goal, spec, at_least=run.info_config.z)


def _least(make: Callable[[int], Run], goal: int, spec: EnvSpec, at_least: int) -> Run:
    """The run of the smallest width with at least ``goal`` parameters."""
    low, high = at_least, 2 * at_least
    while parameters(make(high), spec) < goal:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if parameters(make(middle), spec) < goal else (low, middle)
        )
    return make(high)


def parameters(run: Run, spec: EnvSpec) -> int:
    """Number of parameters of the run's teacher: network and information module."""

    def teacher(key):
        make = ALGOS[run.algo].networks
        assert make is not None
        model = make(run, spec, key=key)
        return model.network, model.info

    return _count(jax.eval_shape(teacher, new_key(0)))


def student_parameters(run: Run, spec: EnvSpec) -> int:
    """Number of parameters of the run's decentralised team: network and student."""
    if run.teacher_sight == "all":  # CTDS: a network of its own
        return parameters(
            replace(run, info="none", teacher_sight="own", online_distillation=False), spec
        )

    def module(key):
        info = make_info(run.info, spec, run.info_config, key=key)
        return info, run.student.make(spec, info.z_dim, key=key)

    info, student = jax.eval_shape(module, new_key(0))
    whole = parameters(run, spec)
    return whole - _count(info) + _count(student)


def _count(tree: Any) -> int:
    return sum(x.size for x in jax.tree.leaves(tree))


def _papers_student(run: Run) -> Run:
    """The run with the student of Paper Sec. 3.3, if it has one, and no stage 3. The joint
    steps of its data come on top of --steps, unless a share other than the default is set.
    """
    if run.info == "none":
        return run
    student = replace(run.student, network="mlp", objective="z")
    if run.online_distillation:
        return replace(run, student=student)
    default = DistillConfig()
    share = 0.0 if student.share == default.share else student.share
    data = "teacher" if student.data == default.data else student.data
    return replace(
        run,
        student=replace(student, share=share, data=data),
        finetune=replace(run.finetune, share=0.0),
    )


def _family(learner: str, **fixed: Any) -> dict[str, Method]:
    """The methods of a learner: plain, with GIU, with GIP, and the students of GIP."""
    low = learner.lower()
    gip = _set(info="gip", **fixed)
    return {
        **_ptde(learner, **fixed),
        low: Method(learner, "no information", LOCAL, _set(info="none", **fixed), low),
        f"{low}_giu": Method(
            f"{learner}_GIU",
            "the same information for all",
            STATE,
            _set(info="giu", **fixed),
            f"{low}_giu",
        ),
        f"{low}_gip": Method(
            f"{learner}_GIP", "personal information", STATE, gip, f"{low}_gip"
        ),
        f"{low}_kd": Method(
            f"{learner}_KD",
            f"the paper's student of {learner}_GIP",
            LOCAL,
            gip,
            f"{low}_gip",
            "student",
        ),
    }


def _ptde(learner: str, **fixed: Any) -> dict[str, Method]:
    """The whole recipe within one budget: teacher, student and, unless --finetune.share is
    0, the student fine-tuned.
    z is its mean from the start: a team learns sooner with it, and a student fits no other.
    The state is encoded first, for speed: each joint step takes 0.6 of the time.
    """
    name, low = f"{learner}_PTDE", f"{learner.lower()}_ptde"
    sizes, share = {"stochastic": False, "state_encoder": 16}, "on its share of --steps"
    whole = _set(whole=True, info="gip", info_config=sizes, **fixed)
    return {
        f"{low}_teacher": Method(
            f"{name}, teacher", f"GIP on an encoded state, {share}", STATE, whole, low
        ),
        f"{low}_student": Method(
            f"{name}, student", f"distilled, {share}", LOCAL, whole, low, "student"
        ),
        low: Method(
            name,
            "taught, distilled and fine-tuned within --steps",
            LOCAL,
            whole,
            low,
            "finetuned",
        ),
    }


def _longer(run: Run, spec: EnvSpec) -> Run:
    """The fair control of Paper Table 6: the student learns on."""
    return _ONLINE(replace(run, student=replace(run.student, data="replay")), spec)


_CTDS = _set(mixer="qmix", info="none", teacher_sight="all", online_distillation=True)
_ONLINE = _set(mixer="qmix", info="gip", online_distillation=True)
_FULL_SIGHT = "O_i history, unlimited sight"

METHODS: dict[str, Method] = {
    **_family("QMIX", mixer="qmix"),
    "qplex": Method(
        "QPLEX", "no information", LOCAL, _set(mixer="qplex", info="none"), "qplex"
    ),
    **_ptde("QPLEX", mixer="qplex"),
    **_family("VDN", mixer="vdn"),
    **_family("MAPPO", algo="mappo"),
    "mappo_csrl": Method(
        "MAPPO_CSRL",
        "GIP without its distribution",
        STATE,
        _set(algo="mappo", info="csrl"),
        "mappo_csrl",
    ),
    "csrl": Method(
        "CSRL", "GIP without its distribution", STATE, _set(info="csrl"), "csrl"
    ),
    "csrl_4": Method(
        "CSRL (T = 4)",
        "the same, the state sent every 4 steps",
        "O_i history, state every 4 steps",
        _set(info="csrl", info_config={"refresh": 4}),
        "csrl_4",
    ),
    "copa": Method(
        "COPA", "a coach with attention, T = 1", STATE, _set(info="copa"), "copa"
    ),
    "copa_4": Method(
        "COPA (T = 4)",
        "the same, a strategy every 4 steps",
        "O_i history, z every 4 steps",
        _set(info="copa", info_config={"refresh": 4}),
        "copa_4",
    ),
    "copa_lite": Method(
        "COPA (lite)",
        "what the paper's authors ran as COPA",
        STATE,
        _set(info="copa_lite"),
        "copa_lite",
    ),
    "ctds_teacher": Method(
        "CTDS, teacher", "unlimited sight, student beside it", _FULL_SIGHT, _CTDS, "ctds"
    ),
    "ctds": Method(
        "CTDS", "its student, on action values", LOCAL, _CTDS, "ctds", "student"
    ),
    "online_teacher": Method(
        "QMIX_GIP, student beside it", "simultaneous PTDE", STATE, _ONLINE, "online"
    ),
    "online": Method(
        "QMIX_KD, simultaneous",
        "its student, on z",
        LOCAL,
        _ONLINE,
        "online",
        "student",
    ),
    "online_longer": Method(
        "QMIX_KD, simultaneous, then longer",
        "it learns on, on the final replay, to as many gradient steps as QMIX_KD",
        LOCAL,
        _longer,
        "online_longer",
        "student",
    ),
    "qmix_wide": Method(
        "QMIX, wide", "control: GIP's number of parameters", LOCAL, _wide_qmix, "qmix_wide"
    ),
    "giu_wide": Method(
        "QMIX_GIU, wide", "control: the same for GIU", STATE, _wide_giu, "giu_wide"
    ),
    "gip_mean": Method(
        "QMIX_GIP, z = mean",
        "control: nothing is drawn",
        STATE,
        _set(info="gip", info_config={"stochastic": False}),
        "gip_mean",
    ),
    "raw_state": Method(
        "QMIX, raw state", "control: z is the state", STATE, _set(info="state"), "raw_state"
    ),
}
"""The methods by the name that `ptde run --method` and a comparison take."""


def run_of(name: str, base: Run | None = None) -> Run:
    """The run of a method. ValueError names the nearest method that there is."""
    check_choice("method", name, METHODS)
    base = base or Run()
    return METHODS[name].options(base, build.world(base).spec)


def unused(
    name: str, base: Run, start: Run, given: frozenset[str] = frozenset()
) -> dict[str, Callable[[], str]]:
    """The options of ``base`` that have no effect in a method's run.

    Args:
        name: the method's name.
        base: the run on which it sets its options.
        start: the run before any option was typed.
        given: the options that were typed, even at the values of ``start``.

    Returns:
        By dotted name, a function that says why and what to type: the run does not read the
        option, or the method sets it whatever was typed.
    """
    run = without_unread(on_probe(name, base), start)
    found: dict[str, Callable[[], str]] = {
        option: partial(complaint, run, option) for option in unread(run, given)
    }
    mine, before, after = map(flatten, (base, start, run))
    for option, value in mine.items():
        as_before = value == before[option] and option not in given
        if option in found or as_before or value == after[option]:
            continue
        untyped = on_probe(name, put(base, {option: before[option]}))
        if without_unread(untyped, start) == run:
            typed, instead = flag(option, value), flag(option, after[option])
            found[option] = partial(_overruled, name, typed, instead)
    return found


def on_probe(name: str, base: Run) -> Run:
    """A method's run with the widths of a probe world: no world is made for it."""
    check_choice("method", name, METHODS)
    return METHODS[name].options(base, PROBE.spec)


def _overruled(method: str, typed: str, instead: str) -> str:
    return f"{typed} has no effect, because {method} sets {instead}: leave {typed} away"
