"""Worlds in which it is known why a student falls behind its teacher.

The state is what every agent should do now, and the teacher, which is made by hand, does
it: it reaches 1. Two agents; whoever all act rightly at the last step, wins.

``earlier``  a cue was shown at the first step alone: memory suffices
``hidden``   nobody ever sees the cue: it cannot be recovered
``doors``    the state alone says which door is right; behind both the cue is shown, but
             behind the wrong one, where the teacher never is, it means its opposite
"""

import equinox as eqx
import jax
import jax.numpy as jnp

from ptde import build
from ptde.algos import ValueConfig
from ptde.algos.finetune import FinetuneConfig
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs import AbstractEnv, World
from ptde.folder import RunFolder
from ptde.pipeline import resume
from ptde.types import EnvSpec, LocalView, TimeStep

NAMES = ("earlier", "hidden", "doors")


class Known(AbstractEnv):
    """Two agents, two steps, two actions."""

    def __init__(self, name):
        self.name = name
        self.spec = EnvSpec(f"known/{name}", 2, 2, 1, 2, 2)

    def reset_env(self, *, key):
        cue, door = jax.random.bernoulli(key, shape=(2,)).astype(jnp.int32)
        state = (cue, door, jnp.ones((), bool), jnp.zeros((), jnp.int32))
        return state, self.show(state, jnp.full(2, -1), jnp.zeros((), bool))

    def step_env(self, state, action, *, key):
        cue, door, room, time = state
        right = jnp.all(action == self.right(state))
        room = right if self.name == "doors" else room
        last = time == 1
        state = (cue, door, room, time + 1)
        return state, self.show(state, action, last & right), last

    def right(self, state):
        cue, door, room, time = state
        if self.name == "doors":
            return jnp.where(time == 0, door, jnp.where(room, cue, 1 - cue))
        return jnp.where(time == 0, 0, cue)

    def show(self, state, action, won):
        cue, _, room, time = state
        sign = lambda bit: 2.0 * bit - 1.0
        shown = {"earlier": time == 0, "hidden": False, "doors": time > 0}[self.name]
        obs = jnp.where(shown, jnp.stack([sign(cue), sign(room)]), 0.0)
        choice = (self.name == "doors") | (time > 0)
        return TimeStep(
            local=LocalView(
                obs=jnp.tile(obs, (2, 1)),
                legal=jnp.tile(jnp.array([True, False]) | choice, (2, 1)),
                last_action=action.astype(jnp.int32),
                alive=jnp.ones(2, bool),
            ),
            state=sign(self.right(state))[None],
            reward=won.astype(jnp.float32),
            discount=jnp.where(time == 2, 0.0, 1.0),
            first=time == 0,
            performance=won.astype(jnp.float32),
        )


KNOWN = World("earlier", lambda: NAMES, lambda name, options: Known(name))


def known(name, **student):
    """A run in such a world."""
    return Run(
        world="known",
        map=name,
        info="state",
        mixer="vdn",
        envs=16,
        hidden=4,
        test_episodes=256,  # one program for all tests of a team
        episodes=256,
        segment=5,
        value=ValueConfig(buffer=16, batch=4),
        finetune=FinetuneConfig(share=0.0),
        student=DistillConfig(
            share=0.0,
            data_steps=640,
            data_epsilon=0.0,
            steps=320,
            lr=1e-2,
            hidden=16,
            tests=1,
            test_episodes=256,
            **({"data": "own"} | student),
        ),
    )


def taught(config, path):
    """The folder of such a run: the teacher made by hand, the student by stage 2."""
    folder = RunFolder.create(config, path, "run")
    training = build.training(config, build.world(config), "teacher")
    made = training.taught(training.start().learner).teacher
    head = made.network.head
    does = jnp.zeros_like(head.weight).at[..., -1, :].set(jnp.array([-1.0, 1.0]))
    where = lambda teacher: (teacher.network.head.weight, teacher.network.head.bias)
    folder.finish("teacher", eqx.tree_at(where, made, (does, jnp.zeros_like(head.bias))))
    resume(path)
    return folder
