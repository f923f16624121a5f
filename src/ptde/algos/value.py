"""The value learner: VDN, QMIX and QPLEX with any information module (Paper Sec. 3.4).

Stage 1 of PTDE is one TD loss, Eq. 7, whose gradient flows through the mixer and every Q_i
into the recurrent network and, through z_i, into the information module. As the paper's
framework (PyMARL2) does, and other than Eq. 8, the targets are TD(lambda) returns with
double Q-learning.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import equinox as eqx
import flashbax
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key

from ptde.agents.policy import TeacherPolicy
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import AbstractAlgorithm, Metrics, Teacher, Team
from ptde.algos.companion import AbstractCompanion
from ptde.check import known, within
from ptde.info.base import AbstractInfo
from ptde.mixers.base import AbstractMixer
from ptde.ops.local import Eyes, information
from ptde.ops.losses import td_loss
from ptde.ops.masks import last_steps, masked_mean, valid_transitions, without_last
from ptde.ops.returns import lambda_returns
from ptde.ops.select import greedy, masked, take
from ptde.options import Options
from ptde.types import Info, Rollout, Utilities

COMPANION = 2**31 - 1
"""Folded into the first key for a student beside its teacher. The i-th key of a split is
``fold_in(key, i)`` (``ops/keys``): no split has so many, so nothing is drawn twice, and a
teacher begins with the same numbers whether a student is there or not."""


@dataclass(frozen=True)
class ValueConfig(Options):
    """How the value learner learns."""

    gamma: float = 0.99
    """Discount per joint step. In [0, 1]; 0, for one-step episodes, needs no targets."""
    td_lambda: float = 0.8
    """Trace decay of the TD(lambda) targets: 0 one-step, 1 Monte Carlo. In [0, 1]."""
    lr: float = 2e-3
    """Adam's learning rate. > 0."""
    lr_end: float = 1.0
    """Share of the learning rate that is left at the end of the run, falling linearly.
    In [0, 1]."""
    average: float = 0.0
    """Tests and stage 2 take the running average of the networks, which keeps this share of
    itself at each collection; 0 takes the newest networks. In [0, 1)."""
    max_grad_norm: float = 10.0
    """Global norm at which gradients are clipped. > 0."""
    buffer: int = 1000
    """Replay, in segments. >= batch."""
    batch: int = 32
    """Segments per update. >= 1."""
    updates: int = 2
    """Updates after each collection. >= 1."""
    target_period: int = 64
    """The targets are copied each time so many segments were collected. >= 1."""
    segment_episodes: int = 0
    """Where --segment is 0, a segment has room for so many of the longest episodes. >= 0; 0
    takes as many as come nearest to 128 joint steps."""
    epsilon_start: float = 1.0
    """Probability of a random action at the start. In [0, 1]."""
    epsilon_end: float = 0.05
    """The same after ``epsilon_steps``. In [0, 1]."""
    epsilon_steps: int = 100_000
    """Joint steps over which epsilon falls linearly. >= 1."""
    target_z: Literal["sample", "mean"] = "sample"
    """z of the target networks: drawn, as the paper's code does, or its mean."""

    def __post_init__(self):
        for share in ("gamma", "td_lambda", "epsilon_start", "epsilon_end"):
            default = type(self).__dataclass_fields__[share].default
            within(share, getattr(self, share), 0, 1, example=default)
        within("lr", self.lr, 0, open_low=True, example=2e-3)
        within("lr_end", self.lr_end, 0, 1, example=0.0)
        within("average", self.average, 0, 0.99999, example=0.99)
        within("max_grad_norm", self.max_grad_norm, 0, open_low=True, example=10)
        for count in ("buffer", "batch", "updates", "target_period", "epsilon_steps"):
            default = type(self).__dataclass_fields__[count].default
            within(count, getattr(self, count), 1, example=default)
        within("segment_episodes", self.segment_episodes, 0, example=1)
        # With one of them typed, a run's world may still have another default for both.
        if self.batch > self.buffer and self.typed >= {"batch", "buffer"}:
            raise ValueError(
                f"--batch {self.batch} is larger than --buffer {self.buffer}: an update "
                f"needs as many segments in the replay. Type --batch {self.buffer} or "
                f"--buffer {self.batch}"
            )
        known("target_z", self.target_z, ("sample", "mean"))


