"""Every example runs, in a few steps, as a user would start it."""

import os
import shutil
import subprocess
import sys

import pytest
from tests.documents import EXAMPLES, README, TINY, WORLDS, commands, fenced

from ptde import build
from ptde.cli import main
from ptde.folder import RunFolder

NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
RUNS = [name for name in NAMES if name != "play_exported.py"]
"""Those that teach a team; tests/export plays the other."""


@pytest.mark.parametrize("name", NAMES)
def test_an_example_fits_on_a_screen(name):
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) < 60 or (name == "my_env.py" and len(lines) <= 60)


SMALL = """
import dataclasses, os, runpy, sys
import ptde, ptde.presets
from ptde.distill.config import DistillConfig
from ptde.unread import without_unread
from ptde.algos import ValueConfig
from ptde.algos.finetune import FinetuneConfig

tiny = dict(
    envs=2, segment=12, hidden=8, test_every=16, test_episodes=2, episodes=4,
    value=ValueConfig(buffer=8, batch=2),
    finetune=FinetuneConfig(share=0.0),
    student=DistillConfig(
        network="mlp", objective="z", data="teacher", share=0.0, 
        steps=4, batch=8, hidden=8, data_steps=16, tests=1, test_episodes=2
    ),
)
full, script = ptde.run, sys.argv[1]
def run(config, *args, log=()):
    config = dataclasses.replace(config, **tiny, steps=min(config.steps, 16))
    if config.world == "smax":
        config = dataclasses.replace(config, world="probe", map="state")
    return full(without_unread(config, config), "run", log=log)
ptde.run = run
sys.argv = [script, "16"]
sys.path[0] = os.path.dirname(script)  # as `python SCRIPT` does
runpy.run_path(script, run_name="__main__")
"""


def start_small(script, folder):
    """What a script prints, and that it ended well; its run is in ``folder / "run"``."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(script)],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "run" / "result.json").exists()
    return done.stdout


PARTS = ("my_info.py", "my_mixer.py", "my_student.py", "my_objective.py", "my_logger.py")
"""Their parts have tests of their own: in tests/test_parts.py and tests/log."""
LATER = (*PARTS, "quickstart.py", "my_game.py")
"""Run by `make slow`. The quickstart is what tests/test_readme.py runs as a command; the
game is run below, as the docs say."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in LATER else []) for n in RUNS],
)
def test_an_example_runs_to_its_table(tmp_path, name):
    """The example's own code on sizes that compile fast (battles are tested elsewhere)."""
    assert "student" in start_small(EXAMPLES / name, tmp_path)


def test_the_readmes_python_runs(tmp_path):
    (script,) = fenced(README, "python")
    (tmp_path / "script.py").write_text(script)
    shown = start_small(tmp_path / "script.py", tmp_path)
    assert "student" in shown and shown.splitlines()[-1].endswith(" run")


def test_the_game_of_the_docs_is_checked_and_run_as_they_say(tmp_path, monkeypatch, capsys):
    """Exactly the words of docs/worlds.md; sizes that are small are typed after them."""
    check, run = (words for words in commands(WORLDS) if "my_game:Meet" in " ".join(words))
    assert (check[1], run[1:3]) == ("check", ["run", "env:my_game:Meet"])
    shutil.copy(EXAMPLES / "my_game.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])  # `check` adds the folder
    assert main(check[1:]) == 0
    shown = capsys.readouterr().out
    assert "2 agents, observation 5, state 15, 3 actions, time limit 8" in shown
    monkeypatch.delitem(sys.modules, "my_game")
    assert main([*run[1:], *TINY]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    held = RunFolder(folder)
    size = held.run.processes.arguments()["size"]
    assert size != 5  # not what it is anyway
    world = build.world(held.run)
    assert world.spec.obs_dim == size
    assert held.model("student", world)  # it fits the networks that were taught
