"""One tiny comparison, run for real."""

import csv
import json
import re
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.documents import EXAMPLES

from ptde.cli import main
from ptde.cli.arguments import parse
from ptde.compare import runner
from ptde.compare.curves import draw_comparison
from ptde.compare.outcome import gather
from ptde.compare.plan import Cell, Plan
from ptde.compare.plan_file import read_plan
from ptde.compare.runner import _apart, _begin, collect
from ptde.compare.tables import notes
from ptde.compare.workers import WorkerFailed, run_side_by_side
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.jobs.interrupt import STOPPED, Interrupted
from ptde.jobs.record import Record, beside
from ptde.methods import on_probe
from ptde.report.registry import REPORTS, WorldReport
from ptde.rollout import devices

PLAN = """
methods = ["qmix", "online_teacher", "online"]
maps = ["personal", "recoverable"]
seeds = 2
[steps]
personal = 96
[run]
world = "probe"
steps = 64
envs = 4
segment = 8
hidden = 8
z = 4
hyper_hidden = 4
embed = 4
hypernet_hidden = 4
buffer = 16
batch = 4
test_every = 32
test_episodes = 4
episodes = 16
"student.hidden" = 8
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "plan.toml").write_text(PLAN)
    arguments = ["compare", str(folder / "plan.toml"), "--out", str(folder / "out")]
    assert main(arguments) == 0
    return arguments, folder / "out"


def copied(compared, place):
    """The arguments of the same comparison in another folder, and that folder."""
    arguments, out = compared
    shutil.copytree(out, place / "out")
    return [*arguments[:-1], str(place / "out")], place / "out"


def test_every_form_of_the_table_is_written(compared):
    _, out = compared
    table = (out / "table.md").read_text()
    assert "| QMIX (D) | O_i history |" in table
    assert "| QMIX_GIP, student beside it (C) | O_i history, state |" in table
    assert "2 seed(s) of 16 test episodes" in table
    assert "student beside it 100%" in table
    won, rest = table.split("| is better than |")
    better, rest = rest.split("| mean return |")
    assert better.count("QMIX (D) |") == 2  # in the header, and a row
    returns, milestones = rest.split("| method | map |")
    assert won.count("| QMIX (D) |") == returns.count("| QMIX (D) |") == 1
    assert milestones.count("| QMIX (D) |") == 2  # a row for each map
    assert r"QMIX\_KD, simultaneous" in (out / "table.tex").read_text()
    assert (out / "curves.png").stat().st_size > 10_000
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert len(rows) == 3 * 2 * 2  # methods, maps, seeds
    assert {row["seed"] for row in rows} == {"0", "1"}
    assert {row["teacher_win_rate"] == "" for row in rows if row["method"] == "QMIX"} == {
        True
    }
    results = json.loads((out / "personal" / "qmix" / "0+2" / "result.json").read_text())
    mine = [r for r in rows if (r["method"], r["map"]) == ("QMIX", "personal")]
    assert [float(row["return"]) for row in mine] == results["teacher"]["returns"]
    steps = {row["map"]: row["steps"] for row in rows}
    assert steps == {"personal": "96", "recoverable": "64"}


def test_the_exchange_format_is_marl_evals(compared):
    data = json.loads((compared[1] / "marl_eval.json").read_text())
    run = data["probe"]["personal"]["QMIX"]["seed_1"]
    assert list(run) == ["step_0", "step_1", "step_2", "absolute_metrics"]
    assert run["step_2"]["step_count"] == 96
    assert set(run["step_0"]) == {
        "step_count",
        "elapsed_time",
        "win_rate",
        "mean_episode_return",
    }
    assert len(run["step_0"]["win_rate"]) == 1


def test_a_student_beside_its_teacher_has_a_curve_of_its_own(compared):
    _, out = compared
    data = json.loads((out / "marl_eval.json").read_text())["probe"]["personal"]
    student = data["QMIX_KD, simultaneous"]["seed_1"]
    assert list(student) == ["step_0", "step_1", "step_2", "absolute_metrics"]
    rows = Record(out / "personal" / "online" / "0+2" / "teacher" / "record.jsonl").rows()
    for count, row in enumerate(rows):
        assert student[f"step_{count}"]["win_rate"] == [row["student_win_rate"][1]]
        assert student[f"step_{count}"]["mean_episode_return"] == [row["student_return"][1]]
    assert beside(rows)[-1]["return"] == rows[-1]["student_return"]
    del rows[0]["student_return"]  # an older version began the run
    assert beside(rows) == []


def test_the_students_line_is_in_the_picture(compared, tmp_path):
    where = "personal"
    runs = [(where, compared[1] / where / "online" / "0+2")]
    entries = gather(dict.fromkeys(("online_teacher", "online"), runs))
    draw_comparison(entries, [where], tmp_path / "with.png")
    entries["online"][where].records[0][1].clear()  # as a student of stage 2
    draw_comparison(entries, [where], tmp_path / "without.png")
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()


@pytest.mark.slow
def test_what_is_finished_is_not_run_again(compared, capsys, monkeypatch):
    arguments, out = compared
    gone = out / "personal" / "qmix" / "0+2" / "result.json"
    result, begun = gone.read_text(), []

    def resume(folder):
        begun.append(folder)
        gone.write_text(result)

    monkeypatch.setattr(runner, "resume", resume)
    before = {
        path: path.stat().st_mtime_ns for path in out.glob("*/*/*/**/*") if path.is_file()
    }
    assert len([path for path in before if path.name == "result.json"]) == 4
    assert main(arguments) == 0
    assert main([*arguments, "--table-only"]) == 0
    assert begun == []
    assert "runs done" not in capsys.readouterr().out  # the board of what is to do
    assert {path: path.stat().st_mtime_ns for path in before} == before
    gone.unlink()  # and what is not finished is
    assert main(arguments) == 0
    assert begun == [gone.parent]
    assert "3 of 4 runs done" in capsys.readouterr().out


def test_communication_is_the_mean_over_the_seeds_of_all_runs(compared, tmp_path):
    whole = compared[1] / "personal" / "online" / "0+2"
    for name, seeds, share in (("two", 2, 1.0), ("one", 1, 0.25)):
        shutil.copytree(whole, tmp_path / name)
        path = tmp_path / name / "result.json"
        result = json.loads(path.read_text())
        score = result["teacher"]
        score["communication"] = share
        for each in ("seeds", "returns"):
            score[each] = score[each][:seeds]
        path.write_text(json.dumps(result))
    for order in (("two", "one"), ("one", "two")):
        runs = [("personal", tmp_path / name) for name in order]
        entries = gather({"online_teacher": runs})
        assert entries["online_teacher"]["personal"].communication == 0.75
        assert "QMIX_GIP, student beside it 75%." in notes(entries)[-1]


@pytest.mark.parametrize("table", [[], ["--table-only"]])
def test_other_options_in_the_same_folder_are_refused(compared, capsys, table):
    arguments, out = compared
    assert main([*arguments, "--budget-scale", "0.5", *table]) == 2
    assert "qmix/0+2 was run with --steps 96 --epsilon-steps 100000: type " in (
        capsys.readouterr().err
    )
    assert main([*arguments, "--budget-scale", "2", *table]) == 2
    folder = out / "personal" / "qmix" / "0+2"
    assert f"`ptde resume {folder} --steps 192` lets it go on" in capsys.readouterr().err


def test_options_that_a_run_does_not_read_may_differ(compared, capsys):
    arguments, out = compared
    path = out / "personal" / "qmix" / "0+2" / "run.json"
    before = path.read_text()
    changed = json.loads(before)
    changed["run"]["finetune"]["share"] = 0.3  # as where a default was another one
    path.write_text(json.dumps(changed))
    try:
        assert main([*arguments, "--table-only"]) == 0
    finally:
        path.write_text(before)


def test_a_table_of_nothing_is_refused_and_no_folder_made(compared, tmp_path, capsys):
    arguments, nowhere = compared[0], tmp_path / "nowhere"
    assert main([*arguments[:-1], str(nowhere), "--table-only"]) == 2
    assert f"{nowhere} holds no finished run of this plan: type the --out" in (
        capsys.readouterr().err
    )
    assert not nowhere.exists()


def test_seeds_that_the_plan_does_not_name_are_left_out(compared, tmp_path, capsys):
    arguments, out = copied(compared, tmp_path)
    assert main([*arguments, "--table-only", "--seeds", "1"]) == 0
    run, said = out / "personal" / "online" / "0+2", capsys.readouterr().out
    left_out = f"{run}: seeds that are not the plan's are left out: 1\n"
    assert said.count(left_out) == 1  # once for both of its methods
    rows = list(csv.DictReader((out / "table.csv").open()))
    assert len(rows) == 3 * 2 and {row["seed"] for row in rows} == {"0"}


def test_the_table_of_a_world_of_ones_own_reads_its_runs_and_is_named_as_a_file(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "my_env.py").write_text((EXAMPLES / "my_env.py").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "my_env", raising=False)
    told = WorldReport(compare=lambda env, runs: f"{env.spec.n_agents}: {[*runs]}\n")
    monkeypatch.setitem(REPORTS, "jax", told)
    where, base = "my_env:Meet", Run(world="jax", map="my_env:Meet")
    plan = Plan(("qmix_wide",), (where,), base=base)
    (cell,) = plan.cells()
    assert cell.run != on_probe("qmix_wide", plan.on(where))  # its width is the world's
    RunFolder.create(cell.run, tmp_path / cell.folder, "teach")
    score = {"win_rate": 0.5, "low": 0.0, "high": 1.0, "return": 0.5, "episodes": 4}
    result = {"teacher": {**score, "seeds": [0.5], "returns": [0.5]}, "steps": 8}
    (tmp_path / cell.folder / "result.json").write_text(json.dumps(result))
    collect(plan, tmp_path)
    assert (tmp_path / "jax-my_env-Meet.md").read_text() == "2: ['QMIX, wide (D)']\n"
    sys.modules.pop("my_env")


def test_a_result_of_an_older_version_says_how_to_mend_it(compared, tmp_path, capsys):
    arguments, out = copied(compared, tmp_path)
    path = out / "personal" / "qmix" / "0+2" / "result.json"
    result = json.loads(path.read_text())
    del result["teacher"]["returns"]
    path.write_text(json.dumps(result))
    assert main([*arguments, "--table-only"]) == 2
    assert f"type `ptde evaluate {path.parent}`" in capsys.readouterr().err


def test_more_seeds_are_run_alone(compared):
    arguments, out = compared
    plan = read_plan(Path(arguments[1]), lambda words: parse(Run, words, "run"))
    whole = replace(plan.cells()[0], run=replace(plan.cells()[0].run, seeds=5))
    seeds = lambda cells: [c.run.seed_name for c in cells]
    assert seeds(_apart(whole, out, single=True)) == ["0+2", "2", "3", "4"]
    assert seeds(_apart(whole, out, single=False)) == ["0+2", "2+3"]
    assert seeds(_apart(whole, out / "new", single=False)) == ["0+5"]


def test_a_run_that_gets_another_goal_keeps_its_devices_and_is_not_in_use(
    compared, tmp_path, monkeypatch
):
    plan = read_plan(Path(compared[0][1]), lambda words: parse(Run, words, "run"))
    cell = next(c for c in plan.cells() if c.goal == "teach")
    shutil.copytree(compared[1] / cell.folder, tmp_path / cell.folder)
    longer = replace(cell, roles=frozenset({"student"}))
    monkeypatch.setattr(devices, "_usable", 4)  # where the comparison is extended
    held = RunFolder(tmp_path / cell.folder)
    with held.alone(), pytest.raises(ValueError, match="is being trained by process"):
        _begin(longer, tmp_path)
    assert RunFolder(held.path).meta["goal"] == "teach"
    meta = RunFolder(_begin(longer, tmp_path)).meta
    assert (meta["goal"], meta["devices"]) == ("run", 1)
    shutil.rmtree(held.path / "teacher")
    held.rewrite(held.run)  # nothing has begun: it may begin with those of here
    assert held.meta["devices"] == 4


def test_a_bad_share_is_refused(compared, capsys):
    assert main([*compared[0], "--budget-scale", "0"]) == 2
    assert "for example --budget-scale 0.05" in capsys.readouterr().err


@pytest.mark.slow
def test_a_cell_that_is_stopped_goes_on_and_one_that_fails_says_why(compared, tmp_path):
    arguments, out = copied(compared, tmp_path)
    broken = out / "personal" / "qmix" / "0+2"
    (broken / "result.json").unlink()
    assert main([*arguments, "--workers", "2"]) == 0  # from its finished networks
    assert (broken / "result.json").exists()
    spoil(broken)
    with pytest.raises(WorkerFailed, match=r"personal/qmix/0.2 failed with exit status"):
        run_side_by_side([broken], 2, lambda folders: None)


def spoil(run):
    """Leaves a run that fails however often it is resumed."""
    (run / "result.json").unlink()
    shutil.rmtree(run / "teacher" / "model")
    (run / "teacher" / "model").write_text("no folder")


def test_the_others_are_finished_before_one_that_fails_is_named(compared, tmp_path, capsys):
    arguments, out = copied(compared, tmp_path)
    broken, other = (out / where / "qmix" / "0+2" for where in ("personal", "recoverable"))
    spoil(broken)
    (other / "result.json").unlink()
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert f"{broken} failed; the others go on" in said.out
    assert re.search(r"│ +failed │ teacher", said.out)  # the board, while the other runs
    assert said.err.startswith("stopped: runs that failed: 1. All others are finished")
    assert f"{broken} failed:\n" in said.err and str(other) not in said.err
    assert (other / "result.json").exists()
    assert main([*arguments, "--table-only"]) == 0  # of what there is
    assert "1 of 2 maps" in (out / "table.md").read_text()


def test_a_copy_of_a_run_does_not_count_twice(compared, tmp_path, capsys):
    arguments, out = copied(compared, tmp_path)
    mine = out / "personal" / "qmix"
    shutil.copytree(mine / "0+2", mine / "copy")
    assert main([*arguments, "--table-only"]) == 2
    assert "both have seed 0, which would count twice" in capsys.readouterr().err


def test_a_run_that_was_renamed_is_not_trained_again(compared, tmp_path, capsys):
    arguments, out = copied(compared, tmp_path)
    mine = out / "personal" / "qmix"
    (mine / "0+2").rename(mine / "mine")
    assert main(arguments) == 0
    assert [path.name for path in mine.iterdir()] == ["mine"]


def test_the_time_left_does_not_count_what_was_done_before(compared, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(compared[1], out)
    found = next(out.glob("*/qmix/0+2"))
    (found / "result.json").unlink()
    cell = Cell(RunFolder(found).run, "personal", "qmix")
    board = runner._Board([cell], out)
    assert board.before[cell.folder] == cell.run.steps * cell.run.seeds > 0
    assert board.work([cell]) == 0  # only its evaluation is left
    shutil.rmtree(found / "teacher")
    assert runner._Board([cell], out).work([cell]) == cell.run.steps * cell.run.seeds


@pytest.mark.parametrize("ends", [Interrupted("it is saved"), KeyboardInterrupt(), None])
def test_what_is_no_error_of_a_run_stops_all_at_once(
    compared, tmp_path, capsys, monkeypatch, ends
):
    arguments, out = copied(compared, tmp_path)
    begun = []
    for path in out.glob("*/qmix/*/result.json"):
        path.unlink()

    def resume(folder):
        begun.append(folder)
        raise ends or ZeroDivisionError("a fault of the user's own part")

    monkeypatch.setattr(runner, "resume", resume)
    assert main(arguments) == (STOPPED if ends else 1)
    assert len(begun) == (1 if ends else 2)
    if not ends:  # nobody has foreseen it: where it was is said
        said = capsys.readouterr().err
        assert said.count("in resume\n") == said.count("ZeroDivisionError: a fault") == 2


@pytest.mark.parametrize("background", [False, True])
def test_ctrl_c_stops_the_processes_and_saves(compared, tmp_path, background):
    shutil.copytree(compared[1] / "personal" / "qmix" / "0+2", tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    folder.rewrite(replace(folder.run, steps=2_000_000))
    shutil.rmtree(tmp_path / "run" / "teacher")
    begun = []

    def stop(folders):
        begun.extend(folders)
        raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if background:  # as in `ptde compare PLAN &` in a script
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(Interrupted, match="goes on"):
            run_side_by_side([tmp_path / "run"], 1, stop)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert begun == [tmp_path / "run"]
    mine = [p for p in psutil.Process().children(True) if "resume" in str(p.cmdline())]
    assert not mine
