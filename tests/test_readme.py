"""Every command that the README shows is run with small sizes, or read as it stands.

Run: what works on one run folder of 3m, a ranking run and its file, a PettingZoo world.
Read by the real parser, and the work not done: other methods and maps, which would compile
for long; the comparison of a whole table; football, whose engine is not everywhere. The
Python in it is run by ``test_examples.py``, `ptde list` by ``test_cli.py``.
"""

import shutil
import subprocess

import pytest
from tests.documents import README, ROOT, TINY, commands, fenced
from tests.test_rank import letor

from ptde import pipeline
from ptde.algos.finetune import FinetuneConfig
from ptde.cli import main
from ptde.compare import runner
from ptde.compare.plan import PLANS
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.folder import RunFolder
from ptde.presets import as_paper

ALL = [" ".join(words) for words in commands(README)]
BATTLE = "runs/smax-3m-qmix_gip-0"
ON_A_FOLDER = [
    "ptde teach --map 3m",
    f"ptde distill {BATTLE}",
    f"ptde distill {BATTLE} --student.network mlp --student.objective z"
    " --student.data teacher",
    f"ptde finetune {BATTLE} --finetune.steps 100_000",
    f"ptde evaluate {BATTLE} --episodes 1000",
    f"ptde replay {BATTLE} --role teacher",
    f"ptde report {BATTLE}",
    f"ptde export {BATTLE} --to onnx",
    f"ptde resume {BATTLE}",
]
RANKING = [
    "ptde run env:ranking --env.data MSLR-WEB30K/",
    "ptde rank runs/ranking-letor-qmix_gip-0 FILE",
]
PETTINGZOO = "ptde run env:mpe2.simple_spread_v3:parallel_env"
COMPARED = "ptde compare table2 --budget-scale 0.1"
AS_PAPER = "ptde compare table3 --paper"
READ = {
    "ptde run --map 3s_vs_5z --info gip --steps 2_000_000": Run(
        map="3s_vs_5z", info="gip", steps=2_000_000
    ),
    "ptde run --method qmix_kd --map 6h_vs_8z --steps 5_000_000 --seeds 3": Run(
        map="6h_vs_8z",
        steps=5_000_000,
        seeds=3,
        student=DistillConfig(network="mlp", objective="z", data="teacher", share=0.0),
        finetune=FinetuneConfig(share=0.0),
    ),
    "ptde run --preset paper --map 5m_vs_6m": as_paper(Run(map="5m_vs_6m")),
    "ptde run --method ctds --map 5m_vs_6m": Run(
        map="5m_vs_6m", info="none", teacher_sight="all", online_distillation=True
    ),
    "ptde run --world jaxmarl --map MPE_simple_spread_v3": Run(
        world="jaxmarl", map="MPE_simple_spread_v3"
    ),
    "ptde run --world football --map academy_3_vs_1_with_keeper": Run(
        world="football", map="academy_3_vs_1_with_keeper"
    ),
}
"""The run that each of these commands means."""


def test_no_command_of_the_readme_is_forgotten():
    elsewhere = ["ptde list", "make demo", "make test"]
    elsewhere += ["ptde replay runs/demo --early-late"]  # tests/test_strategy.py
    elsewhere += [f"ptde diagnose {BATTLE}"]  # tests/diagnosis
    known = [*ON_A_FOLDER, *RANKING, PETTINGZOO, COMPARED, AS_PAPER, *READ, *elsewhere]
    assert sorted(ALL) == sorted(known)


def typed(command, *more):
    """The exit status of a command with more words after it."""
    program, *words = command.split()
    assert program == "ptde" and command in ALL
    return main([*words, *more])


