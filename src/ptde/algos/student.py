"""Stage 2 on the student's own episodes: it plays, the teacher labels, it learns.

A student with a memory must learn on what *it* will see (DAgger, Ross et al. 2011): from
the teacher's data it learns to rely on the teacher's past actions. So this is a learner
like those of stage 1, run by the same loop: it collects rollouts, which it keeps with the
teacher's z and h.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from ptde.agents.base import AbstractNetwork
from ptde.agents.policy import FullPolicy
from ptde.agents.team import Teacher, Team
from ptde.algos.base import AbstractAlgorithm, Metrics, ModelState
from ptde.algos.replay import Replay, lanes
from ptde.distill.objectives import AbstractObjective, Labelled, average
from ptde.info.base import AbstractStudent, Carry
from ptde.ops.devices import averaged, row_numbers
from ptde.ops.local import local_information
from ptde.ops.losses import distillation_loss
from ptde.ops.masks import valid_transitions
from ptde.ops.select import epsilon_greedy
from ptde.types import PolicyOutput, Rollout, TimeStep


class SharedPolicy(FullPolicy):
    """The first copies are played by the teacher, the others by the student.

    Both use the same network, whose hidden state follows what the agents saw and did,
    whoever chose the actions.
    """

    teacher: Teacher
    student: AbstractStudent
    teachers: Int[Array, ""]
    """Number of copies that the teacher plays."""
    epsilon: Float[Array, ""] | float

    def start(self, copies: int, n_agents: int) -> Carry:
        return self.teacher.start(copies, n_agents), self.student.start(copies, n_agents)

    def __call__(
        self, carry: Carry, step: TimeStep, *, key: Key[Array, ""]
    ) -> tuple[Carry, PolicyOutput]:
        memory, student = carry
        memory, _, info = self.teacher.step(memory, step)
        student, z = self.student.step(student, local_information(step.local))
        copies = row_numbers(len(z))[:, None, None]
        z = jnp.where(copies < self.teachers, info.z, z)
        q = self.teacher.network.values(memory.h, z)
        action = epsilon_greedy(q, step.local.legal, self.epsilon, key=key)
        return (memory, student), PolicyOutput(action)


def label(teacher: Teacher, rollout: Rollout) -> Labelled:
    """All T + 1 steps of a rollout with the teacher's z and h: a student's data.

    Those after which nobody acted do not count: of them the teacher has learnt nothing.
    """
    steps = rollout.steps
    acted = jnp.pad(valid_transitions(steps.first), ((0, 0), (0, 1)))
    local = local_information(steps.local)
    info = teacher.info.unroll(local, steps.state, steps.first, noise=None)
    return Labelled(
        local=local,
        first=steps.first,
        legal=steps.local.legal,
        counts=steps.local.alive & acted[..., None],
        z=info.mean,
        h=teacher.network.unroll(local, steps.first),
    )


class StudentState(eqx.Module):
    """Everything of a student's learner that changes, and its teacher."""

    teacher: Teacher
    """The teacher, frozen."""
    learnt: ModelState[AbstractStudent]
    store: Replay
    """All segments so far, with the teacher's z and h."""
    collections: Int[Array, ""]


@dataclass(frozen=True)
class StudentLearner(AbstractAlgorithm[StudentState]):
    """Trains a student on a growing store of its own and its teacher's episodes."""

    make_student: Callable[[Key[Array, ""]], AbstractStudent]
    objective: AbstractObjective
    envs: int
    collections: int
    """Number of collections: the store holds all, the rate falls to 0 over them."""
    warm_up: int
    """Collections at the start in which the teacher plays all copies."""
    share: float
    """Share of the copies that the teacher plays afterwards."""
    epsilon: float
    updates: int
    """Updates after each collection."""
    batch: int
    """Segments per update."""
    lr: float
    max_grad_norm: float = 10.0

    @property
    def optimiser(self) -> optax.GradientTransformation:
        """Adam, whose rate falls by a cosine to 0."""
        rate = optax.cosine_decay_schedule(self.lr, self.collections * self.updates)
        return optax.chain(optax.clip_by_global_norm(self.max_grad_norm), optax.adam(rate))

    def init(
        self, example: Rollout, given: Teacher | None = None, *, key: Key[Array, ""]
    ) -> StudentState:
        """An untrained student of the teacher that is ``given``."""
        assert given is not None
        student = self.make_student(key)
        learnt = ModelState(student, self.optimiser.init(student))
        shapes = jax.eval_shape(label, given, example)
        store = Replay.new(shapes, self.envs * self.collections, self.batch)
        return StudentState(given, learnt, store, jnp.zeros((), jnp.int32))

    def parts(self, copies: int) -> int:
        return lanes(copies, self.batch)

    def in_parts(self, state: StudentState) -> PyTree:
        return state.store.segments

    def behave(self, state: StudentState) -> SharedPolicy:
        few = jnp.asarray(round(self.share * self.envs))
        teachers = jnp.where(state.collections < self.warm_up, self.envs, few)
        return SharedPolicy(state.teacher, state.learnt.model, teachers, self.epsilon)

    def teacher(self, state: StudentState) -> Teacher:
        return state.teacher

    def team(self, state: StudentState) -> Team:
        return Team(state.teacher.network, state.learnt.model)

    def update(
        self, state: StudentState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[StudentState, Metrics]:
        new = label(state.teacher, rollout)
        network = state.teacher.network
        metrics = quality(state.learnt.model, new, self.objective, network)
        store = state.store.add(new)

        def loss(student, seen):
            z = student.unroll(seen.local, seen.first)
            return self.objective(z, seen, network)

        def one(learnt, key):
            seen = store.sample(key=key)
            value, gradient = jax.value_and_grad(loss)(learnt.model, seen)
            return learnt.step(averaged(gradient), self.optimiser), value

        keys = jax.random.split(key, self.updates)
        learnt, losses = jax.lax.scan(one, state.learnt, keys)
        count = state.collections + 1
        state = replace(state, learnt=learnt, store=store, collections=count)
        return state, {"loss": losses.mean(), **metrics}


def quality(
    student: AbstractStudent,
    seen: Labelled,
    objective: AbstractObjective,
    network: AbstractNetwork,
) -> Metrics:
    """How well a student does on segments that it has not learnt from: its loss there, and
    the share of z's variance that it explains.
    """
    z = student.unroll(seen.local, seen.first)
    distance = distillation_loss(z, seen.z, seen.counts)
    spread = distillation_loss(average(seen.z, seen.counts), seen.z, seen.counts)
    loss = objective(z, seen, network)
    return {"held_out_loss": loss, "r2": 1.0 - distance / jnp.maximum(spread, 1e-12)}
