"""Returns of one trajectory; batching is the caller's ``vmap``."""

import jax
from jaxtyping import Array, Float


def lambda_returns(
    r_t: Float[Array, " T"],
    discount_t: Float[Array, " T"],
    v_t: Float[Array, " T"],
    lambda_t: Float[Array, " T"],
) -> Float[Array, " T"]:
    """TD(lambda) returns G_0 .. G_{T-1}.

    ``G_{t-1} = r_t + discount_t * ((1 - lambda_t) v_t + lambda_t G_t)`` with ``G_T = v_T``
    (Sutton & Barto 2018, Eq. 12.18). lambda = 0 gives one-step targets, lambda = 1 the
    Monte-Carlo return. An episode that is cut inside the trajectory has ``lambda_t = 0`` at
    its last step: what follows belongs to another episode.

    Args:
        r_t: rewards at t = 1 .. T.
        discount_t: gamma times the step's discount, t = 1 .. T.
        v_t: values to bootstrap from, t = 1 .. T.
        lambda_t: trace decay, t = 1 .. T, in [0, 1].

    Returns:
        The returns at t = 0 .. T - 1.

    >>> import jax.numpy as jnp
    >>> one = jnp.ones(2)
    >>> lambda_returns(one, 0.5 * one, 4 * one, 0 * one).tolist()
    [3.0, 3.0]
    """

    def backward(g_t, step):
        r, discount, v, decay = step
        g_tm1 = r + discount * ((1.0 - decay) * v + decay * g_t)
        return g_tm1, g_tm1

    _, g_tm1 = jax.lax.scan(
        backward, v_t[-1], (r_t, discount_t, v_t, lambda_t), reverse=True
    )
    return g_tm1
