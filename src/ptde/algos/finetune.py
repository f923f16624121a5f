"""Stage 3: the decentralised team goes on learning, from rewards.

Imitation gives at best E[what the teacher does | what the agent knows], which never seeks
information on purpose; rewards can teach that. The mixer or critic of stage 1 still reads
the state, as in all centralised training, and is thrown away afterwards; the team itself
has a student where the information module was, and so no part that reads the state.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import equinox as eqx
import jax
from jaxtyping import Array, Key, PyTree

from ptde.agents.policy import FullPolicy
from ptde.algos.base import AbstractAlgorithm, AbstractLearner, Metrics, Teacher, Team
from ptde.distill.students import StudentInfo
from ptde.options import In, Options
from ptde.types import Rollout


@dataclass(frozen=True)
class FinetuneConfig(Options):
    """How the student goes on learning from rewards, after it was distilled."""

    group: ClassVar[str] = "finetune."

    share: Annotated[float, In(0, 0.99)] = 0.1
    """Share of --steps that this stage takes; 0 by default in SMAX's battles. In [0, 1); 0
    leaves it to ``steps``."""
    steps: Annotated[int, In(0, example=100_000)] = 0
    """Joint steps of this stage on top of --steps, where ``share`` is 0. >= 0; with both 0
    there is no such stage."""
    trains: Literal["all", "student", "network"] = "all"
    """The parts that learn: the student, the network that the teacher left, or both."""
    lr: Annotated[float, In(0, example=1e-3)] = 0.0
    """Adam's learning rate; with a value learner it falls linearly to 0. >= 0; 0 takes that
    of stage 1."""
    epsilon: Annotated[float, In(0, 1)] = 0.05
    """Probability of a random action. In [0, 1]."""
    updates: Annotated[int, In(1)] = 8
    """Updates after each collection. >= 1."""
    average: Annotated[float, In(0, 0.99999)] = 0.99
    """The --average of this stage. In [0, 1)."""
    warm_up: Annotated[float, In(0, 0.99)] = 0.2
    """Share of the collections, at the start, that only fill the replay (mappo: that only
    the critic learns from). In [0, 1)."""
    leash: Annotated[float | None, In(0, example=1.0)] = None
    """Weight of the divergence of the student's policy from its teacher's, on the episodes
    that the student plays: it holds the team to what it cannot know. >= 0; None: 0.1 for
    mappo, 0 for value."""
    tests: Annotated[int, In(1)] = 10
    """How often the team is tested. >= 1."""
    test_episodes: Annotated[int, In(0, example=64)] = 0
    """Episodes of each of these tests. >= 0; 0 takes as many as --test-episodes."""

    def parts(self, team: Teacher) -> Any:
        """The parts of a team that learn, as a tree of bools; True if all do."""
        if self.trains == "all":
            return True
        others = jax.tree.map(lambda _: True, team)
        frozen = "network" if self.trains == "student" else "info"
        return eqx.tree_at(
            lambda m: getattr(m, frozen),
            others,
            jax.tree.map(lambda _: False, getattr(team, frozen)),
        )


def proposed(steps: int) -> int:
    """Joint steps of stage 3 to try after a run of so many."""
    return max(1, steps // 4)


class Handed(eqx.Module):
    """The results of stages 1 and 2 with which stage 3 begins."""

    team: Team
    central: Any
    """Mixer or critic."""
    teacher: Teacher | None
    """The teacher for the leash, if there is one."""


@dataclass(frozen=True)
class Finetuner(AbstractAlgorithm[eqx.Module]):
    """A learner of stage 1, unchanged, at work on a decentralised team."""

    learner: AbstractLearner
    leash: float = 0.0

    def init(
        self, example: Rollout, given: Handed | None = None, *, key: Key[Array, ""]
    ) -> eqx.Module:
        assert given is not None
        handed = self.learner.adopt(given.team, given.central, given.teacher, self.leash)
        return self.learner.init(example, handed, key=key)

    def parts(self, copies: int) -> int:
        return self.learner.parts(copies)

    def in_parts(self, state: eqx.Module) -> PyTree:
        return self.learner.in_parts(state)

    def behave(self, state: eqx.Module) -> FullPolicy:
        return self.learner.behave(state)

    def update(
        self, state: eqx.Module, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[eqx.Module, Metrics]:
        return self.learner.update(state, rollout, key=key)

    def teacher(self, state: eqx.Module) -> Teacher:
        return self.learner.teacher(state)

    def team(self, state: eqx.Module) -> Team:
        acting = self.teacher(state)
        assert isinstance(acting.info, StudentInfo)
        return Team(acting.network, acting.info.student)
