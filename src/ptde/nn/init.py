"""Initial weights: PyTorch's defaults, with which the paper's results were obtained."""

import jax
from jaxtyping import Array, Float, Key


def uniform(
    shape: tuple[int, ...], fan_in: int, *, key: Key[Array, ""]
) -> Float[Array, "..."]:
    """Uniform in +-1 / sqrt(fan_in)."""
    bound = 1.0 / fan_in**0.5
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)
