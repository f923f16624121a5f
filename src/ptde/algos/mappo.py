"""MAPPO (Yu et al. 2022) with information in the actor (Paper Sec. 3.4, Table 5).

Recurrent actor and centralised critic, GAE, clipped ratio and value, Huber loss, running
normalisation of returns. The policy learns nothing from the dead; the critic does, as the
advantages of those who die bootstrap from its values of the dead. Where z is drawn, its
noise is part of the rollout and is replayed: pi(a | O, s, noise) of old and new parameters
are then compared on the same footing, and the ratio is 1 before the first step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.agents.base import AbstractCritic, AbstractNetwork
from ptde.agents.policy import SamplingPolicy
from ptde.algos.base import AbstractLearner, Metrics, Teacher, Team
from ptde.algos.leash import Leash, only
from ptde.distill.students import StudentInfo
from ptde.info.base import AbstractInfo
from ptde.ops.local import local_information
from ptde.ops.losses import clipped_surrogate, clipped_value_loss
from ptde.ops.masks import last_steps, masked_mean, valid_transitions, without_last
from ptde.ops.returns import lambda_returns
from ptde.ops.select import log_probability, masked
from ptde.options import Options
from ptde.types import Rollout
from ptde.validation import check_range

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

    gamma: float = 0.99
    """Discount per joint step. In [0, 1]."""
    gae_lambda: float = 0.95
    """Trace decay of the advantages. In [0, 1]."""
    lr: float = 5e-4
    """Adam's learning rate of actor and critic. > 0."""
    epochs: int = 0
    """Passes over each rollout, one gradient step each. >= 0; 0 takes Yu et al.'s: 15 on
    3s_vs_5z, 5 on 6h_vs_8z and 3s5z_vs_3s6z, else 10."""
    clip: float = 0.0
    """Largest change of the ratio, and of the normalised value, that counts. >= 0; 0 takes
    Yu et al.'s: 0.05 on 3s_vs_5z and 5m_vs_6m, else 0.2."""
    entropy: float = 0.01
    """Weight of the policy's entropy. >= 0."""
    huber: float = 10.0
    """Where the value's loss turns linear, in normalised units. > 0."""
    max_grad_norm: float = 10.0
    """Global norm at which gradients are clipped, actor and critic apart. > 0."""

    def __post_init__(self):
        default = type(self)
        for name in ("gamma", "gae_lambda"):
            value = getattr(self, name)
            check_range(f"mappo.{name}", value, 0, 1, example=getattr(default, name))
        for name in ("lr", "huber", "max_grad_norm"):
            value, example = getattr(self, name), getattr(default, name)
            check_range(f"mappo.{name}", value, 0, open_low=True, example=example)
        check_range("mappo.entropy", self.entropy, 0, example=0.01)
        check_range("mappo.epochs", self.epochs, 0, example=10)
        check_range("mappo.clip", self.clip, 0, example=0.2)

    def on(self, map_name: str) -> "MappoConfig":
        """The same with the map's epochs and clip where none are given."""
        epochs, clip = RECIPES.get(map_name, (10, 0.2))
        return replace(self, epochs=self.epochs or epochs, clip=self.clip or clip)


class Actor(eqx.Module):
    """The team's networks: the information module is the actor's."""

    network: AbstractNetwork
    info: AbstractInfo

    def logits(self, batch: Rollout) -> Float[Array, "B T n u"]:
        """At every step that an action was taken, with the noise it was taken with."""
        steps = without_last(batch.steps)
        local = local_information(steps.local)
        h = self.network.unroll(local, steps.first)
        info = self.info.unroll(local, steps.state, steps.first, noise=batch.noise)
        return masked(self.network.values(h, info.z), steps.local.legal)


class ValueNorm(eqx.Module):
    """Running mean and spread of the returns, each with the same weight."""

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
        """With one more rollout's returns; what is older than 1,000 fades."""
        count = jnp.minimum(self.count + 1, 1_000.0)
        mean, square = masked_mean(x, where), masked_mean(x * x, where)
        return ValueNorm(
            self.mean + (mean - self.mean) / count,
            self.square + (square - self.square) / count,
            count,
        )


class Judge(eqx.Module):
    """The critic, and the scale of what it says."""

    critic: AbstractCritic
    value_norm: ValueNorm


class MappoState(eqx.Module):
    """Everything of MAPPO that changes."""

    actor: Actor
    critic: AbstractCritic
    actor_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    value_norm: ValueNorm
    leash: Leash | None
    """Of one that is held to a teacher."""
    collections: Int[Array, ""]
    """Rollouts so far."""


class AdvantageBatch(eqx.Module):
    """What one rollout teaches; fixed over its epochs."""

    batch: Rollout
    log_prob: Float[Array, "B T n"]
    value: Float[Array, "B T n"]
    """Normalised, of the critic before the update."""
    target: Float[Array, "B T n"]
    """Normalised."""
    advantage: Float[Array, "B T n"]
    valid: Bool[Array, "B T n"]
    """The step lay within an episode: the critic learns from it."""
    counts: Bool[Array, "B T n"]
    """The agent was alive, too: the policy learns from it."""
    leash: Leash | None