class ValueModel(eqx.Module):
    """All that is learnt: theta (network and mixer) and phi (information) of Eq. 7."""

    network: UtilityNetwork
    info: AbstractInfo
    mixer: AbstractMixer
    eyes: Eyes = eqx.field(static=True, default="own")

    def values(
        self, rollout: Rollout, *, key: Key[Array, ""] | None, last: bool = True
    ) -> tuple[Float[Array, "B T n u"], Info]:
        """Q_i of every action at every step, and z. ``key`` draws z; None: its mean.

        Without ``last``, a segment's last step repeats the one before: only bootstrapping
        needs it, and in one-step episodes it is half the work.
        """
        steps = rollout.steps
        if not last:
            steps = without_last(steps)
        local = information(steps, self.eyes)
        h = self.network.unroll(local, steps.first)
        noise = None if key is None else self.info.draw(local.shape[:-1], key=key)
        info = self.info.unroll(local, steps.state, steps.first, noise=noise)
        q = self.network.values(h, info.z)
        if not last:
            again = lambda x: jnp.concatenate([x, x[:, -1:]], axis=1)  # noqa: E731
            q, info = jax.tree.map(again, (q, info))
        return q, info


class ValueState(eqx.Module):
    """Everything of a value learner that changes."""

    online: ValueModel
    target: ValueModel
    average: ValueModel | None
    """The running average of ``online``, if one is kept."""
    optimiser: optax.OptState
    student: Any
    """Learns meanwhile, if there is a companion; else None."""
    student_optimiser: optax.OptState | None
    replay: Any
    steps: Int[Array, ""]
    """Joint steps collected."""
    segments: Int[Array, ""]
    """Segments collected."""
    copied: Int[Array, ""]
    """``segments`` at the last copy of the targets."""


class Learnt(eqx.Module):
    """What a gradient step changes."""

    online: ValueModel
    optimiser: optax.OptState
    student: Any
    student_optimiser: optax.OptState | None


