import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from ptde import build
from ptde.config import Run
from ptde.envs import make_env
from ptde.envs.process import ProcessWorld
from ptde.envs.settings import ProcessConfig
from ptde.processes import WorldFailed
from ptde.processes.pool import Maker, Pool, seed_of, sizes_of

WORLDS = "tests.processes.worlds"


def pool_of(target, copies=2, patience=30.0, failures=3, **kwargs):
    maker = Maker.of(f"{WORLDS}:{target}", **kwargs)
    return Pool(maker, sizes_of(maker, 30.0), copies, patience, failures)


def episode(pool, copies):
    """Plays until every copy has come to an end once; the seeds of those that ended."""
    ended = {}
    while len(ended) < len(copies):
        for index in pool.ready(1):
            if index in ended:
                continue
            if pool.slots.last[index]:
                ended[index] = int(pool.slots.obs[index, 0, 0])
                pool.succeeded(index)
            else:
                pool.slots.action[index] = 1
                pool.step([index])
    return ended


def test_a_copy_shows_its_episode_in_shared_memory():
    pool = pool_of("Line")
    pool.begin([0, 1], [7, 8], on=True)
    assert pool.ready(2) == [0, 1]
    s = pool.slots
    np.testing.assert_array_equal(s.obs[:, 0, :2], [[7, 0], [8, 0]])
    assert s.first.all()
    assert not s.last.any()
    for time_now in range(1, 5):
        s.action[:] = 2  # one cell up
        pool.step([0, 1])
        pool.ready(2)
        np.testing.assert_array_equal(s.obs[:, 0, 1], [time_now] * 2)
        np.testing.assert_array_equal(s.reward, s.obs[:, :, 2].sum(1))
    assert s.last.all()
    np.testing.assert_array_equal(s.discount, [0, 0])
    pool.step([0, 1])  # whatever the action: the next episode begins
    pool.ready(2)
    np.testing.assert_array_equal(s.obs[:, 0, :2], [[8, 0], [9, 0]])
    np.testing.assert_array_equal(s.reward, [0, 0])
    assert s.first.all()
    pool.close()


def test_time_runs_out_in_a_world_without_an_end():
    pool = pool_of("Endless", copies=1)
    pool.begin([0], [0], on=False)
    pool.ready(1)
    for _ in range(6):
        assert not pool.slots.last[0]
        pool.slots.action[:] = 1
        pool.step([0])
        pool.ready(1)
    assert pool.slots.last[0]
    assert pool.slots.discount[0] == 1  # its time is over, its task is not
    pool.close()


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("crash", "RuntimeError: the ball is gone"),
        ("die", "its process ended with status 7. It printed last:\na word before the end"),
        ("hang", "it did not answer within 2 s"),
        ("nan", "obs holds NaN"),
        ("grow", "sizes must not change"),
        ("stuck", "agent 1 has no legal action"),
    ],
)
def test_a_failing_copy_begins_another_episode_in_a_new_process(tmp_path, how, text):
    pool = pool_of("Broken", 1, patience=2.0, how=how, file=str(tmp_path / "n"), every=3)
    pids = {pool.copies[0].process.pid}
    pool.ready(1)
    (tmp_path / "n").write_text("..")  # two were begun: the next episode is bad
    pool.begin([0], [5], on=False)
    while not pool.slots.last[0] or pool.copies[0].awaited:
        pool.ready(1)
        if not pool.slots.last[0]:
            pool.slots.action[:] = 1
            pool.step([0])
    pids.add(pool.copies[0].process.pid)
    assert len(pids) == 2
    assert pool.lost == [0]
    assert text in pool.reasons[0]
    assert pool.slots.obs[0, 0, 0] != 5  # another seed of its line
    pool.close()


def test_a_games_output_is_kept_up_to_a_size_and_its_last_words_in_any_case():
    pool = pool_of("Loud", copies=1, failures=0)
    log = pool.copies[0].log.fileno()
    pool.begin([0], [5], on=False)
    pool.ready(1)
    for _ in range(3):
        pool.slots.action[:] = 1
        pool.step([0])
        pool.ready(1)
    assert os.fstat(log).st_size < 10_000  # 1.2 MB were printed
    pool.step([0])
    with pytest.raises(WorldFailed, match=r"(?s)status 7.*x\nthe last word$"):
        pool.ready(1)
    pool.close()


def born(world):
    """The seed with which each copy was made, as its observation shows it."""
    world.pool.begin(range(world.copies), [0] * world.copies, on=False)
    world.pool.ready(world.copies)
    return world.pool.slots.obs[:, 0, 0].tolist()


