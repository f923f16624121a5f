"""The value learner: VDN, QMIX and QPLEX with any information module (Paper Sec. 3.4).

Stage 1 of PTDE is one TD loss, Eq. 7, whose gradient flows through the mixer and every Q_i
into the recurrent network and, through z_i, into the information module. As the paper's
framework (PyMARL2) does, and unlike Eq. 8, the targets are TD(lambda) returns with double
Q-learning.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from ptde.agents.openings import OpeningBandit, Openings
from ptde.agents.policy import FullPolicy
from ptde.agents.team import Teacher, Team
from ptde.algos.base import AbstractLearner, Metrics, ModelState
from ptde.algos.leash import Leash, only
from ptde.algos.online import AbstractOnlineStudent
from ptde.algos.replay import Replay, lanes
from ptde.algos.value_config import ValueConfig
from ptde.distill.students import StudentInfo
from ptde.mixers.base import AbstractMixer
from ptde.ops.devices import averaged, total
from ptde.ops.losses import td_loss
from ptde.ops.masks import last_steps, masked_mean, valid_transitions, without_last
from ptde.ops.returns import lambda_returns
from ptde.ops.select import greedy, masked, take
from ptde.types import Info, Rollout, Utilities

ONLINE_STUDENT = 2**31 - 1
"""Number folded into the first key to draw an online student. The i-th key of a split is
``fold_in(key, i)`` (``ops/keys``): no split has so many, so nothing is drawn twice, and a
teacher begins with the same numbers whether a student is there or not."""


class ValueModel(eqx.Module):
    """All that learns: theta (network and mixer) and phi (information) of Paper Eq. 7."""

    teacher: Teacher
    mixer: AbstractMixer


class Learnables(eqx.Module):
    """The models that a gradient step changes."""

    online: ModelState[ValueModel]
    student: ModelState[Any] | None
    """The online student, if there is one."""


class ValueState(eqx.Module):
    """Everything of a value learner that changes, and the leash of stage 3."""

    learnt: Learnables
    target: ValueModel
    average: ValueModel | None
    """The running average of the online networks, if one is kept."""
    average_student: Any
    """Likewise of the online student, if there is one."""
    leash: Leash | None
    replay: Replay
    steps: Int[Array, ""]
    """Joint steps collected."""
    segments: Int[Array, ""]
    """Segments collected."""
    copied: Int[Array, ""]
    """``segments`` at the last copy of the targets."""
    tally: OpeningBandit | None
    """What openings have brought, if there are any."""


class ValueLearner(AbstractLearner[ValueState]):
    """The value learner, with any mixer and any information module."""

    def __init__(
        self,
        make_model: Callable[[Key[Array, ""]], ValueModel],
        config: ValueConfig,
        online_student: AbstractOnlineStudent | None = None,
        steps: int = 1,
        warm_up: int = 0,
        trains: Callable[[Teacher], Any] = lambda teacher: True,
    ):
        """Wires a learner.

        Args:
            make_model: the untrained networks.
            config: the hyperparameters.
            online_student: how a student learns beside it, if one does.
            steps: joint steps of the whole training: the learning rate falls over them.
            warm_up: segments that are collected before the first update.
            trains: the parts of a teacher that learn, as ``leash.only`` takes them.
        """
        self.steps = steps
        self.make_model = make_model
        self.config = config
        self.online_student = online_student
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.lr)
        )
        self.trains = trains
        self.first_update = max(config.batch, warm_up)

    def init(
        self,
        example: Rollout,
        given: tuple[ValueModel, Leash | None] | None = None,
        *,
        key: Key[Array, ""],
    ) -> ValueState:
        zero = jnp.zeros((), jnp.int32)
        model, leash = (self.make_model(key), None) if given is None else given
        student = None
        if self.online_student is not None:
            beside = self.online_student.init(key=jax.random.fold_in(key, ONLINE_STUDENT))
            student = ModelState(beside, self.optimiser.init(beside))
        n_actions = example.steps.local.legal.shape[-1]
        return ValueState(
            learnt=Learnables(ModelState(model, self.optimiser.init(model)), student),
            target=jax.tree.map(jnp.copy, model),
            average=jax.tree.map(jnp.copy, model) if self.config.average else None,
            average_student=(
                jax.tree.map(jnp.copy, student.model)
                if self.config.average and student is not None
                else None
            ),
            leash=leash,
            replay=Replay.new(example, self.config.buffer, self.config.batch),
            steps=zero,
            segments=zero,
            copied=zero,
            tally=OpeningBandit.new(n_actions) if self.config.openings else None,
        )

    def parts(self, copies: int) -> int:
        return lanes(copies, self.config.batch)

    def in_parts(self, state: ValueState) -> PyTree:
        return state.replay.segments

    def epsilon(self, steps: Int[Array, ""]) -> Float[Array, ""]:
        """Probability of a random action after ``steps`` joint steps."""
        c = self.config
        done = jnp.minimum(steps / c.epsilon_steps, 1.0)
        return c.epsilon_start + done * (c.epsilon_end - c.epsilon_start)

    def rate(self, steps: Int[Array, ""]) -> Float[Array, ""]:
        """Share of the learning rate that is left after ``steps`` joint steps."""
        return 1.0 - (1.0 - self.config.lr_end) * jnp.minimum(steps / self.steps, 1.0)

    def kept(self, collections: Int[Array, ""]) -> Float[Array, ""]:
        """Share of itself that the running average keeps: less at first, lest it hold the
        networks from before they had learnt anything.
        """
        return jnp.minimum(self.config.average, (1 + collections) / (10 + collections))

    def behave(self, state: ValueState) -> FullPolicy:
        """The epsilon-greedy policy, with z drawn, as in the paper's code, and openings."""
        c, teacher = self.config, state.learnt.online.model.teacher
        policy = teacher.policy(self.epsilon(state.steps), sample_z=True)
        if state.tally is None:
            return policy
        return Openings(policy, state.tally.best(), c.openings)

    def teacher(self, state: ValueState) -> Teacher:
        return (state.average or state.learnt.online.model).teacher

    def central(self, state: ValueState) -> AbstractMixer:
        return (state.average or state.learnt.online.model).mixer

    def adopt(
        self, team: Team, central: AbstractMixer, teacher: Teacher | None, leash: float
    ) -> tuple[ValueModel, Leash | None]:
        info = StudentInfo(team.student, team.network.z_dim)
        model = ValueModel(Teacher(team.network, info), central)
        return model, None if teacher is None else Leash(teacher, leash)

    def team(self, state: ValueState) -> Team | None:
        learns = state.learnt.student
        if self.online_student is None or learns is None:
            return None
        student = state.average_student or learns.model
        return self.online_student.team(student, self.teacher(state).network)

    def update(
        self, state: ValueState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[ValueState, Metrics]:
        copies, length = total(len(rollout.action)), rollout.action.shape[1]
        tally = None if state.tally is None else state.tally.add(rollout)
        replay = state.replay.add(replace(rollout, opening=None))
        keys = jax.random.split(key, self.config.updates)

        def one(learnt, key):
            key_sample, key_z = jax.random.split(key)
            batch = replay.sample(key=key_sample)
            rate = self.rate(state.steps)
            return self.learn(
                learnt, state.target, batch, rate, leash=state.leash, key=key_z
            )

        def learn(learnt):
            learnt, metrics = jax.lax.scan(one, learnt, keys)
            return learnt, jax.tree.map(lambda x: x[-1], metrics)

        def wait(learnt):
            shapes = jax.eval_shape(learn, learnt)[1]
            return learnt, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        segments = state.segments + copies
        begun = segments >= self.first_update
        learnt, metrics = jax.lax.cond(begun, learn, wait, state.learnt)
        due = jnp.zeros((), bool)
        if self.config.gamma > 0:  # else the targets are unused
            due = segments - state.copied >= self.config.target_period
        online = learnt.online.model
        target = jax.tree.map(lambda o, t: jnp.where(due, o, t), online, state.target)
        kept = self.kept(segments // copies)

        def followed(average: PyTree, models: ModelState | None) -> PyTree:
            if average is None or models is None:
                return None
            return jax.tree.map(lambda a, o: o + kept * (a - o), average, models.model)

        metrics["epsilon"] = self.epsilon(state.steps)
        state = replace(
            state,
            learnt=learnt,
            target=target,
            average=followed(state.average, learnt.online),
            average_student=followed(state.average_student, learnt.student),
            replay=replay,
            steps=state.steps + copies * length,
            segments=segments,
            copied=jnp.where(due, segments, state.copied),
            tally=tally,
        )
        return state, metrics

    def learn(
        self,
        learnt: Learnables,
        target: ValueModel,
        batch: Rollout,
        rate: Float[Array, ""] | float = 1.0,
        *,
        leash: Leash | None = None,
        key: Key[Array, ""],
    ) -> tuple[Learnables, Metrics]:
        """One gradient step on a batch, and one of the online student on the same batch."""
        model = learnt.online.model
        loss = jax.value_and_grad(self.loss, has_aux=True)
        (_, (metrics, q, info)), gradient = loss(model, target, batch, leash, key=key)
        gradient = averaged(gradient)
        learning = only(self.trains(model.teacher), gradient.teacher)
        gradient = replace(gradient, teacher=learning)
        metrics["grad_norm"] = optax.global_norm(gradient)
        online = learnt.online.step(gradient, self.optimiser, rate)
        student = learnt.student
        if self.online_student is not None and student is not None:
            loss = jax.value_and_grad(self.online_student.loss)
            teachers = jax.lax.stop_gradient((model.teacher.network, q, info))
            value, gradient = loss(student.model, batch, *teachers)
            metrics["student_loss"] = value
            student = student.step(averaged(gradient), self.optimiser, rate)
        return Learnables(online, student), metrics

    def loss(
        self,
        online: ValueModel,
        target: ValueModel,
        batch: Rollout,
        leash: Leash | None = None,
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], tuple[Metrics, Float[Array, "B T n u"], Info]]:
        """Paper Eq. 7 with TD(lambda) targets; what to log of it, action values and z."""
        steps, valid = batch.steps, valid_transitions(batch.steps.first)
        acted, teacher = without_last(steps), online.teacher
        key_online, key_target = jax.random.split(key)
        bootstraps = self.config.gamma > 0  # else the last step is unused
        seen = steps if bootstraps else acted
        q_seen, info = teacher.unroll(seen, noise=teacher.draw(seen, key=key_online))
        q, info = without_last((q_seen, info)) if bootstraps else (q_seen, info)
        best = jnp.max(masked(q, acted.local.legal), axis=-1)
        chosen = take(q, batch.action)
        q_tot = online.mixer(Utilities(chosen, best, batch.action), acted.state)
        returns = steps.reward[:, 1:]
        if bootstraps:
            q_next = greedy(jax.lax.stop_gradient(q_seen), steps.local.legal)[:, 1:]
            returns = self._returns(target, batch, q_next, key=key_target)
            returns = jax.lax.stop_gradient(returns)
        td_error = q_tot - returns
        loss = td_loss(td_error, valid) + teacher.info.auxiliary(batch, info)
        if leash is not None:
            loss += leash(q, batch, valid[..., None] & acted.local.alive)
        metrics = {
            "loss": loss,
            "td_error": masked_mean(jnp.abs(td_error), valid),
            "q_tot": masked_mean(q_tot, valid),
            "target": masked_mean(returns, valid),
            "reward": masked_mean(steps.reward[:, 1:], valid),
            "valid": masked_mean(valid.astype(jnp.float32), jnp.ones_like(valid)),
        }
        return loss, (metrics, q, info)

    def _returns(
        self,
        target: ValueModel,
        batch: Rollout,
        action: Int[Array, "B T n"],
        *,
        key: Key[Array, ""],
    ) -> Float[Array, "B T"]:
        """TD(lambda) returns with double Q: ``action`` is the online network's choice."""
        steps = batch.steps
        sample = target.teacher.info.stochastic and self.config.target_z == "sample"
        noise = target.teacher.draw(steps, key=key) if sample else None
        q = target.teacher.unroll(steps, noise=noise)[0][:, 1:]
        utilities = Utilities(
            chosen=take(q, action),
            greedy=jnp.max(masked(q, steps.local.legal[:, 1:]), axis=-1),
            action=action,
        )
        v = target.mixer(utilities, steps.state[:, 1:])
        # An episode's last step is a time limit or an end: nothing is traced across it.
        trace = jnp.where(last_steps(steps.first), 0.0, self.config.td_lambda)
        discount = self.config.gamma * steps.discount[:, 1:]
        return jax.vmap(lambda_returns)(steps.reward[:, 1:], discount, v, trace)
