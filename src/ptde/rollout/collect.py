"""Collection of rollouts in worlds in JAX."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree

from ptde.agents.policy import FullPolicy
from ptde.envs.base import AbstractEnv, AbstractWorld, EnvState
from ptde.info.base import Carry
from ptde.ops.keys import row_keys
from ptde.ops.masks import masked_mean
from ptde.types import PolicyOutput, Rollout, TimeStep


class RolloutState(eqx.Module):
    """The states of B copies of a world, and the policy's carry in each."""

    env_state: EnvState
    step: TimeStep
    memory: Carry


def start(
    policy: FullPolicy, env: AbstractEnv, copies: int, *, key: Key[Array, ""]
) -> RolloutState:
    """Begins ``copies`` new episodes."""
    env_state, step = env.resets(copies, key=key)
    return RolloutState(env_state, step, policy.start(copies, env.spec.n_agents))


def advance(
    policy: FullPolicy, env: AbstractEnv, state: RolloutState, *, key: Key[Array, ""]
) -> tuple[RolloutState, PolicyOutput]:
    """Takes one joint step in every copy; also returns the policy's output."""
    key_policy, key_env = jax.random.split(key)
    keys = row_keys(key_env, len(state.step.first))
    memory, output = policy(forget(state), state.step, key=key_policy)
    env_state, step = jax.vmap(lambda s, a, k: env.step(s, a, key=k))(
        state.env_state, output.action, keys
    )
    return RolloutState(env_state, step, memory), output


def forget(state: RolloutState) -> Carry:
    """The policy's carry, with zeros where a new episode starts."""

    def clear(x):
        first = state.step.first.reshape(-1, *(1,) * (x.ndim - 1))
        return jnp.where(first, jnp.zeros_like(x), x)

    return jax.tree.map(clear, state.memory)


def collect(
    policy: FullPolicy,
    env: AbstractEnv,
    state: RolloutState,
    length: int,
    *,
    key: Key[Array, ""],
) -> tuple[RolloutState, Rollout]:
    """``length`` joint steps of every copy: a rollout with leaves [B, length + 1, ...].

    The rollout's hidden states start at zero, so a state that stands inside an episode
    suits only algorithms that store or recompute them.
    """

    def one(state, key):
        after, output = advance(policy, env, state, key=key)
        return after, (state.step, output)

    state, (steps, output) = jax.lax.scan(one, state, jax.random.split(key, length))
    steps = jax.tree.map(
        lambda x, last: jnp.concatenate([jnp.swapaxes(x, 0, 1), last[:, None]], axis=1),
        steps,
        state.step,
    )
    output = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), output)
    return state, Rollout(steps, output.action, output.noise, output.opening)


def train_performance(rollout: Rollout, time_limit: int) -> Float[Array, ""]:
    """The mean ``performance`` of the episodes that ended in a rollout; 0 if none did."""
    return masked_mean(rollout.steps.performance, ended(rollout.steps, time_limit))


def ended(steps: TimeStep, time_limit: int) -> Bool[Array, "B T1"]:
    """Whether each step of a segment is the last one of its episode.

    There the discount is 0, or the next step is the first of another episode. Nothing
    follows a segment's own last step: an episode that is cut there, with discount 1, is
    known to be over if it has taken ``time_limit`` joint steps in this segment. An episode
    that its world cuts sooner cannot be told from one that goes on, and does not count.
    """
    time = jnp.arange(steps.first.shape[1])
    began = jnp.max(jnp.where(steps.first, time, -1), axis=1)  # -1: before the segment
    cut = (began >= 0) & (time[-1] - began >= time_limit)
    followed = jnp.concatenate([steps.first[:, 1:], cut[:, None]], axis=1)
    return (steps.discount == 0) | followed


def rollout_shapes(
    env: AbstractWorld, copies: int, length: int
) -> PyTree[jax.ShapeDtypeStruct]:
    """The shapes of a rollout, without computing one."""
    step = env.shown()

    def empty():
        wide = lambda x, time: jnp.zeros((copies, time, *x.shape), x.dtype)
        return Rollout(
            steps=jax.tree.map(lambda x: wide(x, length + 1), step),
            action=wide(step.local.last_action, length),
        )

    return jax.eval_shape(empty)
