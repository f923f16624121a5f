import jax.numpy as jnp

from ptde.ops.local import local_information
from ptde.types import LocalView


def test_observation_then_last_action_then_agent():
    local = LocalView(
        obs=jnp.array([[7.0], [8.0]]),
        legal=jnp.ones((2, 3), bool),
        last_action=jnp.array([2, -1]),
        alive=jnp.ones(2, bool),
    )
    assert local_information(local).tolist() == [
        [7, 0, 0, 1, 1, 0],
        [8, 0, 0, 0, 0, 1],
    ]
