"""A world of your own: agents on a line must meet at a place that only the state shows.

ptde run --world jax --map my_env:Meet,cells=11 --steps 150_000  (in this folder)
python examples/my_env.py [STEPS]                                (in any folder)
"""

import sys

import jax
import jax.numpy as jnp

from ptde import Run, run
from ptde.envs import WORLDS, AbstractEnv, World
from ptde.types import EnvSpec, LocalView, TimeStep

AGENTS, LIMIT = 2, 12


class Meet(AbstractEnv):
    """Agents that go left, stay or go right. They win when all stand on the goal."""

    def __init__(self, cells=9):
        self.cells = cells
        self.spec = EnvSpec("meet/line", AGENTS, cells, 2 * cells, 3, LIMIT)

    def reset_env(self, *, key):
        place = jax.random.randint(key, (AGENTS + 1,), 0, self.cells)
        state = (place[:AGENTS], place[AGENTS], jnp.zeros((), jnp.int32))
        return state, self.show(state, jnp.full(AGENTS, -1), jnp.zeros((), bool))

    def step_env(self, state, action, *, key):
        place, goal, time = state
        place = jnp.clip(place + action - 1, 0, self.cells - 1)
        met = jnp.all(place == goal)
        state = (place, goal, time + 1)
        return state, self.show(state, action, met), met | (time + 1 >= LIMIT)

    def show(self, state, action, met):
        place, goal, time = state
        where = jax.nn.one_hot(place, self.cells)
        return TimeStep(
            local=LocalView(
                obs=where,  # one's own place, and nothing of the goal
                legal=jnp.ones((AGENTS, 3), bool),
                last_action=action.astype(jnp.int32),
                alive=jnp.ones(AGENTS, bool),
            ),
            state=jnp.concatenate([where.sum(0), jax.nn.one_hot(goal, self.cells)]),
            reward=met.astype(jnp.float32),
            discount=1.0 - met,
            first=time == 0,
            performance=met.astype(float),
        )


WORLDS["meet"] = World("line", lambda: ("line",), lambda name, options: Meet())

if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 150_000
    run(Run(world="meet", map="line", steps=steps)).show()
