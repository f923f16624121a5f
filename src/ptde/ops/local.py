"""O_i, the agent's local information: all that a decentralised agent decides from."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ptde.types import LocalView


def local_information(local: LocalView) -> Float[Array, "*b n d"]:
    """O_i^t = (o_i^t, u_i^{t-1}, idx) of Paper Sec. 3.1 (1), in this order.

    The last action is one-hot (zeros at an episode's first step), the agent's index too.
    """
    *batch, n_agents, n_actions = local.legal.shape
    identity = jnp.broadcast_to(jnp.eye(n_agents), (*batch, n_agents, n_agents))
    last_action = jax.nn.one_hot(local.last_action, n_actions)
    return jnp.concatenate([local.obs, last_action, identity], axis=-1)