class ValueLearner(AbstractAlgorithm[ValueState]):
    """One learner for every mixer and information module."""

    def __init__(
        self,
        make_model: Callable[[Key[Array, ""]], ValueModel],
        config: ValueConfig,
        companion: AbstractCompanion | None = None,
        total: int = 1,
    ):
        """``total`` joint steps are what the run has: the learning rate falls over them."""
        self.total = total
        self.make_model = make_model
        self.config = config
        self.companion = companion
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm), optax.adam(config.lr)
        )
        self.replay = flashbax.make_item_buffer(
            max_length=config.buffer,
            min_length=config.batch,
            sample_batch_size=config.batch,
            add_batches=True,
        )

    def init(
        self, example: Rollout, given: ValueModel | None = None, *, key: Key[Array, ""]
    ) -> ValueState:
        item = jax.tree.map(lambda x: jnp.zeros(x.shape[1:], x.dtype), example)
        zero = jnp.zeros((), jnp.int32)
        model = self.make_model(key) if given is None else given
        student = None
        if self.companion is not None:
            student = self.companion.init(key=jax.random.fold_in(key, COMPANION))
        return ValueState(
            online=model,
            target=jax.tree.map(jnp.copy, model),
            average=jax.tree.map(jnp.copy, model) if self.config.average else None,
            optimiser=self.optimiser.init(model),
            student=student,
            student_optimiser=None if student is None else self.optimiser.init(student),
            replay=self.replay.init(item),
            steps=zero,
            segments=zero,
            copied=zero,
        )

    def epsilon(self, steps: Int[Array, ""]) -> Float[Array, ""]:
        """Exploration after so many joint steps."""
        c = self.config
        done = jnp.minimum(steps / c.epsilon_steps, 1.0)
        return c.epsilon_start + done * (c.epsilon_end - c.epsilon_start)

    def rate(self, steps: Int[Array, ""]) -> Float[Array, ""]:
        """Share of the learning rate after so many joint steps."""
        return 1.0 - (1.0 - self.config.lr_end) * jnp.minimum(steps / self.total, 1.0)

    def behave(self, state: ValueState) -> TeacherPolicy:
        """Epsilon-greedy, with z drawn from its distribution as in the paper's code."""
        teacher = self._as_teacher(state.online)
        return teacher.policy(self.epsilon(state.steps), sample_z=True)

    def teacher(self, state: ValueState) -> Teacher:
        return self._as_teacher(state.average or state.online)

    @staticmethod
    def _as_teacher(model: ValueModel) -> Teacher:
        return Teacher(model.network, model.info, model.eyes)

    def team(self, state: ValueState) -> Team | None:
        if self.companion is None:
            return None
        return self.companion.team(state.student, state.online.network)

    def update(
        self, state: ValueState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[ValueState, Metrics]:
        copies, length, _ = rollout.action.shape
        replay = self.replay.add(state.replay, rollout)
        keys = jax.random.split(key, self.config.updates)

        learnt = Learnt(
            state.online, state.optimiser, state.student, state.student_optimiser
        )

        def one(learnt, key):
            key_sample, key_z = jax.random.split(key)
            batch = self.replay.sample(replay, key_sample).experience
            rate = self.rate(state.steps)
            return self.learn(learnt, state.target, batch, rate, key=key_z)

        def learn(learnt):
            learnt, metrics = jax.lax.scan(one, learnt, keys)
            return learnt, jax.tree.map(lambda x: x[-1], metrics)

        def wait(learnt):
            shapes = jax.eval_shape(learn, learnt)[1]
            return learnt, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

        can = self.replay.can_sample(replay)
        learnt, metrics = jax.lax.cond(can, learn, wait, learnt)
        segments = state.segments + copies
        due = jnp.zeros((), bool)
        if self.config.gamma > 0:  # else nobody asks the targets
            due = segments - state.copied >= self.config.target_period
        target = jax.tree.map(
            lambda o, t: jnp.where(due, o, t), learnt.online, state.target
        )
        average = state.average
        if average is not None:
            new = 1.0 - self.config.average
            average = jax.tree.map(lambda a, o: a + new * (o - a), average, learnt.online)
        metrics["epsilon"] = self.epsilon(state.steps)
        state = ValueState(
            online=learnt.online,
            target=target,
            average=average,
            optimiser=learnt.optimiser,
            student=learnt.student,
            student_optimiser=learnt.student_optimiser,
            replay=replay,
            steps=state.steps + copies * length,
            segments=segments,
            copied=jnp.where(due, segments, state.copied),
        )
        return state, metrics

    def learn(
        self,
        learnt: Learnt,
        target: ValueModel,
        batch: Rollout,
        rate: Float[Array, ""] | float = 1.0,
        *,
        key: Key[Array, ""],
    ) -> tuple[Learnt, Metrics]:
        """One gradient step on a batch; a companion makes its own on the same."""
        loss = jax.value_and_grad(self.loss, has_aux=True)
        (_, (metrics, q, info)), gradient = loss(learnt.online, target, batch, key=key)
        metrics["grad_norm"] = optax.global_norm(gradient)
        online, optimiser = self._step(gradient, learnt.optimiser, learnt.online, rate)
        student, student_optimiser = learnt.student, learnt.student_optimiser
        if self.companion is not None:
            loss = jax.value_and_grad(self.companion.loss)
            q, info = jax.lax.stop_gradient((q, info))
            network = jax.lax.stop_gradient(learnt.online.network)
            value, gradient = loss(student, batch, network, q, info)
            metrics["student_loss"] = value
            student, student_optimiser = self._step(
                gradient, student_optimiser, student, rate
            )
        return Learnt(online, optimiser, student, student_optimiser), metrics

    def _step(self, gradient, optimiser, model, rate):
        change, optimiser = self.optimiser.update(gradient, optimiser, model)
        change = jax.tree.map(lambda x: rate * x, change)
        return optax.apply_updates(model, change), optimiser

    def loss(
        self,
        online: ValueModel,
        target: ValueModel,
        batch: Rollout,
        *,
        key: Key[Array, ""],
    ) -> tuple[Float[Array, ""], tuple[Metrics, Float[Array, "B T1 n u"], Info]]:
        """Paper Eq. 7 with TD(lambda) targets; what to log of it, action values and z."""
        steps, valid = batch.steps, valid_transitions(batch.steps.first)
        key_online, key_target = jax.random.split(key)
        bootstraps = self.config.gamma > 0
        q, info = online.values(batch, key=key_online, last=bootstraps)
        legal = steps.local.legal
        best = jnp.max(masked(q, legal), axis=-1)
        chosen = take(q[:, :-1], batch.action)
        q_tot = online.mixer(
            Utilities(chosen, best[:, :-1], batch.action), steps.state[:, :-1]
        )
        returns = steps.reward[:, 1:]
        if bootstraps:
            q_next = greedy(jax.lax.stop_gradient(q), legal)[:, 1:]
            returns = self._returns(target, batch, q_next, key=key_target)
            returns = jax.lax.stop_gradient(returns)
        td_error = q_tot - returns
        loss = td_loss(td_error, valid) + online.info.auxiliary(batch, info)
        metrics = {
            "loss": loss,
            "td_error": masked_mean(jnp.abs(td_error), valid),
            "q_tot": masked_mean(q_tot, valid),
            "target": masked_mean(returns, valid),
            "reward": masked_mean(steps.reward[:, 1:], valid),
            "valid": jnp.mean(valid, dtype=jnp.float32),
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
        """TD(lambda) returns of double Q-learning: ``action`` is the online network's."""
        steps = batch.steps
        sample = target.info.stochastic and self.config.target_z == "sample"
        q = target.values(batch, key=key if sample else None)[0][:, 1:]
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
