"""MAPPO (Yu et al. 2022) with information in the actor (Paper Sec. 3.4, Table 5).

Recurrent actor and centralised critic, GAE, clipped ratio and value, Huber loss, running
normalisation of returns. The policy learns nothing from the dead; the critic does, as the
advantages of those who die bootstrap from its values of the dead. Where z is drawn, its
noise is part of the rollout and is replayed: pi(a | O, s, noise) of old and new parameters
are then compared on the same footing, and the ratio is 1 before the first step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from ptde.agents.base import AbstractCritic
from ptde.agents.team import SamplingPolicy, Teacher, Team
from ptde.algos.base import AbstractLearner, Metrics, ModelState
from ptde.algos.leash import Leash, only
from ptde.algos.replay import Replay
from ptde.distill.students import StudentInfo
from ptde.ops.devices import averaged
from ptde.ops.losses import clipped_surrogate, clipped_value_loss
from ptde.ops.masks import last_steps, masked_mean, valid_transitions, without_last
from ptde.ops.returns import lambda_returns
from ptde.ops.select import log_probability, masked
from ptde.options import In, Options, changed
from ptde.types import Info, Rollout

RECIPES = {
    "3s_vs_5z": (15, 0.05),
    "5m_vs_6m": (10, 0.05),
    "6h_vs_8z": (5, 0.2),
    "3s5z_vs_3s6z": (5, 0.2),
}
"""Epochs and clip of Yu et al. (2022) on the maps that both papers play."""


@dataclass(frozen=True)
class MappoConfig(Options):
    """How MAPPO learns (the values of Yu et al. for StarCraft)."""

    group: ClassVar[str] = "mappo."

    gamma: Annotated[float, In(0, 1)] = 0.99
    """Discount per joint step. In [0, 1]."""
    gae_lambda: Annotated[float, In(0, 1)] = 0.95
    """Trace decay of the advantages. In [0, 1]."""
    lr: Annotated[float, In(0, open=True)] = 5e-4
    """Adam's learning rate of actor and critic. > 0."""
    epochs: Annotated[int, In(0, example=10)] = 0
    """Passes over each rollout, one gradient step each. >= 0; 0 takes Yu et al.'s: 15 on
    3s_vs_5z, 5 on 6h_vs_8z and 3s5z_vs_3s6z, else 10."""
    clip: Annotated[float, In(0, example=0.2)] = 0.0
    """Largest change of the ratio, and of the normalised value, that counts. >= 0; 0 takes
    Yu et al.'s: 0.05 on 3s_vs_5z and 5m_vs_6m, else 0.2."""
    entropy: Annotated[float, In(0)] = 0.01
    """Weight of the policy's entropy. >= 0."""
    huber: Annotated[float, In(0, open=True)] = 10.0
    """Where the value's loss turns linear, in normalised units. > 0."""
    max_grad_norm: Annotated[float, In(0, open=True)] = 10.0
    """Global norm at which gradients are clipped, actor and critic apart. > 0."""
    buffer: Annotated[int, In(0)] = 320
    """Segments of the last rollouts that are kept for the student. >= 0; with 0 it plays
    for its data."""

    def on(self, map_name: str) -> "MappoConfig":
        """This config, with the map's epochs and clip where they are 0."""
        epochs, clip = RECIPES.get(map_name, (10, 0.2))
        return changed(self, epochs=self.epochs or epochs, clip=self.clip or clip)


def logits(actor: Teacher, batch: Rollout) -> tuple[Float[Array, "B T n u"], Info]:
    """Logits and z at every step that was acted on, with the noise that was drawn there."""
    steps = without_last(batch.steps)
    values, info = actor.unroll(steps, noise=batch.noise)
    return masked(values, steps.local.legal), info


class ValueNorm(eqx.Module):
    """Running mean and spread of the returns, in which every rollout weighs the same."""

    mean: Float[Array, ""]
    square: Float[Array, ""]
    count: Float[Array, ""]

    @classmethod
    def new(cls) -> "ValueNorm":
        zero = jnp.zeros(())
        return cls(zero, zero, zero)

    @property
    def std(self) -> Float[Array, ""]:
        """Standard deviation; 1 before anything was seen, and at least 0.1."""
        spread = jnp.sqrt(jnp.maximum(self.square - self.mean**2, 1e-2))
        return jnp.where(self.count > 0, spread, 1.0)

    def update(self, x: Float[Array, "*b"], where: Bool[Array, "*b"]) -> "ValueNorm":
        """The norm after one more rollout; those more than 1,000 rollouts old fade."""
        count = jnp.minimum(self.count + 1, 1_000.0)
        mean, square = masked_mean(x, where), masked_mean(x * x, where)
        return ValueNorm(
            self.mean + (mean - self.mean) / count,
            self.square + (square - self.square) / count,
            count,
        )


