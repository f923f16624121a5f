"""Runs on a Ray cluster of two machines, of which one is lost."""

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from campaigns.common import equal
from tests.compare.test_shard import refusal

from ptde import cluster as cluster_of
from ptde.cli import main
from ptde.cli.compare import _with_address
from ptde.compare import ray_workers
from ptde.compare.lease import Lease
from ptde.compare.plan import PLANS
from ptde.compare.ray_task import Job, _locked_by_another
from ptde.compare.ray_workers import OnRay, _check_machines, run_on_ray
from ptde.compare.workers import WorkerFailed, run_side_by_side
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.jobs.checkpoint import Checkpoints
from ptde.jobs.interrupt import HEARD, STOPPED, Interrupted
from ptde.jobs.record import Record
from ptde.options import put
from ptde.rollout.cache import programs_folder

LITTLE = {
    "world": "probe",
    "map": "personal",
    "info": "none",
    "steps": 6_400,
    "envs": 2,
    "segment": 16,
    "hidden": 8,
    "value.buffer": 8,
    "value.batch": 2,
    "mixer_config.embed": 4,
    "mixer_config.hypernet_hidden": 4,
    "test_every": 64,
    "checkpoint_every": 64,
    "test_episodes": 4,
    "episodes": 4,
}


def begun(path: Path, seed: int = 0, **options) -> Path:
    RunFolder.create(
        put(Run(world="probe"), {**LITTLE, "seed": seed, **options}), path, "run"
    )
    return path


def count_rows(folder: Path) -> int:
    return len(Record(folder / "teacher" / "record.jsonl").rows())


def machines(folder: Path) -> list[str]:
    """The machines that a run was on, by the beginnings of Ray's names for them."""
    log = folder / "log.txt"
    return re.findall(r"Ray node (\w{8})", log.read_text()) if log.exists() else []


def at_work(place: Path) -> list[psutil.Process]:
    """The processes that train in run folders below a folder."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.startswith(f"{place}/") for word in words) and "-c" in words:
            found.append(process)
    return found


def said_in(place: Path) -> str:
    return (place / "said").read_text()


def lost_node(cluster, folder: Path) -> str:
    return next(m.node_id for m in cluster.machines if m.node_id[:8] == machines(folder)[0])


def alive(node: str) -> bool:
    import ray

    return any(n["Alive"] for n in ray.nodes() if n["NodeID"] == node)


@pytest.fixture
def cluster(monkeypatch):
    """A head, on which nothing runs, and two machines of one CPU."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ptde[ray]'")
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(programs_folder()))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setattr(ray_workers, "LOOK", 0.2)
    little = {"object_store_memory": 100 * 2**20}
    soon = {"health_check_period_ms": 1_000, "health_check_timeout_ms": 2_000}
    head = {"num_cpus": 0, "_system_config": soon, **little}
    made = Cluster(initialize_head=True, head_node_args=head)
    try:
        made.machines = [made.add_node(num_cpus=1, **little) for _ in range(2)]
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


# -- with a cluster


@pytest.mark.slow
def test_a_lost_machines_run_goes_on_elsewhere_to_the_same_bits(cluster, tmp_path, capsys):
    one, two = begun(tmp_path / "a" / "0"), begun(tmp_path / "a" / "1", seed=1)
    kept, seen = [], set()

    def look(running):
        seen.update(running)
        if kept or count_rows(one) < 3 or not machines(two):
            return
        saved = Checkpoints(one / "teacher" / "checkpoints").steps()
        lost = next(m for m in cluster.machines if m.node_id == lost_node(cluster, one))
        rows = Record(one / "teacher" / "record.jsonl").rows()
        kept.extend(row for row in rows if row["steps"] <= saved[-1])
        cluster.remove_node(lost, allow_graceful=False)

    run_on_ray([one, two], OnRay(cluster.address), look)
    assert kept and seen == {one, two}
    first, second = machines(one)
    assert first != second and machines(two) == [second]
    said = capsys.readouterr().out
    assert f"(Ray node {first}) was lost: {one} goes on at" in said
    assert "state-dump" not in said
    rows = Record(one / "teacher" / "record.jsonl").rows()
    assert rows[: len(kept)] == kept  # clocks and all: it was not begun anew
    assert len(rows) > len(kept)
    whole = begun(tmp_path / "whole")
    run_side_by_side([whole], 1, lambda running: None)
    assert equal(one, whole) and not equal(two, whole)
    left = {path.name for path in one.iterdir()} - {path.name for path in whole.iterdir()}
    assert not left and not at_work(tmp_path)


