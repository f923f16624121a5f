"""A team as StableHLO, for programs that have JAX but not ptde (``jax.export``)."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise

import jax
import jax.numpy as jnp
from jax import export

from ptde.agents.team import Memory, Team
from ptde.ops.select import greedy
from ptde.types import EnvSpec, LocalView

PLATFORMS = ("cpu", "cuda", "tpu")


def stablehlo(team: Team, spec: EnvSpec, memory: int) -> bytes:
    """The program ``(obs, legal, last_action, memory) -> (action, memory)`` for a symbolic
    number of teams; actions are int32. The weights are constants in it.

    Raises:
        ValueError: an agent's memory is not ``memory`` wide, as its layers say.
    """
    n = spec.n_agents
    carry = jax.eval_shape(lambda: team.start(1, n))
    leaves, structure = jax.tree.flatten(_ordered(carry))
    ends = [0, *accumulate(x.shape[-1] for x in leaves)]
    if ends[-1] != memory:
        raise ValueError(
            f"the layers of {type(team.network).__name__} list a memory of {memory} "
            f"numbers and its hidden state has {ends[-1]}: --to stablehlo needs all of it, "
            "so type --to onnx"
        )

    def step(obs, legal, last_action, memory):
        parts = [memory[..., i:j] for i, j in pairwise(ends)]
        student, h = jax.tree.unflatten(structure, parts)
        alive = jnp.ones(last_action.shape, bool)  # no policy reads it
        view = LocalView(obs, legal, last_action, alive)
        carry, values, _ = team.step(Memory(h, student), view)
        after = jax.tree.leaves(_ordered(carry))
        action, none = greedy(values, legal), memory[..., :0]
        return action, jnp.concatenate([none, *after], axis=-1)

    (batch,) = export.symbolic_shape("batch")
    shape = jax.ShapeDtypeStruct
    inputs = (
        shape((batch, n, spec.obs_dim), jnp.float32),
        shape((batch, n, spec.n_actions), jnp.bool_),
        shape((batch, n), jnp.int32),
        shape((batch, n, ends[-1]), jnp.float32),
    )
    with _without_places():
        made = export.export(jax.jit(step), platforms=PLATFORMS)(*inputs)
        return bytes(made.serialize())


@contextmanager
def _without_places() -> Iterator[None]:
    """A context in which JAX's programs do not name the source file of each operation."""
    option = "jax_traceback_in_locations_limit"
    before = getattr(jax.config, option)
    jax.config.update(option, 0)
    try:
        yield
    finally:
        jax.config.update(option, before)


def _ordered(memory: Memory):
    """A memory with the student's part first, as in the other formats."""
    return memory.carry, memory.h
