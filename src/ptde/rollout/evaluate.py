"""Test episodes, which measure how good a team is."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from ptde.agents.policy import FullPolicy
from ptde.envs.base import AbstractEnv
from ptde.rollout.collect import advance, forget, start


class Returns(eqx.Module):
    """Results of test episodes, one entry for each."""

    performance: Float[Array, " episodes"]
    """1 for a battle won and 0 for one lost; see ``TimeStep.performance``."""
    reward: Float[Array, " episodes"]
    """Undiscounted return."""
    length: Int[Array, " episodes"]
    """Joint steps of the episode."""
    messages: Int[Array, " episodes"]
    """Messages from the centre, each of which informs one agent of the global state."""
    score: Float[Array, " episodes"] | None = None
    """The final score, in worlds that keep one."""


def evaluate(
    policy: FullPolicy, env: AbstractEnv, episodes: int, *, key: Key[Array, ""]
) -> Returns:
    """Plays one whole episode in each of ``episodes`` copies of the world.

    Two policies on the same key meet the same initial states. Every copy counts once, so
    short episodes get no more weight than long ones. Performance and score are those of
    an episode's last step.
    """
    key_start, key_steps = jax.random.split(key)
    state = start(policy, env, episodes, key=key_start)
    returns = Returns(
        performance=jnp.zeros(episodes),
        reward=jnp.zeros(episodes),
        length=jnp.zeros(episodes, jnp.int32),
        messages=jnp.zeros(episodes, jnp.int32),
        score=None if state.step.score is None else jnp.zeros(episodes),
    )

    def running(loop):
        time, _, _, over = loop
        return (time < env.spec.time_limit) & ~over.all()

    def play(loop):
        time, state, returns, over = loop
        before = forget(state)
        state, _ = advance(policy, env, state, key=jax.random.fold_in(key_steps, time))
        over = over | state.step.first
        step, sent = state.step, policy.sent(before, state.memory)
        newest = lambda old, new: jnp.where(over, old, new)
        score = None if step.score is None else newest(returns.score, step.score)
        returns = Returns(
            performance=newest(returns.performance, step.performance),
            reward=returns.reward + jnp.where(over, 0.0, step.reward),
            length=returns.length + ~over,
            messages=returns.messages + jnp.where(over, 0, sent),
            score=score,
        )
        return time + 1, state, returns, over

    loop = (jnp.zeros((), jnp.int32), state, returns, jnp.zeros(episodes, bool))
    return jax.lax.while_loop(running, play, loop)[2]