@pytest.mark.slow
def test_ctrl_c_saves_the_runs_and_one_that_fails_by_itself_is_not_tried_again(
    cluster, tmp_path
):
    one, waits = begun(tmp_path / "0", steps=640_000), begun(tmp_path / "2", seed=2)
    broken = begun(tmp_path / "1", seed=1)
    (broken / "teacher" / "model").parent.mkdir()
    (broken / "teacher" / "model").write_text("no folder")

    def stop(running):
        if count_rows(one) > 2:
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted, match="the same command goes on"):
        run_on_ray([one], OnRay(cluster.address), stop)
    assert signal.getsignal(signal.SIGTERM) == usual
    assert (
        Checkpoints(one / "teacher" / "checkpoints").steps()[-1]
        == (Record(one / "teacher" / "record.jsonl").rows()[-1]["steps"])
    )
    assert "is saved at" in (one / "log.txt").read_text()
    with pytest.raises(WorkerFailed, match=r"/1 failed with exit status \d+:\n"):
        run_on_ray([broken, waits], OnRay(cluster.address), lambda running: None)
    assert len(machines(broken)) == 1
    assert (waits / "result.json").exists()  # whatever became of the other
    assert not at_work(tmp_path)
    assert not list(tmp_path.glob(".ray-*"))
    assert not (one / ".lease").exists()


@pytest.mark.slow
def test_a_machine_that_lives_unseen_has_its_run_until_it_dies(cluster, tmp_path):
    one, state, most = begun(tmp_path / "0", steps=102_400), [], []

    def look(running):
        most.append(len(at_work(tmp_path)))
        if not state and count_rows(one) > 2:
            lost = next(m for m in cluster.machines if m.node_id == lost_node(cluster, one))
            raylet = lost.all_processes["raylet"][0].process.pid
            state.extend([psutil.Process(raylet), time.monotonic(), count_rows(one)])
            state[0].suspend()  # Ray takes the machine for dead, and its run goes on
        elif len(state) == 3 and not alive(lost_node(cluster, one)):
            state.append(time.monotonic())
        elif len(state) == 4 and time.monotonic() - state[3] > 10:
            state.append(count_rows(one))
            assert len(machines(one)) == 1  # the other machine waits for the lease
            state[0].resume()  # it hears that it is dead, and dies

    run_on_ray([one], OnRay(cluster.address), look)
    assert len(state) == 5 and state[2] < state[4] < 1_600  # of 1,601: it died on its way
    assert max(most) == 1
    first, second = machines(one)
    assert first != second
    whole = begun(tmp_path / "whole", steps=102_400)
    run_side_by_side([whole], 1, lambda running: None)
    assert equal(one, whole)


@pytest.mark.slow
def test_the_command_is_stopped_and_goes_on(cluster, tmp_path):
    plan, out = tmp_path / "plan.toml", tmp_path / "out"
    options = "".join(
        f'"{name.rpartition(".")[2]}" = {value!r}\n'
        for name, value in LITTLE.items()
        if name not in ("map", "info", "steps")
    ).replace("'", '"')
    plan.write_text(
        'methods = ["qmix"]\nmaps = ["personal"]\nseeds = 2\n'
        f"[steps]\npersonal = 4_800\n[run]\n{options}"
    )
    words = ["compare", str(plan), "--out", str(out), "--ray", cluster.address]
    runs = [out / "personal" / "qmix" / f"{seed}" for seed in (0, 1)]
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "ptde", *words], stdout=said, stderr=said
        )
    until = time.monotonic() + 240
    while min(map(count_rows, runs)) < 2:
        assert process.poll() is None and time.monotonic() < until, said_in(tmp_path)
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == STOPPED
    assert HEARD.strip() in said_in(tmp_path)
    assert "stopped: the runs are saved; the same command goes on" in said_in(tmp_path)
    assert "0 of 2 runs done" in said_in(tmp_path)
    assert not at_work(tmp_path)
    rows = [Record(run / "teacher" / "record.jsonl").rows() for run in runs]
    assert main(words) == 0
    for before, run in zip(rows, runs, strict=True):
        after = Record(run / "teacher" / "record.jsonl").rows()
        assert after[: len(before)] == before and len(after) == 75
    assert (out / "table.md").exists()


