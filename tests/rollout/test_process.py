"""Worlds in processes of their own, played, tested and learnt from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, Int
from tests.processes.worlds import Line

from ptde import build
from ptde.agents.policy import FullPolicy
from ptde.algos.base import AbstractAlgorithm
from ptde.algos.mappo import MappoConfig
from ptde.config import Run
from ptde.envs.process import ProcessWorld
from ptde.envs.settings import ProcessConfig
from ptde.info import InfoSizes
from ptde.ops.keys import new_key
from ptde.ops.masks import valid_transitions
from ptde.processes import WorldFailed
from ptde.processes.pool import Maker
from ptde.rollout import process
from ptde.rollout.collect import rollout_shapes
from ptde.rollout.copies import LocalCopies
from ptde.rollout.process_runner import iterations
from ptde.types import PolicyOutput


def world_of(name="Line", copies=3, failures=3, quorum=1.0, **kwargs):
    maker = Maker.of(f"tests.processes.worlds:{name}", **kwargs)
    return ProcessWorld(
        "line", maker, ProcessConfig(failures=failures, quorum=quorum), copies
    )


class Counts(FullPolicy):
    """Remembers how many steps of the episode it has seen, and plays that modulo 3; 1 where
    0 is not legal."""

    def start(self, copies, n_agents):
        return jnp.zeros((copies, n_agents), jnp.int32)

    def __call__(self, carry, step, *, key):
        least = jnp.where(step.local.legal[..., 0], 0, 1)
        return carry + 1, PolicyOutput(jnp.maximum(carry % 3, least))


def check_against_the_world(rollout, length):
    """Every segment is what the world itself shows for its actions: nothing of a lost
    episode, no step twice, none left out."""
    steps = jax.tree.map(np.asarray, rollout.steps)
    for b in range(len(rollout.action)):
        for t in range(length + 1):
            obs = steps.local.obs[b, t]
            if steps.first[b, t]:
                env, last = Line(), np.full(2, -1)
                env.seed, env.time, env.place = int(obs[0, 0]), 0, obs[:, 2].astype(int)
                now = env.show()
            np.testing.assert_array_equal(obs, np.array(now.obs))
            np.testing.assert_array_equal(steps.local.legal[b, t], now.legal)
            np.testing.assert_array_equal(steps.local.last_action[b, t], last)
            assert steps.reward[b, t] == now.reward
            assert steps.discount[b, t] == 1 - now.ended
            assert steps.performance[b, t] == now.won
            if t < length and not now.ended:
                last = np.asarray(rollout.action[b, t])
                now = env.step(last)


def test_a_rollout_is_what_the_worlds_showed():
    world = world_of()
    rollout = LocalCopies(world).collect(Counts(), 12, key=new_key(0))
    world.close()
    assert rollout.action.shape == (3, 12, 2)
    assert rollout.steps.state.shape == (3, 13, 4)
    first = np.asarray(rollout.steps.first)
    assert first[:, [0, 5, 10]].all()  # four actions, and the reset that follows them
    assert first.sum() == 9
    check_against_the_world(rollout, 12)
    # The policy forgot at every reset: its action tells what it remembered.
    legal_or_more = np.asarray(rollout.action[:, [0, 1, 2, 3]])
    assert (legal_or_more >= np.arange(4)[None, :, None] % 3).all()


@pytest.mark.parametrize("time_out", ["bootstrap", "terminal"])
def test_a_time_out_ends_the_task_only_where_it_is_said_to(time_out):
    world = world_of("Endless")
    world.time_out = time_out
    steps = LocalCopies(world).collect(Counts(), 13, key=new_key(0)).steps
    world.close()
    first, discount = np.asarray(steps.first), np.asarray(steps.discount)
    assert first[:, [0, 7]].all() and first.sum() == 6
    last = np.zeros_like(first)
    last[:, [6, 13]] = True
    assert (discount[~last] == 1).all()
    assert (discount[last] == (time_out == "bootstrap")).all()


def test_a_rollout_can_be_repeated():
    world = world_of()
    a, b, other = (
        LocalCopies(world).collect(Counts(), 7, key=new_key(k)) for k in (1, 1, 2)
    )
    world.close()
    same = jax.tree.map(lambda x, y: np.array_equal(x, y), a, b)
    assert jax.tree.all(same)
    assert not np.array_equal(a.steps.local.obs, other.steps.local.obs)


def test_nothing_is_drawn_twice_for_seeds_and_actions(monkeypatch):
    used = {"seeds": [], "actions": []}
    draw, players = process.episode_seeds, process.Players

    def seeds(key, count):
        used["seeds"].append(key)
        return draw(key, count)

    class Watched(players):
        def __init__(self, policy, world, *, key):
            used["actions"].append(key)
            super().__init__(policy, world, key=key)

    monkeypatch.setattr(process, "episode_seeds", seeds)
    monkeypatch.setattr(process, "Players", Watched)
    world = world_of()
    LocalCopies(world).collect(Counts(), 5, key=new_key(1))
    process.evaluate(Counts(), world, 3, key=new_key(2))
    world.close()
    assert len(used["seeds"]) == len(used["actions"]) == 2
    drawn = [new_key(1), new_key(2)]  # which are split, so nothing is drawn from them
    for of_seeds, of_actions in zip(used["seeds"], used["actions"], strict=True):
        drawn += [of_seeds, of_actions, *jax.random.split(of_seeds)]  # as randint does
        drawn += [jax.random.fold_in(of_actions, tick) for tick in range(9)]
    data = {tuple(jax.random.key_data(key).tolist()) for key in drawn}
    assert len(data) == len(drawn)


def test_a_team_that_does_not_wait_for_all_sees_the_same_rules():
    world = world_of(quorum=0.34)
    rollout = LocalCopies(world).collect(Counts(), 11, key=new_key(0))
    world.close()
    check_against_the_world(rollout, 11)


@pytest.mark.parametrize("how", ["crash", "nan"])
def test_a_lost_episode_leaves_no_trace(tmp_path, how):
    world = world_of("Broken", how=how, file=str(tmp_path / "n"), every=4, failures=20)
    rollout = LocalCopies(world).collect(Counts(), 20, key=new_key(0))
    assert len(world.pool.reasons) >= 2
    world.close()
    check_against_the_world(rollout, 20)
    assert np.isfinite(rollout.steps.local.obs).all()
    episodes = np.diff(np.flatnonzero(np.asarray(rollout.steps.first[0])))
    assert (episodes == 5).all()
    assert valid_transitions(rollout.steps.first).sum() == 3 * 16


def test_a_world_that_always_fails_stops_the_run(tmp_path):
    world = world_of("Broken", how="crash", file=str(tmp_path / "n"), every=1, failures=1)
    with pytest.raises(WorldFailed, match=r"(?s)2 times in a row.*the ball is gone"):
        LocalCopies(world).collect(Counts(), 12, key=new_key(0))
    world.close()


@pytest.mark.parametrize("quorum", [1.0, 0.34])
def test_returns_are_those_of_whole_episodes_on_the_same_seeds(quorum):
    world = world_of("Scored", quorum=quorum)
    returns = process.evaluate(Counts(), world, 7, key=new_key(3))
    seeds = process.episode_seeds(jax.random.split(new_key(3))[0], 7)
    world.close()
    for i, seed in enumerate(seeds):
        env, total, memory = Line(), 0.0, 0
        now = env.reset(seed)
        while not now.ended:
            action = np.where(now.legal[:, 0], memory % 3, max(memory % 3, 1))
            now, memory = env.step(action), memory + 1
            total += now.reward
        assert returns.reward[i] == total
        assert returns.performance[i] == now.won
    np.testing.assert_array_equal(returns.length, [4] * 7)
    np.testing.assert_array_equal(returns.score, [4] * 7)


def test_an_episode_that_is_lost_in_a_test_is_played_again(tmp_path):
    world = world_of("Broken", how="crash", file=str(tmp_path / "n"), every=3, failures=20)
    returns = process.evaluate(Counts(), world, 9, key=new_key(3))
    assert world.pool.reasons
    world.close()
    np.testing.assert_array_equal(returns.length, [4] * 9)


def test_a_film_shows_every_step():
    world = world_of("Scored", copies=1)
    pictures, record = process.film(Counts(), world, key=new_key(0))
    world.close()
    assert [p[0, 0, 0] for p in pictures] == [0, 20, 40, 60, 80]
    assert record is None


@pytest.mark.parametrize("name", ["Drawn", "recorded"])
def test_a_recording_lies_in_the_folder_if_the_world_takes_one(name, tmp_path):
    how = {"how": "well"} if name == "Drawn" else {}
    world = world_of(name, **how).recording(tmp_path)
    pictures, record = process.film(Counts(), world, key=new_key(0))
    world.close()
    assert len(pictures) == 5
    assert record == ("own" if name == "Drawn" else str(tmp_path))


class Copies(AbstractAlgorithm):
    """Plays the number of its updates so far."""

    def init(self, example, *, key):
        return jnp.zeros((), jnp.int32)

    def behave(self, state):
        return Plays(state)

    def update(self, state, rollout, *, key):
        played = rollout.action[0, 0, 0].astype(jnp.float32)
        return state + 1, {"played": played}

    def teacher(self, state):
        raise NotImplementedError


class Plays(FullPolicy):
    """Always the same action."""

    action: Int[Array, ""]

    def start(self, copies, n_agents):
        return jnp.zeros((copies, n_agents), jnp.int32)

    def __call__(self, carry, step, *, key):
        action = jnp.broadcast_to(self.action + 1, step.local.last_action.shape)
        return carry, PolicyOutput(jnp.minimum(action, 2))


@pytest.mark.parametrize(("overlap", "played"), [(False, [1, 2, 2]), (True, [1, 1, 2])])
def test_a_segment_is_played_by_the_newest_networks_or_the_ones_before(overlap, played):
    config = ProcessConfig(overlap=overlap)
    world = ProcessWorld("line", Maker("tests.processes.worlds:Line"), config, copies=2)
    run = iterations(Copies(), LocalCopies(world), length=4)
    state, metrics = run(jnp.zeros((), jnp.int32), new_key(0), 0, 3)
    world.close()
    assert state == 3
    np.testing.assert_array_equal(metrics["played"], played)
    np.testing.assert_array_equal(metrics["lost_episodes"], [0, 0, 0])


def test_lost_episodes_are_counted(tmp_path):
    world = world_of("Broken", how="crash", file=str(tmp_path / "n"), every=4, failures=20)
    run = iterations(Copies(), LocalCopies(world), length=20)
    _, metrics = run(jnp.zeros((), jnp.int32), new_key(0), 0, 2)
    assert metrics["lost_episodes"].sum() >= 2
    world.close()


def test_mappo_replays_the_noise_of_what_was_played():
    small = Run(
        world="processes",
        map="tests.processes.worlds:Line",
        algo="mappo",
        envs=2,
        segment=10,
        hidden=8,
        info_config=InfoSizes(z=4, hyper_hidden=4),
        mappo=MappoConfig(epochs=1),
    )
    world = build.world(small)
    algo = build.learner(small, world.spec)
    example = rollout_shapes(world, copies=2, length=10)
    learner = jax.jit(lambda key: algo.init(example, key=key))(new_key(0))
    rollout = LocalCopies(world).collect(algo.behave(learner), 10, key=new_key(1))
    assert rollout.noise.shape == (2, 10, 2, 4)
    run = iterations(algo, LocalCopies(world), length=10)
    _, metrics = run(learner, new_key(1), 0, 2)
    world.close()
    np.testing.assert_allclose(metrics["ratio"], 1.0, atol=1e-6)
