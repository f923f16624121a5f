"""What a page tells to type makes the same run."""

import dataclasses
import json
import shlex

import pytest
from tests.compare.test_compare import PLAN
from tests.test_pipeline import TINY

from ptde import pipeline
from ptde.cli import main
from ptde.cli.arguments import parse
from ptde.compare.plan import read_plan
from ptde.config import Run
from ptde.envs.settings import ProcessConfig
from ptde.page.again import command, plan
from ptde.unread import without_unread

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
def test_a_command_makes_the_same_run(name, goal, monkeypatch):
    class Ran(Exception):  # before anything is trained
        pass

    typed = {}

    def caught(config, out, goal):
        typed.update(config=config, goal=goal)
        raise Ran

    monkeypatch.setattr(pipeline, "run", caught)
    first, *words = shlex.split(command(RUNS[name], goal))
    assert first == "ptde"
    with pytest.raises(Ran):
        main(words)
    assert typed == {"config": RUNS[name], "goal": goal}


@pytest.mark.parametrize(
    "methods",
    [["qmix", "qmix_gip", "qmix_kd"], ["vdn"], ["online_teacher", "online"], ["qmix_ptde"]],
)
def test_a_plan_makes_the_same_comparison(methods, tmp_path):
    text = PLAN.replace('["qmix", "online_teacher", "online"]', json.dumps(methods))
    text = text.replace("seeds = 2", "seeds = [3, 4]")

    def cells(text):
        path = tmp_path / "plan.toml"
        path.write_text(text)
        found = read_plan(path, lambda words: parse(Run, words, "run")).cells()
        start = Run(world="probe")
        return {cell.folder: without_unread(cell.run, start) for cell in found}

    wanted = cells(text)
    assert len(wanted) >= 2
    assert cells(plan(list(wanted.values()), methods)) == wanted