def test_a_copy_is_made_with_a_seed_of_the_run_and_of_its_number():
    world = lambda seed: make_env("processes", f"{WORLDS}:Born", {"envs": 4, "seed": seed})
    whole, other, again = world(0), world(1), world(0)
    shares = [whole.share(index, 2) for index in range(2)]  # as on two actors
    seeds = [born(w) for w in (whole, other, *shares)]
    assert len({*seeds[0], *seeds[1]}) == 8
    assert seeds[2] + seeds[3] == seeds[0]
    assert born(again) == seeds[0]
    for each in (whole, other, *shares, again):
        each.close()


def test_a_run_makes_its_world_with_its_seed():
    runs = [Run(world="processes", map=f"{WORLDS}:Born", seed=seed) for seed in (0, 1)]
    assert [build.world(run).seed for run in runs] == [0, 1]


def test_a_new_process_gets_a_new_seed_whatever_the_lost_episodes_was(tmp_path):
    for episodes_seed in (5, 6):
        (tmp_path / "crash").touch()
        pool = pool_of("Born", 1, crash=str(tmp_path / "crash"))
        pool.begin([0], [episodes_seed], on=False)
        assert episode(pool, [0]) == {0: seed_of(0, 0, 1) % 1009}
        assert pool.lost == [0]
        pool.close()


def test_too_many_failures_in_a_row_stop_with_the_worlds_own_words(tmp_path):
    file = str(tmp_path / "n")
    pool = pool_of("Broken", 1, failures=2, how="crash", file=file, every=1)
    pool.begin([0], [5], on=False)
    with pytest.raises(WorldFailed, match=r"(?s)3 times in a row.*the ball is gone"):
        episode(pool, [0])
    pool.close()


def test_an_episode_that_ends_well_forgives_the_failures_before_it(tmp_path):
    file = tmp_path / "n"
    pool = pool_of("Broken", 1, failures=1, how="crash", file=str(file), every=3)
    for _ in range(3):
        pool.ready(1)
        file.write_text("..")  # the next episode is bad, the one after it good
        pool.begin([0], [5], on=False)
        episode(pool, [0])
    assert len(pool.lost) == 3
    pool.close()


def test_a_world_that_cannot_start_says_why():
    with pytest.raises(ValueError, match=r"(?s)cannot be started.*unexpected keyword"):
        sizes_of(Maker.of(f"{WORLDS}:Line", size=[3]), 30.0)
    with pytest.raises(ValueError, match=r"(?s)cannot be started.*cannot import 'nowhere'"):
        sizes_of(Maker("nowhere:Game"), 30.0)


def test_a_copy_of_other_sizes_is_refused():
    maker = Maker(f"{WORLDS}:Line")
    sizes = sizes_of(Maker("mpe2.simple_spread_v3:parallel_env"), 60.0)
    pool = Pool(maker, sizes, 1, 30.0, failures=0)
    pool.begin([0], [0], on=False)
    with pytest.raises(WorldFailed, match="the first one was"):
        pool.ready(1)
    pool.close()


def test_more_copies_than_the_memory_holds_are_refused():
    world = ProcessWorld("line", Maker(f"{WORLDS}:Line"), ProcessConfig(), copies=1)
    world.check_copies(2, seeds=1)
    with pytest.raises(ValueError, match=r"--envs 1000000 needs .* GB a copy.*type --envs"):
        world.check_copies(1_000_000, seeds=1)
    with pytest.raises(ValueError, match="one seed at a time"):
        world.check_copies(2, seeds=3)


REAPS = """
import ctypes, psutil, sys
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
from ptde.processes.pool import Maker, Pool, sizes_of
maker = Maker.of("tests.processes.worlds:Parent", file=sys.argv[1])
pool = Pool(maker, sizes_of(maker, 60.0), 2, 60.0, 3)
pool.begin([0, 1], [0, 1], on=True)
pool.ready(2)
pool.close()
print(psutil.Process().children())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives orphans to others")
def test_no_process_is_left_to_a_containers_first_one(tmp_path):
    """To it, as to one that reaps, the system gives what ended processes had started."""
    words = [sys.executable, "-c", REAPS, str(tmp_path / "pids")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


PLAY = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
sys.path.insert(0, ".")
from ptde.processes.pool import Maker, Pool, sizes_of
maker = Maker.of("tests.processes.worlds:Parent", file=sys.argv[1])
pool = Pool(maker, sizes_of(maker, 30.0), 2, 30.0, 3)
pool.begin([0, 1], [0, 1], on=True)
pool.ready(2)
print("ready", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_nothing_stays_when_the_teams_process_is_killed(tmp_path, how):
    file = tmp_path / "pids"
    words = [sys.executable, "-c", PLAY, str(file)]
    team = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert team.stdout.readline() == b"ready\n"
    pids = [int(x) for line in file.read_text().splitlines()[1:] for x in line.split()]
    assert len(pids) == 4  # two games, each with a process of its own
    assert all(psutil.pid_exists(pid) for pid in pids)
    os.kill(team.pid, how)
    team.wait(20)
    deadline = time.monotonic() + 20
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_lives(pid) for pid in pids)


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
