"""Linear layers and multilayer perceptrons."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import equinox as eqx
import jax
from jaxtyping import Array, Float, Key

from ptde.nn.init import uniform

Activation = Callable[[Array], Array]


class Linear(eqx.Module):
    """x W + b over any leading axes."""

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
