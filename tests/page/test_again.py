"""What a page tells to type makes the same run."""

import dataclasses
import json
import shlex

import pytest
from tests.test_pipeline import TINY

from ptde import pipeline
from ptde.cli import main
from ptde.cli.arguments import parse
from ptde.compare.plan import Plan
from ptde.compare.plan_file import read_plan
from ptde.config import Run
from ptde.envs.settings import ProcessConfig
from ptde.options import flatten
from ptde.page.again import command, plan
from ptde.unread import is_read

RUNS = {
    "defaults": Run(map="3m"),
    "tiny": dataclasses.replace(TINY, baseline=True, seeds=3),
    "mappo": Run(world="probe", map="personal", algo="mappo", info="giu"),
    "processes": Run(
        world="processes",
        map="some:World",
        processes=ProcessConfig(kwargs=json.dumps({"name": "a b"})),
    ),
    "ranking": Run(world="ranking", map="letor", seed=4),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("goal", ["run", "teach"])
@pytest.mark.parametrize("devices", [1, 2])
def test_a_command_makes_the_same_run(name, goal, devices, monkeypatch):
    class Ran(Exception):  # before anything is trained
        pass

    typed = {}

    def caught(config, out, goal, log):
        typed.update(config=config, goal=goal)
        raise Ran

    def divided(number, began):
        typed.update(devices=number)

    monkeypatch.setattr(pipeline, "run", caught)
    monkeypatch.setattr("ptde.cli.prepare_devices", divided)
    first, *words = shlex.split(command(RUNS[name], goal, devices))
    assert first == "ptde"
    with pytest.raises(Ran):
        main(words)
    assert typed == {"config": RUNS[name], "goal": goal, "devices": devices}


@pytest.mark.slow
@pytest.mark.parametrize(
    "methods",
    [["qmix", "qmix_gip", "qmix_kd"], ["vdn"], ["online_teacher", "online"], ["qmix_ptde"]],
)
def test_a_plan_makes_the_same_comparison(methods, tmp_path):
    def runs(asked):
        """The options that each cell's run reads."""
        return {
            cell.folder: {
                name: value
                for name, value in flatten(cell.run).items()
                if is_read(cell.run, name)
            }
            for cell in asked.cells()
        }

    steps = {"personal": 96, "recoverable": 64}
    base = dataclasses.replace(TINY, seed=3, seeds=2)
    asked = Plan(tuple(methods), tuple(steps), steps, base)
    wanted = runs(asked)
    assert len(wanted) >= 2
    path = tmp_path / "plan.toml"
    path.write_text(plan([cell.run for cell in asked.cells()], methods))
    assert runs(read_plan(path, lambda words: parse(Run, words, "run"))) == wanted
