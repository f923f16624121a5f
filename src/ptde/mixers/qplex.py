"""QPLEX: duplex dueling multi-agent Q-learning (Wang et al. 2021), as in PyMARL2.

    q~_i   = w_i(s) Q_i + v_i(s),   V_tot = sum_i q~_i(greedy)
    lambda_i(s, u) = sum_k |key_k(s)| sigmoid(agent_k(s))_i sigmoid(act_k(s, u))_i
    Q_tot  = sum_i q~_i + sum_i stop_gradient(q~_i - q~_i(greedy)) (lambda_i - 1)

The advantages are <= 0 and the lambdas positive, so greedy agents make a greedy team.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.mixers.base import AbstractMixer, MixerSizes
from ptde.nn.linear import MLP
from ptde.types import EnvSpec, Utilities

POSITIVE = 1e-10  # keeps weights and importances above 0


class QPLEX(AbstractMixer):
    """The duplex dueling mixer, whose importances sum over ``kernels`` kernels."""

    weight: MLP
    value: MLP
    keys: tuple[MLP, ...]
    agents: tuple[MLP, ...]
    actions: tuple[MLP, ...]

    def __init__(self, spec: EnvSpec, sizes: MixerSizes, *, key: Key[Array, ""]):
        n, state, hidden = spec.n_agents, spec.state_dim, sizes.hypernet_hidden
        joint = state + n * spec.n_actions
        key_weight, key_value, *keys = jax.random.split(key, 2 + 3 * sizes.kernels)
        k = sizes.kernels
        self.weight = MLP((state, hidden, n), key=key_weight)
        self.value = MLP((state, hidden, n), key=key_value)
        self.keys = tuple(MLP((state, hidden, 1), key=i) for i in keys[:k])
        self.agents = tuple(MLP((state, hidden, n), key=i) for i in keys[k : 2 * k])
        self.actions = tuple(MLP((joint, hidden, n), key=i) for i in keys[2 * k :])

    def __call__(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b"]:
        weight = jnp.abs(self.weight(state)) + POSITIVE
        q = weight * utilities.chosen + self.value(state)
        greedy = weight * utilities.greedy + self.value(state)
        advantage = jax.lax.stop_gradient(q - greedy)
        importance = self.importance(utilities, state)
        return jnp.sum(q + advantage * (importance - 1.0), axis=-1)

    def importance(
        self, utilities: Utilities, state: Float[Array, "*b s"]
    ) -> Float[Array, "*b n"]:
        """lambda_i(s, u) > 0."""
        n_actions = (self.actions[0].layers[0].weight.shape[0] - state.shape[-1]) // (
            utilities.action.shape[-1]
        )
        joint = jax.nn.one_hot(utilities.action, n_actions)
        joint = jnp.concatenate([state, joint.reshape(*state.shape[:-1], -1)], axis=-1)
        kernels = zip(self.keys, self.agents, self.actions, strict=True)
        each = [
            (jnp.abs(key(state)) + POSITIVE)
            * jax.nn.sigmoid(agent(state))
            * jax.nn.sigmoid(action(joint))
            for key, agent, action in kernels
        ]
        return jnp.sum(jnp.stack(each), axis=0)
