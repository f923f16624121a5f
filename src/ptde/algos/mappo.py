"""MAPPO (Yu et al. 2022) with information in the actor (Paper Sec. 3.4, Table 5).

Recurrent actor and centralised critic, GAE, clipped ratio and value, Huber loss, running
normalisation of returns. The policy learns nothing from the dead; the critic does, as the
advantages of those who die bootstrap from its values of the dead. Where z is drawn, its
noise is part of the rollout and is replayed: pi(a | O, s, noise) of old and new parameters
are then compared on the same footing, and the ratio is 1 before the first step.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from ptde.agents.actor import ActorNetwork, Critic
from ptde.agents.policy import SamplingPolicy
from ptde.algos.base import AbstractAlgorithm, Metrics, Teacher
from ptde.check import within
from ptde.info.base import AbstractInfo
from ptde.ops.local import local_information
from ptde.ops.losses import clipped_surrogate, clipped_value_loss
from ptde.ops.masks import last_steps, masked_mean, valid_transitions, without_last
from ptde.ops.returns import lambda_returns
from ptde.ops.select import log_probability, masked
from ptde.options import Options
from ptde.types import Rollout

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
            within(f"mappo.{name}", value, 0, 1, example=getattr(default, name))
        for name in ("lr", "huber", "max_grad_norm"):
            value, example = getattr(self, name), getattr(default, name)
            within(f"mappo.{name}", value, 0, open_low=True, example=example)
        within("mappo.entropy", self.entropy, 0, example=0.01)
        within("mappo.epochs", self.epochs, 0, example=10)
        within("mappo.clip", self.clip, 0, example=0.2)

    def on(self, map_name: str) -> "MappoConfig":
        """The same with the map's epochs and clip where none are given."""
        epochs, clip = RECIPES.get(map_name, (10, 0.2))
        return replace(self, epochs=self.epochs or epochs, clip=self.clip or clip)


class Actor(eqx.Module):
    """The team's networks: the information module is the actor's."""

    network: ActorNetwork
    info: AbstractInfo

    def logits(self, batch: Rollout) -> Float[Array, "B T n u"]:
        """At every step that an action was taken, with the noise it was taken with."""
        steps = without_last(batch.steps)
        local = local_information(steps.local)
        h = self.network.unroll(local, steps.first)
        info = self.info.unroll(local, steps.state, steps.first, noise=batch.noise)
        return masked(self.network.values(h, info.z), steps.local.legal)


class Scale(eqx.Module):
    """Running mean and spread of the returns, each with the same weight."""

    mean: Float[Array, ""]
    square: Float[Array, ""]
    count: Float[Array, ""]

    @classmethod
    def new(cls) -> "Scale":
        zero = jnp.zeros(())
        return cls(zero, zero, zero)

    @property
    def std(self) -> Float[Array, ""]:
        """Standard deviation; 1 before anything was seen, and at least 0.1."""
        spread = jnp.sqrt(jnp.maximum(self.square - self.mean**2, 1e-2))
        return jnp.where(self.count > 0, spread, 1.0)

    def update(self, x: Float[Array, "*b"], where: Bool[Array, "*b"]) -> "Scale":
        """With one more rollout's returns; what is older than 1,000 fades."""
        count = jnp.minimum(self.count + 1, 1_000.0)
        mean, square = masked_mean(x, where), masked_mean(x * x, where)
        return Scale(
            self.mean + (mean - self.mean) / count,
            self.square + (square - self.square) / count,
            count,
        )


class MappoState(eqx.Module):
    """Everything of MAPPO that changes."""

    actor: Actor
    critic: Critic
    actor_optimiser: optax.OptState
    critic_optimiser: optax.OptState
    scale: Scale
    steps: Int[Array, ""]
    """Joint steps collected."""


class Lesson(eqx.Module):
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


