"""Students that learn beside their teacher, from the same replay (Paper Table 6).

Two readings of "simultaneous": CTDS as published regresses a recurrent network of local
information on all action values of a teacher of unlimited sight; the other is PTDE's own
student of z, trained while its teacher still changes.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.agents.base import AbstractNetwork
from ptde.agents.team import Team
from ptde.agents.utility import UtilityNetwork
from ptde.distill.objectives import AbstractObjective, Labelled
from ptde.distill.students import NoStudent
from ptde.info.base import AbstractStudent
from ptde.ops.local import local_information
from ptde.ops.masks import masked_mean, valid_transitions, without_last
from ptde.types import EnvSpec, Info, Rollout

S = TypeVar("S", bound=eqx.Module)


class AbstractOnlineStudent(ABC, Generic[S]):
    """How a student learns beside its teacher. This object is fixed; a module learns."""

    @abstractmethod
    def init(self, *, key: Key[Array, ""]) -> S:
        """The untrained student."""

    @abstractmethod
    def loss(
        self,
        student: S,
        batch: Rollout,
        network: AbstractNetwork,
        q: Float[Array, "B T n u"],
        info: Info,
    ) -> Float[Array, ""]:
        """The student's loss at the T acted steps. ``network``, ``q`` and ``info`` are the
        teacher's network, action values and z, constant.
        """

    @abstractmethod
    def team(self, student: S, teacher: AbstractNetwork) -> Team:
        """The decentralised team of this student."""


class OnlineValueStudent(AbstractOnlineStudent[UtilityNetwork]):
    """CTDS (Zhao et al. 2022): sum_i sum_a (Q_i^student - Q_i^teacher)^2."""

    def __init__(self, spec: EnvSpec, hidden: int):
        self.spec, self.hidden = spec, hidden

    def init(self, *, key: Key[Array, ""]) -> UtilityNetwork:
        spec = self.spec
        return UtilityNetwork(spec.local_dim, 0, spec.n_actions, self.hidden, key=key)

    def loss(
        self,
        student: UtilityNetwork,
        batch: Rollout,
        network: AbstractNetwork,
        q: Float[Array, "B T n u"],
        info: Info,
    ) -> Float[Array, ""]:
        steps = batch.steps
        local = local_information(steps.local)
        h = student.unroll(local, steps.first)
        guess = student.values(h, jnp.zeros((*h.shape[:-1], 0)))[:, :-1]
        error = jnp.sum(jnp.square(guess - q), axis=(-2, -1))
        return masked_mean(error, valid_transitions(steps.first))

    def team(self, student: UtilityNetwork, teacher: AbstractNetwork) -> Team:
        return Team(student, NoStudent())


class OnlineInfoStudent(AbstractOnlineStudent[AbstractStudent]):
    """A student of z, as PTDE's (Paper Eq. 6), but trained while its teacher learns."""

    def __init__(
        self,
        make_student: Callable[[Key[Array, ""]], AbstractStudent],
        objective: AbstractObjective,
    ):
        self.make_student, self.objective = make_student, objective

    def init(self, *, key: Key[Array, ""]) -> AbstractStudent:
        return self.make_student(key)

    def loss(
        self,
        student: AbstractStudent,
        batch: Rollout,
        network: AbstractNetwork,
        q: Float[Array, "B T n u"],
        info: Info,
    ) -> Float[Array, ""]:
        steps = without_last(batch.steps)
        local = local_information(steps.local)
        seen = Labelled(
            local=local,
            first=steps.first,
            legal=steps.local.legal,
            counts=valid_transitions(batch.steps.first)[..., None] & steps.local.alive,
            z=info.mean,
            h=network.unroll(local, steps.first),
        )
        return self.objective(student.unroll(seen.local, seen.first), seen, network)

    def team(self, student: AbstractStudent, teacher: AbstractNetwork) -> Team:
        return Team(teacher, student)
