import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents.excursions import Excursions, Journey
from ptde.agents.policy import FullPolicy
from ptde.ops.keys import new_key
from ptde.types import LocalView, PolicyOutput, TimeStep

COPIES, AGENTS, ACTIONS = 512, 3, 5
STAYS = 4
"""What the policy does: an action that no excursion can have, where it is not legal."""


class Stays(FullPolicy):
    def start(self, copies, n_agents):
        return jnp.zeros(copies)

    def __call__(self, carry, step, *, key):
        action = jnp.full(step.local.alive.shape, STAYS, jnp.int32)
        return carry + 1, PolicyOutput(action)

    def sent(self, before, after):
        return (after - before).astype(jnp.int32)


def a_step(legal, alive=None):
    legal = jnp.broadcast_to(jnp.asarray(legal), (COPIES, AGENTS, ACTIONS))
    alive = jnp.ones((COPIES, AGENTS), bool) if alive is None else alive
    nothing = jnp.zeros(COPIES)
    local = LocalView(
        obs=jnp.zeros((COPIES, AGENTS, 1)),
        legal=legal,
        last_action=jnp.zeros((COPIES, AGENTS), jnp.int32),
        alive=alive,
    )
    return TimeStep(
        local=local,
        state=jnp.zeros((COPIES, 1)),
        reward=nothing,
        discount=nothing + 1,
        first=nothing > 0,
        performance=nothing,
    )


MOVES = jnp.arange(ACTIONS) != STAYS


def play(policy, step, length):
    def one(carry, key):
        carry, output = policy(carry, step, key=key)
        return carry, output.action

    start = policy.start(COPIES, AGENTS)
    carry, action = jax.lax.scan(one, start, jax.random.split(new_key(0), length))
    return carry, np.asarray(action)  # [T, B, n]


def test_all_agents_repeat_one_action_for_its_share_of_the_steps():
    carry, action = play(Excursions(Stays(), 0.2, 8.0), a_step(MOVES), 400)
    assert (action == action[..., :1]).all()
    away = action[100:, :, 0] != STAYS
    assert away.mean() == pytest.approx(0.2, abs=0.01)
    # the chance that an excursion goes on, in the same direction (or is drawn anew)
    going = (action[101:, :, 0] == action[100:-1, :, 0])[away[:-1]]
    assert going.mean() == pytest.approx(7 / 8, abs=0.01)
    assert set(np.unique(action)) == {0, 1, 2, 3, STAYS}
    assert (np.asarray(carry.inner) == 400).all()


def test_who_cannot_do_it_acts_for_itself_and_the_dead_do_not_count():
    # Agent 0 can do 0 and 1, agent 1 can do 0 alone, agent 2 is dead and can do nothing.
    legal = np.zeros((AGENTS, ACTIONS), bool)
    legal[:2, 0], legal[0, 1], legal[:, STAYS] = True, True, True
    alive = jnp.ones((COPIES, AGENTS), bool).at[:, 2].set(False)
    policy = Excursions(Stays(), 0.5, 4.0)
    _, action = play(policy, a_step(legal, alive), 50)
    assert set(np.unique(action[..., :2])) == {0, STAYS}
    assert (action[..., 2] == STAYS).all()
    # Now it is under way, and agent 1 can do it no longer.
    going = Journey(jnp.zeros(COPIES), jnp.ones(COPIES, jnp.int32))
    legal[1, 0] = False
    carry, output = policy(going, a_step(legal, alive), key=new_key(1))
    still = np.asarray(carry.action) == 1
    assert 0.6 < still.mean() < 0.9
    assert (np.asarray(output.action)[still] == [0, STAYS, STAYS]).all()


def test_where_nothing_is_legal_for_all_there_is_no_excursion():
    legal = jnp.eye(AGENTS, ACTIONS, dtype=bool)
    carry, action = play(Excursions(Stays(), 0.9, 8.0), a_step(legal), 20)
    assert (action == STAYS).all()
    assert (np.asarray(carry.action) == 0).all()


def test_messages_are_the_policys():
    policy = Excursions(Stays(), 0.5, 8.0)
    before = policy.start(COPIES, AGENTS)
    after, _ = policy(before, a_step(MOVES), key=new_key(0))
    assert (policy.sent(before, after) == 1).all()
