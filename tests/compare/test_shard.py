"""A plan in parts: which runs each takes, and what they leave when they run at once."""

import os
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.documents import ROOT, fenced

from ptde.algos.finetune import FinetuneConfig
from ptde.cli import main
from ptde.cli.arguments import parse
from ptde.cli.compare import Command, _table_of
from ptde.compare.plan import PLANS, Cell
from ptde.compare.runner import _apart
from ptde.compare.shard import Shard, divided, joint_steps, outwait
from ptde.config import Run
from ptde.files import locked
from ptde.folder import RunFolder
from ptde.rollout.cache import programs_folder
from ptde.trust import check_inside, trusting

PLAN = """
methods = ["qmix", "qmix_gip"]
maps = ["personal"]
seeds = 2
[run]
world = "probe"
steps = 32
envs = 2
segment = 8
hidden = 8
z = 4
hyper_hidden = 4
embed = 4
hypernet_hidden = 4
buffer = 8
batch = 2
test_every = 32
test_episodes = 4
episodes = 4
"""


def refusal(capsys, *words):
    """The one line that refuses a command."""
    assert main(["compare", "table2", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("3/2", "of 2 shards the last is --shard 2/2"),
        ("0/4", "type --shard 1/4 to --shard 4/4; of an array from 0"),
        ("1/0", "at least one shard, --shard 1/1"),
        ("one/4", "type --shard 1/4 for the first of four"),
        ("2", "type --shard 1/4 for the first of four"),
        ("-1/4", "type --shard 1/4 for the first of four"),
    ],
)
def test_a_shard_that_there_is_not_is_refused(capsys, text, advice):
    assert advice in refusal(capsys, f"--shard={text}")


def test_a_shard_has_no_table(capsys):
    assert "leave out --shard" in refusal(capsys, "--shard", "1/2", "--table-only")


def cell(steps, seeds, name="a", first=0, goal="run", **options):
    run = Run(world="probe", map="personal", steps=steps, seed=first, seeds=seeds)
    roles = frozenset({"student" if goal == "run" else "teacher"})
    return Cell(replace(run, **options), "personal", name, roles)


@given(
    st.lists(st.tuples(st.integers(1, 10**7), st.integers(1, 5)), min_size=1, max_size=8),
    st.integers(1, 9),
)
@settings(max_examples=60, deadline=None)
def test_every_run_is_in_one_shard_and_none_has_one_run_too_many(sizes, count):
    cells = [cell(steps, seeds, str(i), i) for i, (steps, seeds) in enumerate(sizes)]
    division = divided(cells, count)
    assert division == divided(cells, count)
    units = {
        (c.map, c.name, seed): joint_steps(c)
        for c in cells
        for seed in range(c.run.seed, c.run.seed + c.run.seeds)
    }
    assert division.keys() == units.keys()
    loads = [sum(units[u] for u in units if division[u] == n + 1) for n in range(count)]
    assert set(division.values()) <= set(range(1, count + 1))
    assert max(loads) - min(loads) <= max(units.values())


def test_the_papers_table_is_divided_by_joint_steps():
    plan = PLANS["table2"][1]
    division = divided(plan.cells(), 4)
    loads = [0] * 4
    for each in plan.cells():
        for seed in range(3):
            loads[division[each.map, each.name, seed] - 1] += joint_steps(each)
    assert sum(loads) == 3 * sum(joint_steps(each) for each in plan.cells())
    assert max(loads) / min(loads) < 1.02


def test_a_run_counts_with_the_stages_of_its_goal():
    assert joint_steps(cell(100, 1, goal="run")) == 100
    tuned = {"finetune": FinetuneConfig(share=0.1)}
    assert joint_steps(cell(100, 1, goal="teach", **tuned)) == 90
    assert joint_steps(cell(100, 1, goal="teach", baseline=True, **tuned)) == 180


def test_the_shards_stay_whatever_is_there(tmp_path):
    whole = cell(32, 5, "qmix")
    division = divided([whole], 2)

    def names():
        apart = _apart(whole, tmp_path, single=True)
        shards = [Shard(n, 2).kept(whole, apart, division) for n in (1, 2)]
        return [[c.run.seed_name for c in part] for part in shards]

    assert names() == [["0", "2", "4"], ["1", "3"]]
    place = tmp_path / "personal" / "qmix"
    RunFolder.create(replace(whole.run, seed=3, seeds=1), place / "3", "run")
    half = place / ".4.part"  # another shard makes this one at the moment
    half.mkdir()
    (half / "run.json").write_text((place / "3" / "run.json").read_text())
    assert names() == [["0", "2", "4"], ["3", "1"]]
    RunFolder.create(
        replace(whole.run, seed=0, seeds=2), place / "0+2", "run"
    )  # of no shard
    RunFolder.create(
        replace(whole.run, seed=7, seeds=1), place / "7", "run"
    )  # of another plan
    assert names() == [["0+2", "7", "2", "4"], ["3"]]


