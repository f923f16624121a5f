"""A world's runner: the one place that asks how a world is stepped."""

from ptde.envs.base import AbstractEnv, AbstractWorld
from ptde.envs.process import ProcessWorld
from ptde.rollout.actors import check_actors, copies_of
from ptde.rollout.base import AbstractRunner
from ptde.rollout.jax_runner import JaxRunner
from ptde.rollout.process_runner import ProcessRunner


def runner_of(world: AbstractWorld) -> AbstractRunner:
    """The runner of a world.

    Raises:
        TypeError: it is of neither kind.
        ValueError: it is of the wrong kind for actors on Ray, which were asked for.
    """
    if isinstance(world, AbstractEnv):
        check_actors(world)
        return JaxRunner(world)
    if isinstance(world, ProcessWorld):
        return ProcessRunner(copies_of(world))
    raise TypeError(
        f"{type(world).__name__} is neither an AbstractEnv nor a ProcessWorld: inherit "
        "from one of the two"
    )
