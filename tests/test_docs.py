"""What the tutorial and the how-tos tell a reader to type is typed, with small sizes."""

import os
import re
import subprocess
import sys

import pytest
from tests.documents import EXAMPLES, ROOT, commands, fenced

from ptde.cli import COMMANDS, main
from ptde.compare import runner
from ptde.compare.plan import PLANS
from ptde.folder import RunFolder
from ptde.methods import METHODS

pytestmark = pytest.mark.slow

TUTORIAL = ROOT / "docs" / "tutorial.md"
HOW_TO = ROOT / "docs" / "howto"
CHECK = "ptde check search:Search"
WORDS = "--steps 60_000 --test-every 10_000"
TEACH = f"ptde teach env:search:Search {WORDS} --finetune.share 0 --out runs/search"
DISTILL = "ptde distill runs/search"
FINETUNE = "ptde finetune runs/search --finetune.steps 30_000"
PLAIN = (
    "ptde teach env:search:Search --info none --steps 90_000 --test-every 10_000 "
    "--out runs/plain"
)
EVALUATE = "ptde evaluate runs/search --episodes 1000"
REPLAY = "ptde replay runs/search --episode 3"
BESIDE = "ptde replay runs/search --early-late --versus runs/plain"
REPORT = "ptde report runs/search --battles 3"
EXPORT = "ptde export runs/search --to onnx"
RESUME = "ptde resume runs/search"
DIAGNOSE = "ptde diagnose runs/search"
CHECK_JAX = "ptde check my_env:Meet"
RUN_JAX = "ptde run --world jax --map my_env:Meet,cells=11"
PAPERS = {
    "ptde compare table2 --budget-scale 0.01 --seeds 1 --out runs/try": "runs/try",
    "ptde compare table2": "runs/compare-table2",
    "ptde compare table2 --paper": "runs/compare-table2-paper",
}
"""Commands that are read and not run, with the folder of each."""
_ANY = """
    --steps 128 --envs 2 --segment 16 --hidden 8 --embed 4 --hypernet-hidden 4
    --buffer 8 --batch 2 --test-every 64 --test-episodes 4 --episodes 4
"""
_TOLD = """
    --z 4 --hyper-hidden 4 --student.hidden 8 --student.steps 4 --student.batch 2
    --student.tests 1 --student.test-episodes 4
"""
ANY, TOLD = _ANY.split(), _TOLD.split()
"""Sizes for a run of a few seconds; the second are of a team that is told something."""


def pages():
    return [TUTORIAL, *sorted(HOW_TO.glob("*.md"))]


def test_no_command_of_the_pages_is_forgotten():
    typed = {" ".join(words) for page in pages() for words in commands(page)}
    known = {CHECK, TEACH, DISTILL, FINETUNE, PLAIN, EVALUATE, REPLAY, EXPORT, RESUME}
    assert typed == known | {DIAGNOSE, BESIDE, REPORT, CHECK_JAX, RUN_JAX, *PAPERS}


def test_the_tutorial_has_its_commands_in_their_order():
    order = [CHECK, TEACH, DISTILL, FINETUNE, PLAIN, EVALUATE, REPLAY, EXPORT]
    assert [" ".join(words) for words in commands(TUTORIAL)] == order


def typed(command, *more):
    """The exit status of a command with more words after it."""
    return main([*command.split()[1:], *more])


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """The folder of one who has read on until the team is exported."""
    folder = tmp_path_factory.mktemp("tutorial")
    world, _ = fenced(TUTORIAL, "python")
    (folder / "search.py").write_text(world)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])  # `check` adds the folder
        assert typed(CHECK) == 0
        assert typed(TEACH, *ANY, *TOLD) == 0
        assert typed(DISTILL) == 0
        assert typed(FINETUNE, "--finetune.steps", "64", "--finetune.tests", "1") == 0
        assert typed(EVALUATE, "--episodes", "4") == 0
        assert typed(REPLAY) == 0
        assert typed(RESUME) == 0
    return folder


def test_the_tutorial_ends_with_a_team_that_is_distilled(reader):
    held = RunFolder(reader / "runs" / "search")
    assert held.has("student") and held.has("finetuned")
    assert (held.path / "curves.png").exists()
    assert (held.path / "replay.gif").read_bytes().startswith(b"GIF8")