def test_machines_that_do_not_fit_are_named(cluster, tmp_path):
    import ray

    ray.init(cluster.address, log_to_driver=False)
    (tmp_path / "mark").touch()
    _check_machines(ray, Job(tmp_path / "mark", 1, 0.0))
    with pytest.raises(ValueError, match=r"does not see .*: type an --out on a disk"):
        _check_machines(ray, Job(tmp_path / "other" / "mark", 1, 0.0))
    with pytest.raises(ValueError, match=r"--cpus 2: the largest machine .* has 1 CPUs"):
        _check_machines(ray, Job(tmp_path / "mark", 2, 0.0))
    with pytest.raises(ValueError, match=r"--gpus 1: the largest machine .* has 0 GPUs"):
        _check_machines(ray, Job(tmp_path / "mark", 1, 1.0))


@pytest.mark.slow
def test_all_that_fail_are_named_in_the_end(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ptde[ray]'")
    monkeypatch.setattr(ray_workers, "LOOK", 0.2)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:  # they hold no run
        folder.mkdir()
    with pytest.raises(WorkerFailed) as error:
        run_on_ray(folders, OnRay("local"), lambda running: None)
    for folder in folders:
        how = f"{folder} failed with exit status 2:"
        assert f"{how}\n" in str(error.value)
        assert f"error: {folder} is not a run folder" in str(error.value)


def test_where_no_cluster_answers(capsys):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'ptde[ray]'")
    assert "--ray 127.0.0.1:9: no cluster answers" in (
        refusal(capsys, "--ray", "127.0.0.1:9")
    )


# -- without


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("--ray --shard 1/2", "leave out --shard"),
        ("--ray --workers 2", "type --cpus 2 for the CPUs of each, or leave out --workers"),
        ("--cpus 2", "type --ray, too, or leave out --cpus"),
        ("--gpus 1", "type --ray, too, or leave out --gpus"),
        ("--ray --cpus 0", "--cpus must lie in [1, inf)"),
        ("--ray --gpus -1", "--gpus must lie in [0, inf)"),
        ("--ray --gpus 1.5", "type a whole number, or less than 1"),
        ("--ray head", "type --ray head:6379"),
        ("--ray ray://head:10001", "start ptde on a machine of the cluster"),
    ],
)
def test_what_does_not_go_together_is_refused(capsys, words, advice):
    assert advice in refusal(capsys, *words.split())


def test_without_ray_it_says_what_to_install(capsys, monkeypatch):
    def version(name):
        raise cluster_of.PackageNotFoundError(name)

    monkeypatch.setattr(cluster_of, "version", version)
    assert "pip install 'ptde[ray]'" in refusal(capsys, "--ray")


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("table2 --ray", ""),
        ("--ray table2", ""),
        ("--ray my.toml", ""),
        ("table2 --ray --cpus 2", ""),
        ("table2 --ray head:6379 --cpus 2", "head:6379"),
        ("table2 --ray=auto", None),
    ],
)
def test_an_address_may_follow(typed, address):
    words = _with_address(typed.split(), PLANS)
    if address is None:
        assert words == typed.split()
    else:
        assert words[words.index("--ray") + 1] == address
        assert [word for word in words if word] == typed.split()


def test_a_run_gets_what_was_asked_for(monkeypatch):
    for name in ("XLA_FLAGS", "JAX_PLATFORMS", "XLA_PYTHON_CLIENT_MEM_FRACTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", "/there")
    job = Job(
        Path("/mark"), 1, 0.0, environ={"XLA_FLAGS": "--xla_a", "PYTHONPATH": "/mine"}
    )
    one = job.environment()
    assert one["XLA_FLAGS"] == "--xla_a"
    assert one["JAX_PLATFORMS"] == "cpu" and one["PYTHONPATH"] == "/mine:/there"
    many = Job(Path("/mark"), 4, 1.0).environment()
    assert not {"XLA_FLAGS", "JAX_PLATFORMS", "XLA_PYTHON_CLIENT_MEM_FRACTION"} & {*many}
    share = Job(Path("/mark"), 1, 0.5).environment()
    assert share["XLA_PYTHON_CLIENT_MEM_FRACTION"] == "0.45"


HOLD = """
import sys, time
from pathlib import Path
from ptde.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_the_lock_that_a_dead_machine_left_is_removed_and_no_other(tmp_path):
    path = tmp_path / ".lock"
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        lease, here = Lease(tmp_path, stale=1.2), socket.gethostname()
        lease.before = {"run": process.pid, "host": "another"}
        began = time.monotonic()
        wrong = _locked_by_another(tmp_path, lease, time.sleep)
        assert time.monotonic() - began > lease.stale  # it may have been about to go
        assert f"is being trained by process {process.pid} on {here}: wait" in wrong
        assert f"remove {path}" in wrong
        lease.before = {"run": process.pid, "host": here}
        assert _locked_by_another(tmp_path, lease, time.sleep) == ""
        process.kill()