class MappoLearner(AbstractLearner[MappoState]):
    """One learner for every information module."""

    def __init__(
        self,
        make_models: Callable[[Key[Array, ""]], tuple[Actor, AbstractCritic]],
        config: MappoConfig,
        warm_up: int = 0,
        trains: Callable[[Actor], Any] = lambda actor: True,
    ):
        """Wires a learner.

        Args:
            make_models: the untrained networks.
            config: how they learn; its epochs and clip are not 0.
            warm_up: rollouts from which the critic alone learns.
            trains: the parts of the actor that learn, as a tree of bools over its own.
        """
        self.warm_up, self.trains = warm_up, trains
        self.make_models = make_models
        self.config = config
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm),
            optax.adam(config.lr, eps=1e-5),
        )

    def init(
        self,
        example: Rollout,
        given: tuple[Actor, Judge, Leash | None] | None = None,
        *,
        key: Key[Array, ""],
    ) -> MappoState:
        if given is None:
            actor, critic = self.make_models(key)
            judge, leash = Judge(critic, ValueNorm.new()), None
        else:
            actor, judge, leash = given
        return MappoState(
            actor=actor,
            critic=judge.critic,
            actor_optimiser=self.optimiser.init(actor),
            critic_optimiser=self.optimiser.init(judge.critic),
            value_norm=judge.value_norm,
            leash=leash,
            collections=jnp.zeros((), jnp.int32),
        )

    def behave(self, state: MappoState) -> SamplingPolicy:
        return SamplingPolicy(state.actor.network, state.actor.info)

    def teacher(self, state: MappoState) -> Teacher:
        return Teacher(state.actor.network, state.actor.info)

    def central(self, state: MappoState) -> Judge:
        return Judge(state.critic, state.value_norm)

    def adopt(
        self, team: Team, central: Judge, teacher: Teacher | None, leash: float
    ) -> tuple[Actor, Judge, Leash | None]:
        info = StudentInfo(team.student, team.network.z_dim)
        held = None if teacher is None else Leash(teacher, leash)
        return Actor(team.network, info), central, held

    def update(
        self, state: MappoState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[MappoState, Metrics]:
        scale, advantages = self.advantages(state, rollout)
        networks = (
            state.actor,
            state.critic,
            state.actor_optimiser,
            state.critic_optimiser,
        )

        def epoch(networks, _):
            actor, critic, actor_optimiser, critic_optimiser = networks
            loss = jax.value_and_grad(self.actor_loss, has_aux=True)
            (_, metrics), gradient = loss(actor, advantages)
            gradient = only(self.trains(actor), gradient)
            metrics["grad_norm"] = optax.global_norm(gradient)
            change, actor_optimiser = self.optimiser.update(gradient, actor_optimiser)
            if self.warm_up:
                ready = state.collections >= self.warm_up
                change = jax.tree.map(lambda x: jnp.where(ready, x, 0.0), change)
            actor = optax.apply_updates(actor, change)
            value, gradient = jax.value_and_grad(self.critic_loss)(critic, advantages)
            metrics["critic_loss"] = value
            change, critic_optimiser = self.optimiser.update(gradient, critic_optimiser)
            critic = optax.apply_updates(critic, change)
            return (actor, critic, actor_optimiser, critic_optimiser), metrics

        networks, metrics = jax.lax.scan(epoch, networks, None, length=self.config.epochs)
        metrics = jax.tree.map(lambda x: x[-1], metrics)
        metrics["target"] = scale.mean
        count = state.collections + 1
        return MappoState(*networks, scale, state.leash, count), metrics

    def advantages(
        self, state: MappoState, batch: Rollout
    ) -> tuple[ValueNorm, AdvantageBatch]:
        """Advantages (GAE) and targets of a rollout, by the networks as they are."""
        c, steps, old = self.config, batch.steps, state.value_norm
        value = state.critic(steps)
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
            log_prob=log_probability(state.actor.logits(batch), batch.action),
            # As the critic put them out: in the new scale they would start outside of the
            # clipping range wherever the scale has moved, and teach nothing there.
            value=value[:, :-1],
            target=(returns - scale.mean) / scale.std,
            advantage=(advantage - mean) / (spread + 1e-5),
            valid=valid,
            counts=counts,
            leash=state.leash,
        )

    def actor_loss(self, actor: Actor, advantages: AdvantageBatch) -> tuple[Array, Metrics]:
        """The clipped surrogate and the entropy."""
        c = self.config
        logits = actor.logits(advantages.batch)
        log_prob = log_probability(logits, advantages.batch.action)
        ratio = jnp.exp(log_prob - advantages.log_prob)
        surrogate = clipped_surrogate(ratio, advantages.advantage, c.clip)
        log_p = jax.nn.log_softmax(logits)
        entropy = masked_mean(-jnp.sum(jnp.exp(log_p) * log_p, axis=-1), advantages.counts)
        loss = -masked_mean(surrogate, advantages.counts) - c.entropy * entropy
        if advantages.leash is not None:
            loss += advantages.leash(logits, advantages.batch, advantages.counts)
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
        """Clipped Huber loss of the normalised values, of the dead agents' as well."""
        steps = advantages.batch.steps
        value = critic(steps)[:, :-1]
        loss = clipped_value_loss(
            value, advantages.value, advantages.target, self.config.clip, self.config.huber
        )
        return masked_mean(loss, advantages.valid)
