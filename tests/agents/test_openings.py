from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.agents.openings import LENGTHS, OpeningBandit, Openings
from ptde.agents.policy import FullPolicy
from ptde.ops.keys import new_key
from ptde.types import LocalView, PolicyOutput, Rollout, TimeStep

COPIES, AGENTS, ACTIONS = 512, 3, 5
STAYS = 4
"""What the policy does: an action that no opening has where it is not legal."""


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
NONE = jnp.zeros((), jnp.int32)


def number(action, length):
    return 1 + action * len(LENGTHS) + LENGTHS.index(length)


def play(policy, step, length):
    """One episode of so many steps: openings [T, B] and actions [T, B, n]."""

    def one(carry, time_key):
        time, key = time_key
        here = replace(step, first=jnp.full(COPIES, time == 0))
        carry, output = policy(carry, here, key=key)
        return carry, (output.opening, output.action)

    start = policy.start(COPIES, AGENTS)
    keys = jax.random.split(new_key(0), length)
    carry, seen = jax.lax.scan(one, start, (jnp.arange(length), keys))
    return carry, *map(np.asarray, seen)


def test_an_opening_is_one_action_of_all_for_its_length_and_then_the_policys():
    carry, opening, action = play(Openings(Stays(), NONE, 0.5), a_step(MOVES), 20)
    assert (opening == opening[0]).all()
    drawn = opening[0]
    assert (drawn > 0).mean() == pytest.approx(0.5, abs=0.07)
    assert set(drawn) == {0} | {number(a, n) for a in range(STAYS) for n in LENGTHS}
    for copy, which in enumerate(drawn):
        kind, index = divmod(which - 1, len(LENGTHS))
        length = LENGTHS[index] if which else 0
        assert (action[:length, copy] == kind).all()
        assert (action[length:, copy] == STAYS).all()
    assert (np.asarray(carry.inner) == 20).all()


def test_half_of_the_openings_repeat_the_best_where_it_is_legal():
    best = jnp.asarray(number(2, 16))
    _, opening, _ = play(Openings(Stays(), best, 1.0), a_step(MOVES), 2)
    assert (opening[0] == best).mean() == pytest.approx(0.5 + 0.5 / 12, abs=0.07)
    _, opening, _ = play(Openings(Stays(), best, 1.0), a_step(MOVES.at[2].set(False)), 2)
    assert (opening > 0).all()
    assert (opening != best).all()


def test_who_cannot_do_it_acts_for_itself_and_the_dead_do_not_count():
    # Agent 0 can do 0 and 1, agent 1 can do 0 alone, agent 2 is dead and can do nothing.
    legal = np.zeros((AGENTS, ACTIONS), bool)
    legal[:2, 0], legal[0, 1], legal[:, STAYS] = True, True, True
    alive = jnp.ones((COPIES, AGENTS), bool).at[:, 2].set(False)
    policy = Openings(Stays(), NONE, 1.0)
    carry, _, action = play(policy, a_step(legal, alive), 4)
    assert set(np.unique(action[..., :2])) == {0, STAYS}
    assert (action[..., 2] == STAYS).all()
    # Now it is under way, and agent 1 can do it no longer.
    carry = carry._replace(
        opening=jnp.full(COPIES, number(0, 16)), left=jnp.full(COPIES, 12)
    )
    legal[1, 0] = False
    _, output = policy(carry, a_step(legal, alive), key=new_key(1))
    assert (np.asarray(output.action) == [0, STAYS, STAYS]).all()


def test_where_nothing_is_legal_for_all_there_is_no_opening():
    legal = jnp.eye(AGENTS, ACTIONS, dtype=bool)
    _, opening, action = play(Openings(Stays(), NONE, 1.0), a_step(legal), 5)
    assert (action == STAYS).all()
    assert (opening == 0).all()


def test_messages_are_the_policys():
    policy = Openings(Stays(), NONE, 0.5)
    before = policy.start(COPIES, AGENTS)
    after, _ = policy(before, a_step(MOVES), key=new_key(0))
    assert (policy.sent(before, after) == 1).all()


def segments(openings, first, reward):
    """A rollout of which only these are read: [B, T], [B, T + 1], [B, T + 1]."""
    rows, time = np.shape(first)
    wide = lambda x: jnp.zeros((rows, time, *x.shape[1:]), x.dtype)
    steps = jax.tree.map(wide, a_step(MOVES))
    steps = replace(steps, first=jnp.asarray(first, bool), reward=jnp.asarray(reward))
    action = jnp.zeros((rows, time - 1, AGENTS), jnp.int32)
    return Rollout(steps, action, opening=jnp.asarray(openings))


def test_the_bandit_has_the_mean_return_of_whole_first_episodes():
    bandit = OpeningBandit.new(ACTIONS)
    assert bandit.best() == 0
    rollout = segments(
        openings=[[3, 3, 3, 5], [5, 5, 2, 2], [0, 0, 0, 0]],
        first=[[1, 0, 0, 1, 0], [1, 0, 1, 0, 0], [1, 0, 0, 0, 0]],
        reward=[[9.0, 1, 2, 0, 8], [9, 4, 0, 8, 8], [9, 1, 1, 1, 1]],
    )
    bandit = bandit.add(rollout)
    assert bandit.returned[jnp.array([0, 2, 3, 5])].tolist() == [4, 0, 3, 4]
    assert bandit.episodes[jnp.array([0, 2, 3, 5])].tolist() == [1, 0, 1, 1]
    assert bandit.best() == 5  # (4 + 2 * 4) / 3 is more than (3 + 2 * 4) / 3
    later = bandit.add(rollout).add(rollout)
    assert 1 < later.returned[3] / 3 == later.episodes[3] < 3  # what is past counts less


def test_a_few_episodes_do_not_make_an_opening_the_best():
    bandit = OpeningBandit.new(ACTIONS)
    bandit = replace(
        bandit,
        returned=bandit.returned.at[jnp.array([0, 1, 2])].set(jnp.array([40.0, 5, 60])),
        episodes=bandit.episodes.at[jnp.array([0, 1, 2])].set(jnp.array([20.0, 1, 15])),
    )
    assert bandit.best() == 2  # a mean of 4 beats a 5 that was seen once, as 0 has 2


def test_where_every_episode_has_an_opening_their_mean_stands_for_what_is_usual():
    at = jnp.array([1, 2])
    bandit = replace(
        OpeningBandit.new(ACTIONS),
        returned=OpeningBandit.new(ACTIONS).returned.at[at].set(jnp.array([-300.0, -24])),
        episodes=OpeningBandit.new(ACTIONS).episodes.at[at].set(jnp.array([20.0, 1])),
    )
    assert bandit.best() == 1  # -15 often is better than -24 once, not worse as rarer