class MappoLearner(AbstractAlgorithm[MappoState]):
    """One learner for every information module."""

    def __init__(
        self,
        make_models: Callable[[Key[Array, ""]], tuple[Actor, Critic]],
        config: MappoConfig,
    ):
        self.make_models = make_models
        self.config = config
        self.optimiser = optax.chain(
            optax.clip_by_global_norm(config.max_grad_norm),
            optax.adam(config.lr, eps=1e-5),
        )

    def init(
        self,
        example: Rollout,
        given: tuple[Actor, Critic] | None = None,
        *,
        key: Key[Array, ""],
    ) -> MappoState:
        actor, critic = self.make_models(key) if given is None else given
        return MappoState(
            actor=actor,
            critic=critic,
            actor_optimiser=self.optimiser.init(actor),
            critic_optimiser=self.optimiser.init(critic),
            scale=Scale.new(),
            steps=jnp.zeros((), jnp.int32),
        )

    def behave(self, state: MappoState) -> SamplingPolicy:
        return SamplingPolicy(state.actor.network, state.actor.info)

    def teacher(self, state: MappoState) -> Teacher:
        return Teacher(state.actor.network, state.actor.info)

    def update(
        self, state: MappoState, rollout: Rollout, *, key: Key[Array, ""]
    ) -> tuple[MappoState, Metrics]:
        scale, lesson = self.lesson(state, rollout)
        networks = (
            state.actor,
            state.critic,
            state.actor_optimiser,
            state.critic_optimiser,
        )

        def epoch(networks, _):
            actor, critic, actor_optimiser, critic_optimiser = networks
            loss = jax.value_and_grad(self.actor_loss, has_aux=True)
            (_, metrics), gradient = loss(actor, lesson)
            metrics["grad_norm"] = optax.global_norm(gradient)
            change, actor_optimiser = self.optimiser.update(gradient, actor_optimiser)
            actor = optax.apply_updates(actor, change)
            value, gradient = jax.value_and_grad(self.critic_loss)(critic, lesson)
            metrics["critic_loss"] = value
            change, critic_optimiser = self.optimiser.update(gradient, critic_optimiser)
            critic = optax.apply_updates(critic, change)
            return (actor, critic, actor_optimiser, critic_optimiser), metrics

        networks, metrics = jax.lax.scan(epoch, networks, None, length=self.config.epochs)
        copies, length, _ = rollout.action.shape
        metrics = jax.tree.map(lambda x: x[-1], metrics)
        metrics["target"] = scale.mean
        return MappoState(*networks, scale, state.steps + copies * length), metrics

    def lesson(self, state: MappoState, batch: Rollout) -> tuple[Scale, Lesson]:
        """Advantages (GAE) and targets of a rollout, by the networks as they are."""
        c, steps, old = self.config, batch.steps, state.scale
        value = state.critic(steps.state, steps.local.alive, steps.first)
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
        return scale, Lesson(
            batch=batch,
            log_prob=log_probability(state.actor.logits(batch), batch.action),
            # As the critic put them out: in the new scale they would start outside of the
            # clipping range wherever the scale has moved, and teach nothing there.
            value=value[:, :-1],
            target=(returns - scale.mean) / scale.std,
            advantage=(advantage - mean) / (spread + 1e-5),
            valid=valid,
            counts=counts,
        )

    def actor_loss(self, actor: Actor, lesson: Lesson) -> tuple[Array, Metrics]:
        """The clipped surrogate and the entropy."""
        c = self.config
        logits = actor.logits(lesson.batch)
        log_prob = log_probability(logits, lesson.batch.action)
        ratio = jnp.exp(log_prob - lesson.log_prob)
        surrogate = clipped_surrogate(ratio, lesson.advantage, c.clip)
        log_p = jax.nn.log_softmax(logits)
        entropy = masked_mean(-jnp.sum(jnp.exp(log_p) * log_p, axis=-1), lesson.counts)
        loss = -masked_mean(surrogate, lesson.counts) - c.entropy * entropy
        far = jnp.abs(ratio - 1.0) > c.clip
        metrics = {
            "loss": loss,
            "entropy": entropy,
            "ratio": masked_mean(ratio, lesson.counts),
            "clipped": masked_mean(far.astype(jnp.float32), lesson.counts),
        }
        return loss, metrics

    def critic_loss(self, critic: Critic, lesson: Lesson) -> Float[Array, ""]:
        """Clipped Huber loss of the normalised values, of the dead agents' as well."""
        steps = lesson.batch.steps
        value = critic(steps.state, steps.local.alive, steps.first)[:, :-1]
        loss = clipped_value_loss(
            value, lesson.value, lesson.target, self.config.clip, self.config.huber
        )
        return masked_mean(loss, lesson.valid)