def test_the_tutorials_team_is_diagnosed(reader, monkeypatch):
    monkeypatch.chdir(reader)
    assert typed(DIAGNOSE, "--episodes", "4", "--quick") == 0
    assert (reader / "runs" / "search" / "diagnosis.png").exists()


def test_the_tutorials_team_without_information(reader, monkeypatch):
    monkeypatch.chdir(reader)
    assert typed(PLAIN, *ANY) == 0
    assert not RunFolder(reader / "runs" / "plain").run.distils
    assert typed(BESIDE) == 0
    assert (reader / "runs" / "search" / "early-late.png").exists()


def test_the_tutorials_team_is_watched_in_a_browser(reader, monkeypatch):
    monkeypatch.chdir(reader)
    assert typed(REPORT) == 0
    assert "game 3" in (reader / "runs" / "search" / "report.html").read_text()


@pytest.mark.parametrize("command", PAPERS)
def test_a_table_of_the_paper_is_what_its_page_says(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(runner, "compare", lambda *what: asked.append(what))
    assert typed(command) == 0
    ((plan, out, _),) = asked
    assert out.as_posix() == PAPERS[command]
    assert (plan.base.value.buffer == 5_000) == ("--paper" in command)


def test_the_joint_steps_of_the_papers_page_are_those_of_the_plans():
    page = (HOW_TO / "paper.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| (\d+) M \|$", page, re.MULTILINE))
    for name, millions in told.items():
        plan = PLANS[name][1]
        runs = {METHODS[method].run for method in plan.methods}
        steps = sum(plan.steps.get(where, plan.base.steps) for where in plan.maps)
        assert len(runs) * steps * plan.base.seeds == int(millions) * 1_000_000
    assert {*told} == {*PLANS} - {"controls"}


@pytest.mark.skipif("export" not in COMMANDS, reason="there is no `ptde export` yet")
def test_the_tutorials_team_is_carried_off_and_plays(reader, monkeypatch):
    monkeypatch.chdir(reader)
    assert typed(EXPORT) == 0
    _, script = fenced(TUTORIAL, "python")
    assert python(script, reader).startswith("won ")


def test_the_world_in_jax_is_checked_and_run(tmp_path, monkeypatch):
    (tmp_path / "my_env.py").write_text((EXAMPLES / "my_env.py").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_env", raising=False)
    assert typed(CHECK_JAX) == 0
    assert typed(RUN_JAX, *ANY, *TOLD) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert RunFolder(folder).has("finetuned")


def python(code, folder):
    """What a program prints that is started in a folder, and that it ended well."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


SMALL = """
import dataclasses
import optuna, ptde
from ptde.algos import ValueConfig

full = ptde.run
def run(config, *args):
    value = dataclasses.replace(config.value, buffer=8, batch=2)
    tiny = dict(world="probe", map="state", envs=2, segment=12, hidden=8, steps=16)
    tiny["time_out"] = "bootstrap"
    tests = dict(test_every=16, test_episodes=2, episodes=4, value=value)
    return full(dataclasses.replace(config, **tiny, **tests), *args)
ptde.run = run
search = optuna.Study.optimize
optuna.Study.optimize = lambda self, objective, n_trials: search(self, objective, 2)
"""


def test_the_sweep_searches(tmp_path):
    pytest.importorskip("optuna")
    (script,) = fenced(HOW_TO / "sweep.md", "python")
    assert len([line for line in script.splitlines() if line.strip()]) <= 20
    shown = python(SMALL + script, tmp_path)
    assert "target_period" in shown
    assert sorted(path.name for path in (tmp_path / "runs" / "sweep").iterdir()) == [
        "0",
        "1",
    ]
    assert (tmp_path / "sweep.db").exists()


@pytest.mark.parametrize(
    ("page", "example"), [("world.md", "my_env.py"), ("information.md", "my_info.py")]
)
def test_the_how_tos_show_lines_of_the_examples(page, example):
    shown, *_ = fenced(HOW_TO / page, "python")
    code = (EXAMPLES / example).read_text()
    for line in shown.splitlines():
        names = line.removeprefix("from ").split(" import ")[-1].split(", ")
        assert line in code or (line.startswith("from ") and all(n in code for n in names))
