import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde.envs import make_env
from ptde.envs.jaxmarl import MAPS, REFUSED, JaxMarl, jaxmarl, refusal, registered_envs
from ptde.envs.registry import WORLDS
from ptde.processes.adapters.jaxmarl import CONTINUOUS, TEAMS, misfit


def play(env, actions):
    """The steps of a new episode, from its first."""
    state, step = env.reset(key=jax.random.key(0))
    steps, one = [step], jax.jit(env.step)
    for t, action in enumerate(actions):
        state, step = one(state, jnp.array(action), key=jax.random.key(t))
        steps.append(step)
    return steps


def test_every_world_of_the_package_is_played_or_refused_with_a_reason():
    assert set(MAPS) <= set(registered_envs)
    for name in set(registered_envs) - set(MAPS):
        why = refusal(name)
        assert why.startswith(f"--map {name} does not fit: ")
        assert "this version of ptde" not in why
        assert "ype --map MPE" in why or "type --world smax" in why
    assert refusal("no_such_world") is None
    with pytest.raises(ValueError, match="did you mean --map MPE_simple_spread_v3"):
        make_env("jaxmarl", "simple_spread")
    with pytest.raises(ValueError, match="several teams play against each other"):
        make_env("jaxmarl", "MPE_simple_tag_v3")


@pytest.mark.parametrize("name", [n for n in REFUSED if n.startswith("MPE")])
def test_the_reasons_are_the_packages(name):
    why = misfit(jaxmarl.make(name))
    assert why is not None
    assert why.partition(" (")[0] in REFUSED[name]


@pytest.mark.parametrize("reason", [TEAMS, CONTINUOUS])
def test_a_package_that_has_changed_is_refused(reason, monkeypatch):
    """The name is one that is played, and the world is none for a team any more."""
    other = "MPE_simple_tag_v3" if reason == TEAMS else "MPE_simple_world_comm_v3"
    game = jaxmarl.make(other)
    monkeypatch.setattr(jaxmarl, "make", lambda name: game)
    with pytest.raises(ValueError, match=reason):
        JaxMarl("MPE_simple_spread_v3")


@pytest.mark.parametrize("name", MAPS)
def test_sizes_are_known_before_a_world_is_made(name):
    s = make_env("jaxmarl", name).spec
    made = (s.time_limit, s.n_agents, s.n_actions, s.obs_dim, s.state_dim)
    assert WORLDS["jaxmarl"].sizes(name) == made


def test_it_is_what_the_package_plays():
    env = make_env("jaxmarl", "MPE_simple_spread_v3")
    state, step = env.reset_env(key=jax.random.key(3))
    game = env.game
    obs, inner = game.reset(jax.random.key(3))
    done, steps = False, 0
    while not done:
        np.testing.assert_allclose(step.local.obs, jnp.stack(list(obs.values())))
        key, action = jax.random.key(steps), jnp.array([steps % 5, 1, 4])
        state, step, last = env.step_env(state, action, key=key)
        obs, inner, rewards, dones, _ = game.step_env(
            key, inner, dict(zip(game.agents, action, strict=True))
        )
        np.testing.assert_allclose(step.reward, np.mean(list(rewards.values())), rtol=1e-5)
        done, steps = bool(dones["__all__"]), steps + 1
        assert bool(last) == done
        assert step.discount == 1  # its time is up, and nothing else ever
    assert steps == env.spec.time_limit


def test_agents_of_different_kinds_are_filled_up():
    env = make_env("jaxmarl", "MPE_simple_speaker_listener_v4")
    _, step = env.reset(key=jax.random.key(0))
    np.testing.assert_array_equal(step.local.legal, [[1, 1, 1, 0, 0], [1] * 5])
    assert not step.local.obs[0, 3:].any()
    assert step.local.obs[1, 3:].any()


def test_who_tells_ends_the_riddle_and_time_does_not():
    env = make_env("jaxmarl", "switch_riddle")
    first, told = play(env, [[2, 2, 2]])
    assert first.first
    assert (told.reward, told.discount, told.performance) == (-1, 0, 0)
    late = play(env, [[0, 0, 0]] * 7)
    assert [float(s.discount) for s in late] == [1] * 8
    assert [bool(s.first) for s in late] == [True, *[False] * 6, True]
    done = {"time_out": "terminal"}
    late = play(make_env("jaxmarl", "switch_riddle", done), [[0, 0, 0]] * 7)
    assert [float(s.discount) for s in late] == [*[1] * 6, 0, 1]


def test_the_riddle_is_won_by_who_tells_when_all_have_been_there():
    env = make_env("jaxmarl", "switch_riddle")
    (game, *rest), _ = env.reset_env(key=jax.random.key(0))
    game = game.replace(has_been=jnp.ones_like(game.has_been), step=game.step + 5)
    state = (game, rest[0] + 5, rest[1])  # in the last step of the time that there is
    _, step, last = env.step_env(state, jnp.array([2, 2, 2]), key=jax.random.key(0))
    assert bool(last)
    assert (step.reward, step.discount, step.performance) == (1, 0, 1)


def test_hanabis_turns_are_legal_and_its_score_is_what_was_built():
    env = make_env("jaxmarl", "hanabi")

    def one(now, key):
        (state, last), step = now[:2], now[2]
        legal = step.local.legal
        action = jnp.argmax(jax.random.uniform(key, legal.shape) * legal, -1)
        state, step, last = env.step_env(state, action, key=key)
        return (state, last, step), (step, last, state[0].score, state[0].life_tokens.sum())

    def roll(key):
        state, step = env.reset_env(key=key)
        begun = (state, jnp.zeros((), bool), step)
        return jax.lax.scan(one, begun, jax.random.split(key, 60))[1]

    with warnings.catch_warnings():
        steps, last, score, lives = jax.jit(roll)(jax.random.key(1))
    end = int(np.argmax(last))
    assert last[end]
    choices = np.asarray(steps.local.legal[:end]).sum(-1)
    assert (np.sort(choices, -1)[:, 0] == 1).all()  # one waits
    assert (np.sort(choices, -1)[:, 1] > 1).all()  # and one acts
    assert steps.discount[end] == 0
    np.testing.assert_allclose(steps.performance[end], score[end] / 25)
    if lives[end] == 0:
        assert score[end] == 0  # the fireworks are lost with the last life
