"""Linear layers and multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ptde.nn.init import uniform

Activation = Callable[[Array], Array]


class Linear(eqx.Module):
    """The linear layer x W + b, over any leading axes."""

    weight: Float[Array, "i o"]
    bias: Float[Array, " o"]

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        fan_in: int | None = None,
        key: Key[Array, ""],
    ):
        key_weight, key_bias = jax.random.split(key)
        fan_in = fan_in or in_dim
        self.weight = uniform((in_dim, out_dim), fan_in, key=key_weight)
        self.bias = uniform((out_dim,), fan_in, key=key_bias)

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        # As one matrix of rows: XLA's CPU backend takes twice as long over the gradient of
        # a product with several leading axes.
        y = x.reshape(-1, x.shape[-1]) @ self.weight + self.bias
        return y.reshape(*x.shape[:-1], -1)

    def joined(
        self, x: Float[Array, "*b j"], y: Float[Array, "*b k"]
    ) -> Float[Array, "*b o"]:
        """[x ; y] W + b. Each part is multiplied by its own rows of W: concatenating them,
        and splitting the gradient, would take as long as the products.
        """
        at = x.shape[-1]
        rows = x.reshape(-1, at) @ self.weight[:at]
        rows = rows + y.reshape(-1, y.shape[-1]) @ self.weight[at:] + self.bias
        return rows.reshape(*x.shape[:-1], -1)


def orthogonal_weight(
    in_dim: int, out_dim: int, gain: float, *, key: Key[Array, ""]
) -> Float[Array, "i o"]:
    """A matrix with orthonormal rows or columns, times ``gain`` (Saxe et al. 2014)."""
    return jax.nn.initializers.orthogonal(gain)(key, (in_dim, out_dim))


def orthogonal(in_dim: int, out_dim: int, gain: float, *, key: Key[Array, ""]) -> Linear:
    """A linear layer with an orthogonal weight and a bias of zero, as MAPPO starts."""
    layer = Linear(in_dim, out_dim, key=key)
    weight = orthogonal_weight(in_dim, out_dim, gain, key=key)
    start = (weight, jnp.zeros(out_dim))
    return eqx.tree_at(lambda x: (x.weight, x.bias), layer, start)


class LayerNorm(eqx.Module):
    """Mean 0 and variance 1 over the last axis, then a learnt scale and offset."""

    scale: Float[Array, " i"]
    offset: Float[Array, " i"]

    def __init__(self, dim: int):
        self.scale, self.offset = jnp.ones(dim), jnp.zeros(dim)

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b i"]:
        centred = x - x.mean(-1, keepdims=True)
        variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
        return centred * jax.lax.rsqrt(variance + 1e-5) * self.scale + self.offset


class MLP(eqx.Module):
    """Linear layers of the given widths with one activation after each but the last.

    ``activations`` may also name one activation for each gap between layers.
    """

    layers: tuple[Linear, ...]
    activations: tuple[Activation, ...] = eqx.field(static=True)

    def __init__(
        self,
        widths: Sequence[int],
        activations: Activation | Sequence[Activation] = jax.nn.relu,
        *,
        key: Key[Array, ""],
    ):
        keys = jax.random.split(key, len(widths) - 1)
        self.layers = tuple(
            Linear(i, o, key=k) for (i, o), k in zip(pairwise(widths), keys, strict=True)
        )
        gaps = len(widths) - 2
        self.activations = (
            (activations,) * gaps if callable(activations) else tuple(activations)
        )
        if len(self.activations) != gaps:
            raise ValueError(
                f"{len(widths)} widths need {gaps} activations, not {len(self.activations)}"
            )

    def __call__(self, x: Float[Array, "*b i"]) -> Float[Array, "*b o"]:
        for layer, activation in zip(self.layers, self.activations, strict=False):
            x = activation(layer(x))
        return self.layers[-1](x)
