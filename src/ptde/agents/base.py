"""Interfaces of the agents' network and of the critic."""

from abc import abstractmethod
from typing import ClassVar

import equinox as eqx
import jax
from jaxtyping import Array, Bool, Float

from ptde.nn.linear import Linear
from ptde.types import TimeStep


class AbstractNetwork(eqx.Module):
    """Local history and information in, one number for each action out.

    All agents share the network. The numbers are action values or logits: the greedy action
    is that of the largest in both cases.
    """

    logits: ClassVar[bool]
    """Whether the numbers are logits of a policy, not action values."""

    @property
    @abstractmethod
    def hidden(self) -> int:
        """Width of the hidden state."""

    @property
    @abstractmethod
    def z_dim(self) -> int:
        """Width of the z that it takes; 0 without information."""

    @abstractmethod
    def step(
        self, h: Float[Array, "*b n h"], local: Float[Array, "*b n d"]
    ) -> Float[Array, "*b n h"]:
        """The hidden state after one more step of local information."""

    @abstractmethod
    def unroll(
        self, local: Float[Array, "B T n d"], first: Bool[Array, "B T"]
    ) -> Float[Array, "B T n h"]:
        """Hidden states of segments: zero at their start and at every ``first``."""

    @abstractmethod
    def values(
        self, h: Float[Array, "*b n h"], z: Float[Array, "*b n z"]
    ) -> Float[Array, "*b n u"]:
        """The value or logit of every action."""


def informed(
    bridge: Linear | None,
    head: Linear,
    h: Float[Array, "*b n h"],
    z: Float[Array, "*b n z"],
) -> Float[Array, "*b n u"]:
    """The head's output for [h_o ; z] (Paper Fig. 1 (a), 3), or for h alone without z."""
    if bridge is None:
        return head(h)
    return head.joined(jax.nn.relu(bridge(h)), z)


class AbstractCritic(eqx.Module):
    """V of every agent, in units of the normalised return. Used in training only."""

    @abstractmethod
    def __call__(self, steps: TimeStep) -> Float[Array, "B T n"]:
        """The values at every step of whole segments."""
