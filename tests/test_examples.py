"""Every example runs, in a few steps, as a user would start it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", sorted(p.name for p in EXAMPLES.glob("*.py")))
def test_an_example_fits_on_a_screen(name):
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) < 60 or (name == "my_env.py" and len(lines) <= 60)


SMALL = """
import dataclasses, runpy, sys
import ptde, ptde.presets
from ptde.stages.distill import DistillConfig
from ptde.algos import ValueConfig

tiny = dict(
    envs=2, segment=12, hidden=8, test_every=16, test_episodes=2, episodes=4,
    value=ValueConfig(buffer=8, batch=2),
    student=DistillConfig(
        steps=4, batch=8, hidden=8, data_steps=16, tests=1, test_episodes=2
    ),
)
full = ptde.run
def run(config, *args):
    config = dataclasses.replace(config, **tiny)
    if config.world == "smax":
        config = dataclasses.replace(config, world="probe", map="state")
    return full(config, "run")
ptde.run = run
sys.argv = [sys.argv[1], "16"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    "name", ["quickstart.py", "my_info.py", "my_mixer.py", "my_env.py"]
)
def test_an_example_runs_to_its_table(tmp_path, name):
    """The example's own code on sizes that compile fast (battles are tested elsewhere)."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, str(EXAMPLES / name)],
        cwd=tmp_path,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "student" in done.stdout
    assert (tmp_path / "run" / "result.json").exists()
