"""Both stages, evaluation, resume, replay and comparison in worlds that are processes."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from tests.test_pipeline import TINY, goes_on_from, saved_rows, stop_after

from ptde import build
from ptde.cli import main
from ptde.compare.plan import Plan
from ptde.compare.runner import compare
from ptde.envs.settings import ProcessConfig
from ptde.folder import RunFolder
from ptde.jobs.interrupt import Interrupted
from ptde.pipeline import evaluate_run, replay_run, resume, run

LINE = dataclasses.replace(
    TINY,
    world="processes",
    map="tests.processes.worlds:Scored",
    envs=2,
    segment=10,
    steps=80,
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "whole"
    return run(dataclasses.replace(LINE, test_every=20, checkpoint_every=20), folder)


def test_both_stages_write_what_they_write_in_every_world(finished):
    folder = finished.folder
    result = json.loads((folder / "result.json").read_text())
    assert result["world"] == "processes/tests.processes.worlds:Scored"
    assert result["teacher"]["episodes"] == result["student"]["episodes"] == 16
    assert result["teacher"]["length"] == 4
    assert result["student"]["score"] == 4
    assert (folder / "curves.png").exists()
    assert (folder / "replay.gif").exists()  # the world draws itself
    rows = (folder / "teacher" / "record.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["lost_episodes"] == [0.0]


def test_evaluation_repeats_itself(finished):
    again = evaluate_run(finished.folder).result.scores
    assert again == finished.result.scores


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "(RuntimeError: no screen)"),
        ("float", "(frame() returned a ndarray, float64 [8, 8, 3]: return uint8 [height,"),
    ],
)
def test_pictures_that_fail_withhold_no_result(finished, tmp_path, how, says, capsys):
    shutil.copytree(finished.folder, tmp_path / "run")
    for name in ("result.json", "replay.gif"):
        (tmp_path / "run" / name).unlink()
    kwargs = ProcessConfig(kwargs=json.dumps({"how": how}))
    drawn = dataclasses.replace(LINE, map="tests.processes.worlds:Drawn", processes=kwargs)
    folder = RunFolder(tmp_path / "run")
    folder.rewrite(drawn)
    assert resume(folder.path).result.scores == finished.result.scores
    said = capsys.readouterr().out
    assert f"replay.gif is left out {says}" in said
    assert f"`ptde replay {folder.path}` says more" in said
    names = {path.name for path in folder.path.iterdir()}
    assert "result.json" in names and "replay.gif" not in names


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path, finished, monkeypatch):
    folder = tmp_path / "stopped"
    stop_after(monkeypatch, 2)
    with pytest.raises(Interrupted):
        run(dataclasses.replace(LINE, test_every=20, checkpoint_every=20), folder)
    monkeypatch.undo()
    rows = saved_rows(folder)
    resume(folder)
    assert goes_on_from(folder, rows)
    env = build.world(RunFolder(folder).run)
    for role in ("teacher", "student"):
        mine, whole = (RunFolder(f).model(role, env) for f in (folder, finished.folder))
        assert jax.tree.all(jax.tree.map(np.array_equal, mine, whole))


def test_a_replay_of_each_role(finished, tmp_path):
    path = replay_run(finished.folder, "teacher", out=tmp_path / "a.gif")
    assert path.read_bytes().startswith(b"GIF89a")


@pytest.mark.slow
def test_a_comparison_runs_one_seed_after_another(tmp_path):
    line = "tests.processes.worlds:Line"
    base = dataclasses.replace(LINE, map="", steps=20, test_every=20, episodes=4, seeds=2)
    plan = Plan(("qmix", "qmix_kd"), (line,), base=base)
    entries = compare(plan, tmp_path / "out")
    assert len(entries["qmix"][line].seeds) == 2
    assert len(entries["qmix_kd"][line].seeds) == 2
    folders = {p.parent.name for p in (tmp_path / "out").glob("*/qmix/*/result.json")}
    assert folders == {"0", "1"}


def test_a_world_that_goes_on_failing_stops_the_run_with_its_words(tmp_path, capsys):
    kwargs = json.dumps({"how": "crash", "file": str(tmp_path / "n"), "every": 1})
    typed = "run env:tests.processes.worlds:Broken --steps 40 --segment 10 --envs 2"
    words = typed.split()
    words += [
        "--processes.kwargs",
        kwargs,
        "--processes.failures",
        "1",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(words) == 1
    error = capsys.readouterr().err
    assert "2 times in a row" in error
    assert "the ball is gone" in error


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("run --world football --map academy_3_vs_1", "academy_3_vs_1_with_keeper"),
        ("run --world processes", "module:callable"),
        ("run env:tests.processes.worlds:Lin", "has no 'Lin'"),
        ("run env:tests.processes.worlds:Line --seeds 3", "one seed at a time"),
        ("run env:tests.processes.worlds:Line --envs 900000", "GB a copy"),
        ("check tests.processes.worlds:Many", "breaks"),
    ],
)
def test_bad_input_says_what_to_type(words, text, capsys, tmp_path, monkeypatch):
    words = words.split()
    if words[0] == "run":
        words += ["--out", str(tmp_path / "never")]
    assert main(words) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_a_good_world_passes_its_check(capsys):
    assert main(["check", "tests.processes.worlds:Line", "--steps", "20"]) == 0
    assert "all is well" in capsys.readouterr().out


def test_the_doctor_looks_at_every_game(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "--world football" in text
    assert "SC2_x64" in text


def test_an_episode_longer_than_a_segment_is_refused(tmp_path):
    config = dataclasses.replace(
        LINE, processes=ProcessConfig(limit=50), steps=20, test_every=20
    )
    with pytest.raises(ValueError, match=r"type --segment 50 or --processes\.limit 10"):
        run(config, tmp_path / "short", goal="teach")
    assert not (tmp_path / "short").exists()
