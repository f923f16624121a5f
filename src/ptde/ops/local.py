"""O_i, the agent's local information: all that a decentralised agent decides from."""

from typing import Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ptde.types import LocalView, TimeStep

Sight = Literal["own", "all"]
"""The observation that a teacher's network reads: the agent's own, or unlimited sight."""


def local_information(local: LocalView) -> Float[Array, "*b n d"]:
    """O_i^t = (o_i^t, u_i^{t-1}, idx) of Paper Sec. 3.1 (1), in this order.

    The last action (zeros at an episode's first step) and the agent's index are one-hot.
    """
    return _with_identity(local.obs, local)


def information(step: TimeStep, sight: Sight) -> Float[Array, "*b n d"]:
    """O_i, with o_i of unlimited ``sight`` or, in a world without it, [o_i, state]."""
    if sight == "own":
        return local_information(step.local)
    if step.full_obs is not None:
        return _with_identity(step.full_obs, step.local)
    obs = step.local.obs
    state = jnp.broadcast_to(
        step.state[..., None, :], (*obs.shape[:-1], step.state.shape[-1])
    )
    return _with_identity(jnp.concatenate([obs, state], axis=-1), step.local)


def _with_identity(obs: Float[Array, "*b n o"], local: LocalView) -> Float[Array, "*b n d"]:
    n_agents, n_actions = local.legal.shape[-2:]
    last_action = jax.nn.one_hot(local.last_action, n_actions)
    agent = jnp.broadcast_to(jnp.eye(n_agents), (*obs.shape[:-1], n_agents))
    return jnp.concatenate([obs, last_action, agent], axis=-1)