class ScaledCritic(eqx.Module):
    """The critic, and the scale of its values."""

    critic: AbstractCritic
    value_norm: ValueNorm


class MappoState(eqx.Module):
    """Everything of MAPPO that changes."""

    actor: ModelState[Teacher]
    """The team: the information module belongs to the actor."""
    critic: ModelState[AbstractCritic]
    value_norm: ValueNorm
    leash: Leash | None
    """The leash of stage 3, if there is one."""
    replay: Replay | None
    """The last rollouts, if they are kept for a student."""
    collections: Int[Array, ""]
    """Number of rollouts so far."""


class AdvantageBatch(eqx.Module):
    """Advantages and targets of one rollout, fixed over its epochs."""

    batch: Rollout
    log_prob: Float[Array, "B T n"]
    value: Float[Array, "B T n"]
    """Normalised values of the critic before the update."""
    target: Float[Array, "B T n"]
    """Normalised returns."""
    advantage: Float[Array, "B T n"]
    valid: Bool[Array, "B T n"]
    """Whether the step lies within an episode: the critic learns from these."""
    counts: Bool[Array, "B T n"]
    """Whether the agent was alive, too: the policy learns from these."""
    leash: Leash | None


class MappoLearner(AbstractLearner[MappoState]):
    """MAPPO with any information module."""

    def __init__(
        self,
        make_models: Callable[[Key[Array, ""]], tuple[Teacher, AbstractCritic]],
        config: MappoConfig,
        warm_up: int = 0,
        trains: Callable[[Teacher], Any] = lambda actor: True,
        buffer: int = 0,
    ):
        """Wires a learner.

        Args:
            make_models: the untrained networks.
            config: the hyperparameters; its epochs and clip are not 0.
            warm_up: rollouts at the start, from which the critic alone learns.
            trains: the parts of an actor that learn, as ``leash.only`` takes them.
            buffer: segments of the last rollouts that are kept for a student.
        """
        self.warm_up, self.trains, self.buffer = warm_up, trains, buffer
        self.make_models = make_models
        self.config = config
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm),
            optax.adam(config.lr, eps=1e-5),
        )

    def init(
        self,
        example: Rollout,
        given: tuple[Teacher, ScaledCritic, Leash | None] | None = None,
        *,
        key: Key[Array, ""],
    ) -> MappoState:
        if given is None:
            actor, critic = self.make_models(key)
            scaled, leash = ScaledCritic(critic, ValueNorm.new()), None
        else:
            actor, scaled, leash = given
        buffer, copies = self.buffer, len(example.action)
        return MappoState(
            actor=ModelState(actor, self.optimiser.init(actor)),
            critic=ModelState(scaled.critic, self.optimiser.init(scaled.critic)),
            value_norm=scaled.value_norm,
            leash=leash,
            replay=Replay.new(example, buffer, copies) if buffer else None,
            collections=jnp.zeros((), jnp.int32),
        )

    def parts(self, copies: int) -> int:
        return copies

    def in_parts(self, state: MappoState) -> PyTree:
        return () if state.replay is None else state.replay.segments

    def behave(self, state: MappoState) -> SamplingPolicy:
        return SamplingPolicy(state.actor.model)

    def teacher(self, state: MappoState) -> Teacher:
        return state.actor.model

    def central(self, state: MappoState) -> ScaledCritic:
        return ScaledCritic(state.critic.model, state.value_norm)

    def adopt(
        self, team: Team, central: ScaledCritic, teacher: Teacher | None, leash: float
    ) -> tuple[Teacher, ScaledCritic, Leash | None]:
        info = StudentInfo(team.student, team.network.z_dim)
        held = None if teacher is None else Leash(teacher, leash)
        return Teacher(team.network, info), central, held

    def update(
        self, state: MappoState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[MappoState, Metrics]:
        scale, advantages = self.advantages(state, rollout)
        ready = state.collections >= self.warm_up

        def epoch(learnt, _):
            actor, critic = learnt
            loss = jax.value_and_grad(self.actor_loss, has_aux=True)
            (_, metrics), gradient = loss(actor.model, advantages)
            gradient = only(self.trains(actor.model), averaged(gradient))
            metrics["grad_norm"] = optax.global_norm(gradient)
            moved = actor.step(gradient, self.optimiser)
            if self.warm_up:
                kept = lambda new, old: jnp.where(ready, new, old)
                model = jax.tree.map(kept, moved.model, actor.model)
                moved = replace(moved, model=model)
            loss = jax.value_and_grad(self.critic_loss)
            metrics["critic_loss"], gradient = loss(critic.model, advantages)
            critic = critic.step(averaged(gradient), self.optimiser)
            return (moved, critic), metrics

        learnt, epochs = (state.actor, state.critic), self.config.epochs
        (actor, critic), metrics = jax.lax.scan(epoch, learnt, None, length=epochs)
        metrics = jax.tree.map(lambda x: x[-1], metrics)
        metrics["target"] = scale.mean
        replay = state.replay and state.replay.add(replace(rollout, noise=None))
        state = replace(
            state,
            actor=actor,
            critic=critic,
            value_norm=scale,
            replay=replay,
            collections=state.collections + 1,
        )
        return state, metrics

    def advantages(
        self, state: MappoState, batch: Rollout
    ) -> tuple[ValueNorm, AdvantageBatch]:
        """Advantages (GAE) and targets of a rollout, by the networks as they are."""
        c, steps, old = self.config, batch.steps, state.value_norm
        value = state.critic.model(steps)
        v = value * old.std + old.mean
        trace = jnp.where(last_steps(steps.first), 0.0, c.gae_lambda)
        discount = c.gamma * steps.discount[:, 1:]
        returns = jax.vmap(  # over the copies, then over the agents
            jax.vmap(lambda_returns, (None, None, 1, None), 1)
        )(steps.reward[:, 1:], discount, v[:, 1:], trace)
        alive = steps.local.alive[:, :-1]
        valid = jnp.broadcast_to(valid_transitions(steps.first)[..., None], alive.shape)
        counts = alive & valid
        advantage = returns - v[:, :-1]
        mean = masked_mean(advantage, counts)
        spread = jnp.sqrt(masked_mean(jnp.square(advantage - mean), counts))
        scale = old.update(returns, valid)
        return scale, AdvantageBatch(
            batch=batch,
            log_prob=log_probability(logits(state.actor.model, batch)[0], batch.action),
            # In the old scale, as the critic gave them: in the new one they would start
            # outside the clipping range wherever the scale moved, and teach nothing there.
            value=value[:, :-1],
            target=(returns - scale.mean) / scale.std,
            advantage=(advantage - mean) / (spread + 1e-5),
            valid=valid,
            counts=counts,
            leash=state.leash,
        )

    def actor_loss(
        self, actor: Teacher, advantages: AdvantageBatch
    ) -> tuple[Array, Metrics]:
        """The clipped surrogate, the entropy, the information module's own loss and the
        leash; and what to log.
        """
        c = self.config
        values, info = logits(actor, advantages.batch)
        log_prob = log_probability(values, advantages.batch.action)
        ratio = jnp.exp(log_prob - advantages.log_prob)
        surrogate = clipped_surrogate(ratio, advantages.advantage, c.clip)
        log_p = jax.nn.log_softmax(values)
        entropy = masked_mean(-jnp.sum(jnp.exp(log_p) * log_p, axis=-1), advantages.counts)
        loss = -masked_mean(surrogate, advantages.counts) - c.entropy * entropy
        loss += actor.info.auxiliary(advantages.batch, info)
        if advantages.leash is not None:
            loss += advantages.leash(values, advantages.batch, advantages.counts)
        far = jnp.abs(ratio - 1.0) > c.clip
        metrics = {
            "loss": loss,
            "entropy": entropy,
            "ratio": masked_mean(ratio, advantages.counts),
            "clipped": masked_mean(far.astype(jnp.float32), advantages.counts),
        }
        return loss, metrics

    def critic_loss(
        self, critic: AbstractCritic, advantages: AdvantageBatch
    ) -> Float[Array, ""]:
        """Clipped Huber loss of the normalised values, those of dead agents included."""
        steps = advantages.batch.steps
        value = critic(steps)[:, :-1]
        loss = clipped_value_loss(
            value, advantages.value, advantages.target, self.config.clip, self.config.huber
        )
        return masked_mean(loss, advantages.valid)
