"""Worlds in processes that Ray actors play: the same bits as without them."""

import dataclasses
from contextlib import closing

import jax
import numpy as np
import psutil
import pytest
from tests.rollout.test_process import Counts, world_of
from tests.test_process_pipeline import LINE

from ptde import build
from ptde.folder import RunFolder
from ptde.ops.keys import key_of, new_key
from ptde.pipeline import run
from ptde.processes import WorldFailed
from ptde.rollout import actors
from ptde.rollout.actors import check_actors, copies_of, use_actors
from ptde.rollout.copies import LocalCopies
from ptde.rollout.runner import runner_of

LENGTH, EPISODES, COPIES = 7, 9, 4


def same(a, b) -> bool:
    return jax.tree.all(jax.tree.map(np.array_equal, a, b))


def played(copies):
    """A segment, a test, and another segment: from the same keys, the same bits."""
    one = copies.collect(Counts(), LENGTH, key=new_key(1))
    test = copies.evaluate(Counts(), EPISODES, key=new_key(2))
    return one, test, copies.collect(Counts(), LENGTH, key=new_key(3))


@pytest.fixture(scope="module")
def whole():
    with closing(world_of(copies=COPIES)) as world:
        return played(LocalCopies(world))


@pytest.mark.parametrize("parts", [2, 4])
def test_shares_play_what_the_whole_plays(whole, parts):
    world = world_of(copies=COPIES)
    shares = [world.share(index, parts) for index in range(parts)]
    done = [played(LocalCopies(share)) for share in shares]
    for share in shares:
        share.close()
    joined = lambda *x: np.concatenate(x)
    assert same(jax.tree.map(joined, *[d[0] for d in done]), whole[0])
    assert same(jax.tree.map(joined, *[d[2] for d in done]), whole[2])
    dealt = np.concatenate([share.dealt(EPISODES) for share in shares])
    assert sorted(dealt) == [*range(EPISODES)]
    tested = jax.tree.map(
        lambda *x: np.concatenate(x)[np.argsort(dealt)], *[d[1] for d in done]
    )
    assert same(tested, whole[1])


def test_a_key_arrives_as_it_was_sent():
    key = jax.random.fold_in(new_key(4), 7)
    there = key_of(np.asarray(jax.random.key_data(key)))
    assert there.dtype == key.dtype
    assert jax.random.uniform(there) == jax.random.uniform(key)


def test_without_actors_the_copies_are_this_machines():
    world = world_of()
    assert isinstance(copies_of(world), LocalCopies)
    assert not check_actors(world)


def needs_ray():
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ptde[ray]'")


def test_worlds_in_jax_and_no_actors_at_all_are_refused():
    needs_ray()
    probe = build.world(dataclasses.replace(LINE, world="probe", map="memory"))
    refused = pytest.raises(ValueError, match="leave out --ray and --actors")
    with use_actors(2, "local"), refused:  # no cluster is begun for it
        check_actors(probe)
    with pytest.raises(ValueError, match="actors"), use_actors(0, "local"):
        pass


@pytest.fixture
def two():
    """Two actors, on a cluster of their own."""
    needs_ray()
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with use_actors(2, "local"):
        yield actors._stage
    ended(before)


def ended(before: set[int]) -> None:
    """Waits for all processes that were not there before, and fails if one stays."""
    left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    assert not psutil.wait_procs(left, timeout=20)[1]


@pytest.mark.slow
def test_actors_play_what_this_machine_plays_and_lost_ones_are_replaced(two, whole, capsys):
    world = world_of(copies=COPIES)
    copies = copies_of(world)
    assert runner_of(world).copies is copies
    assert same(played(copies), whole)
    copies.lost()
    first = shares(psutil.Process())[0]
    first.kill()
    assert same(played(copies), whole)
    assert len(copies.lost()) >= 1
    assert "Ray lost the actor of copies" in capsys.readouterr().out
    assert copies.lost() == []


def shares(process: psutil.Process) -> list[psutil.Process]:
    """The processes of actors, below one process."""
    below = process.children(recursive=True)
    return [p for p in below if "ray::Share" in " ".join(p.cmdline())]


@pytest.mark.slow
def test_an_actor_that_is_lost_again_and_again_ends_the_run_with_what_to_type(
    two, monkeypatch
):
    monkeypatch.setattr(actors, "LOSSES", 1)
    copies = copies_of(world_of(copies=COPIES))
    copies.begin(key=new_key(1))
    replace = copies._replace

    def and_kill(index, error):
        replace(index, error)
        copies.stage.ray.kill(copies.actors[index])

    monkeypatch.setattr(copies, "_replace", and_kill)
    copies.stage.ray.kill(copies.actors[0])
    with pytest.raises(WorldFailed, match=r"2 times in a row .*`ptde resume RUN`"):
        copies.play(Counts(), LENGTH, key=new_key(1))


@pytest.mark.slow
def test_a_cluster_that_is_too_small_and_shares_that_differ_are_refused(two):
    world = world_of(copies=3)
    with pytest.raises(ValueError, match="--envs 4 or --actors 1"):
        check_actors(world)
    two.number = 10_000
    del two.__dict__["size"]
    with pytest.raises(ValueError, match=r"type --actors \d"):
        check_actors(world_of(copies=4))


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_a_run_ends_in_the_same_bits_with_actors(tmp_path, number):
    needs_ray()
    config = dataclasses.replace(LINE, steps=40, test_every=20)
    run(config, tmp_path / "local")
    with use_actors(number, "local"):
        run(config, tmp_path / "ray")
    env = build.world(config)
    for role in ("teacher", "student"):
        here, there = (
            RunFolder(tmp_path / name).model(role, env) for name in ("local", "ray")
        )
        assert same(here, there)
    results = [(tmp_path / name / "result.json").read_text() for name in ("local", "ray")]
    keep = lambda text: [line for line in text.splitlines() if "seconds" not in line]
    assert keep(results[0]) == keep(results[1])
