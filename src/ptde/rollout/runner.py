"""A world's runner: the one place that asks how a world is stepped."""

from ptde.envs.base import AbstractEnv, AbstractWorld
from ptde.envs.process import ProcessWorld
from ptde.rollout.base import AbstractRunner
from ptde.rollout.jax_runner import JaxRunner
from ptde.rollout.process_runner import ProcessRunner


def runner_of(world: AbstractWorld) -> AbstractRunner:
    """The runner of a world. TypeError for a world of neither kind."""
    if isinstance(world, AbstractEnv):
        return JaxRunner(world)
    if isinstance(world, ProcessWorld):
        return ProcessRunner(world)
    raise TypeError(
        f"{type(world).__name__} is neither an AbstractEnv nor a ProcessWorld: inherit "
        "from one of the two"
    )