def test_a_folder_is_read_while_another_program_writes_there(tmp_path):
    done = threading.Event()

    def write():
        while not done.is_set():
            for n in range(20):
                (tmp_path / f".{n}.part").touch()
            for n in range(20):
                (tmp_path / f".{n}.part").unlink()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            check_inside(tmp_path)
    finally:
        done.set()
        writer.join()


def test_a_shard_runs_its_own_seed_alone_and_writes_no_file_in_common(tmp_path, capsys):
    plan, out = tmp_path / "plan.toml", tmp_path / "out"
    alone = PLAN.replace('"qmix", "qmix_gip"', '"qmix"')
    plan.write_text(alone.replace("z = 4\nhyper_hidden = 4\n", ""))
    words = ["compare", str(plan), "--out", str(out), "--shard", "2/2"]
    assert main(words) == 0
    assert f"type ptde compare {plan} --out {out} --table-only" in capsys.readouterr().out
    assert [path.name for path in out.glob("*/*/*")] == ["1"]
    assert [path.name for path in out.iterdir()] == ["personal"]
    result = (out / "personal" / "qmix" / "1" / "result.json").stat().st_mtime_ns
    assert main(words) == 0  # nothing is left to do
    assert result == (out / "personal" / "qmix" / "1" / "result.json").stat().st_mtime_ns


def test_the_command_of_the_table_names_all_that_decides_which_runs_are_its_own():
    alike = "--seeds 5 --budget-scale 0.1 --paper --data 'my lists/a.txt'"
    words = shlex.split(f"figure6 {alike} --shard 1/2 --workers 2")
    with trusting("my_env:Meet"):
        command = _table_of(parse(Command, words, "compare"), Path("out"))
    assert command == f"ptde compare figure6 --out out {alike} env:my_env:Meet --table-only"


@pytest.mark.slow
def test_shards_that_run_at_once_end_with_the_table_of_one_program(tmp_path):
    plan, out = tmp_path / "plan.toml", tmp_path / "out"
    plan.write_text(PLAN)
    words = ["compare", str(plan), "--out", str(out)]
    begun = [
        subprocess.Popen(
            [sys.executable, "-m", "ptde", *words, "--shard", f"{n}/2"],
            env={**os.environ, "JAX_COMPILATION_CACHE_DIR": str(programs_folder())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for n in (1, 2)
    ]
    said = [process.communicate(timeout=300)[0] for process in begun]
    assert [process.returncode for process in begun] == [0, 0], said
    for n, text in enumerate(said, 1):
        assert f"shard {n}/2 is done, runs: 2." in text
        assert f"ptde compare {plan} --out {out} --table-only" in text
    assert {str(path.relative_to(out)) for path in out.glob("*/*/*/result.json")} == {
        f"personal/{name}/{seed}/result.json"
        for name in ("qmix", "qmix_gip")
        for seed in (0, 1)
    }
    assert not [path for path in out.iterdir() if path.is_file()]  # no file in common
    assert main([*words, "--table-only"]) == 0
    whole = tmp_path / "whole"
    assert main(["compare", str(plan), "--out", str(whole)]) == 0
    mine, theirs = ((place / "table.csv").read_text() for place in (out, whole))
    assert len(mine.splitlines()) == len(theirs.splitlines()) == 5


HOLD = """
import sys, time
from pathlib import Path
from ptde.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_shard_outwaits_its_former_self(tmp_path, capsys):
    words = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    began = time.monotonic()
    outwait([tmp_path], seconds=0.5)
    assert 0.5 < time.monotonic() - began < 20
    assert f"locked by process {process.pid} on {socket.gethostname()}" in (
        capsys.readouterr().out
    )
    threading.Timer(1.5, process.kill).start()
    outwait([tmp_path])
    assert process.wait(1) < 0  # only then
    with locked(tmp_path / ".lock"):
        pass


def typed(page, language, environ):
    """The shards that a how-to's script asks for, as a shell reads it."""
    (script,) = fenced(page, language)
    (word,) = re.findall(r"--shard (.+?/\d+)", script)
    count = int(word.rpartition("/")[2])
    shells = [
        subprocess.run(
            ["sh", "-c", f"echo {word}"],
            env={environ: str(n)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for n in range(count + 1)
    ]
    return shells, count


def test_the_how_tos_arrays_are_whole_plans():
    page = ROOT / "docs" / "howto" / "cluster.md"
    slurm, count = typed(page, "bash", "SLURM_ARRAY_TASK_ID")  # --array=1-8
    assert f"--array=1-{count}\n" in fenced(page, "bash")[0]
    assert [Shard.parse(text).number for text in slurm[1:]] == [*range(1, count + 1)]
    pods, count = typed(page, "yaml", "JOB_COMPLETION_INDEX")  # from 0 on
    assert f"completions: {count}\n" in fenced(page, "yaml")[0]
    assert [Shard.parse(text).number for text in pods[:-1]] == [*range(1, count + 1)]


def test_more_shards_than_runs_leave_some_without(tmp_path, capsys):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    assert main(["compare", str(plan), "--out", str(tmp_path / "o"), "--shard", "5/5"]) == 0
    assert "shard 5/5 is done, runs: 0." in capsys.readouterr().out
    assert not Path(tmp_path / "o").exists()