@pytest.mark.slow
def test_a_battle_is_taught_distilled_tested_drawn_and_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    teach, distill, papers, tune, evaluate, replay, report, export, resume = ON_A_FOLDER
    assert typed(teach, *TINY, "--time-limit", "10") == 0
    folder = RunFolder(tmp_path / BATTLE)
    assert not folder.has("student")
    assert typed(distill) == 0
    assert folder.has("student")
    assert typed(papers) == 0
    assert RunFolder(folder.path).run.student.papers
    assert tune in ALL
    assert main([*tune.split()[1:-1], "32", "--finetune.tests", "1"]) == 0
    assert RunFolder(folder.path).decentralised == "finetuned"
    assert typed(evaluate, "--episodes", "4") == 0
    before = {path: path.stat().st_mtime_ns for path in folder.path.rglob("model/*")}
    (folder.path / "replay.gif").unlink()  # the evaluation's, of the student
    assert typed(replay) == 0
    assert (folder.path / "replay.gif").read_bytes().startswith(b"GIF8")
    assert typed(report, "--battles", "0") == 0
    assert (folder.path / "report.html").exists()
    assert typed(export) == 0
    assert (folder.path / "export" / "team.onnx").exists()
    assert typed(resume) == 0
    assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.slow
def test_a_file_is_ranked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "MSLR-WEB30K").mkdir()
    letor(tmp_path / "MSLR-WEB30K" / "train.txt")
    letor(tmp_path / "FILE", queries=2, docs=4, seed=1)
    taught, ranked = RANKING
    assert typed(taught, *TINY, "--segment", "1", "--docs", "4") == 0
    assert typed(ranked) == 0
    written = tmp_path / "runs" / "ranking-letor-qmix_gip-0" / "FILE.run"
    assert len(written.read_text().splitlines()) == 8


@pytest.mark.slow
def test_a_pettingzoo_world_is_run(tmp_path, monkeypatch):
    pytest.importorskip("mpe2")
    monkeypatch.chdir(tmp_path)
    assert typed(PETTINGZOO, *TINY, "--segment", "32", "--processes.limit", "10") == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "result.json").exists()


class Silent:
    """An outcome of nothing."""

    def show(self):
        pass


@pytest.mark.parametrize("command", READ)
def test_a_run_is_what_it_says(command, monkeypatch):
    made = []

    def run(config, out, goal, log):
        made.append((config, out, goal))
        return Silent()

    monkeypatch.setattr(pipeline, "run", run)
    assert typed(command) == 0
    assert made == [(READ[command], None, "run")]


def test_a_comparison_is_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(runner, "compare", lambda *what: asked.append(what))
    assert typed(COMPARED) == 0
    ((plan, out, workers),) = asked
    whole = PLANS["table2"][1]
    assert plan == whole.scaled(0.1) and plan != whole
    assert (out.as_posix(), workers) == ("runs/compare-table2", 1)
    # the file of five lines
    (tmp_path / "plan.toml").write_text(fenced(README, "toml")[0])
    assert "`ptde compare plan.toml`" in README.read_text()
    assert main(["compare", "plan.toml"]) == 0
    plan = asked[-1][0]
    assert plan.methods == ("qmix", "qmix_gip", "qmix_kd", "ctds")
    assert plan.maps == ("3s_vs_5z", "5m_vs_6m")
    assert (plan.base.seeds, plan.base.steps) == (3, 1_000_000)
    assert len(plan.cells()) == 6  # qmix_kd is the student of qmix_gip's run


def test_the_papers_settings_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(runner, "compare", lambda *what: asked.append(what))
    monkeypatch.setattr("ptde.compare.plan.need", lambda game: None)  # nothing is played
    assert typed(AS_PAPER) == 0
    ((plan, _, _),) = asked
    assert plan.base.world == "football" and plan.base.time_out == "terminal"


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize(
    ("target", "does"), [("demo", "ptde run --preset demo"), ("test", "pytest")]
)
def test_make_knows_its_two_targets(target, does):
    """A dry run: what it would do."""
    words = ["make", "--dry-run", target]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert does in done.stdout
