"""Figure 8's pictures, of teams that were not taught: real battles and worlds."""

import dataclasses

import numpy as np
import pytest
from PIL import Image
from tests.test_pipeline import TINY

from ptde import build
from ptde.algos.base import Team
from ptde.cli import main
from ptde.config import Run, for_role
from ptde.folder import RunFolder
from ptde.report.battle import battle_scenes
from ptde.strategy import Side, _other, early_late

BATTLE = dataclasses.replace(
    TINY, world="smax", map="3m", segment=0, envs=1, baseline=True, seeds=2, steps=8
)


def pretended(run, path, *roles):
    """A run folder whose networks nobody will look at."""
    RunFolder.create(run, path, "run")
    for role in roles:
        (path / role / "model").mkdir(parents=True)
    return path


def untaught(run: Run, path, roles=("teacher", "student", "baseline")):
    """A run folder with finished roles whose networks are as they began."""
    folder = RunFolder.create(run, path, "run")
    env = build.world(run)
    for role in roles:
        training = build.training(for_role(run, role), env, role)
        teacher = training.algo.teacher(training.start().learner)
        model = teacher
        if role == "student":
            model = Team(
                teacher.network, build.distillation(run, env).start(teacher).student
            )
        folder.finish(role, model)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untaught(BATTLE, tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def picture(folder):
    """Drawn once, by the command."""
    assert main(["replay", str(folder), "--early-late"]) == 0
    return np.asarray(Image.open(folder / "early-late.png"))


def test_student_and_baseline_are_in_one_picture(folder, picture, capsys, tmp_path):
    height = (len(picture) - 8) // 2
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    assert (picture[:height] != picture[-height:]).any()
    early_late(folder, out=tmp_path / "again.png")
    assert "one team" not in capsys.readouterr().out
    again = np.asarray(Image.open(tmp_path / "again.png"))
    np.testing.assert_array_equal(again, picture)


def test_both_battles_have_the_same_beginning(folder, monkeypatch, tmp_path):
    begun = []

    def look(env, policy, *, key):
        scenes = battle_scenes(env, policy, key=key)
        begun.append(scenes[0])
        return scenes

    monkeypatch.setattr("ptde.report.registry.battle_scenes", look)
    early_late(folder, "teacher", versus=folder, episode=3, out=tmp_path / "a.png")
    teacher, student = begun
    # within the first moments of the first step
    assert np.abs(teacher.position - student.position).max() < 1.0
    early_late(folder, "teacher", versus=folder, episode=4, out=tmp_path / "b.png")
    assert np.abs(begun[2].position - teacher.position).max() > 1.0


def test_teams_are_called_as_in_the_paper(folder):
    held = RunFolder(folder)
    names = {role: Side(held, role, 0).name for role in ("teacher", "student", "baseline")}
    assert names == {"teacher": "QMIX_GIP", "student": "QMIX_KD", "baseline": "QMIX"}
    held.run = dataclasses.replace(held.run, info="giu")
    assert Side(held, "student", 0).name == "QMIX_GIU, student"


def test_another_run_takes_the_baselines_place(folder, picture, tmp_path):
    target = tmp_path / "a.png"
    words = ["replay", str(folder), "--early-late", "--versus", str(folder)]
    assert main([*words, "--out", str(target)]) == 0
    shown = np.asarray(Image.open(target))
    height = (len(picture) - 8) // 2
    np.testing.assert_array_equal(shown[:height], picture[:height])
    # the same students, from the same beginning
    np.testing.assert_array_equal(shown[-height:], shown[:height])


def test_of_another_run_the_team_that_needs_least_plays(tmp_path):
    mine, other = (
        pretended(dataclasses.replace(BATTLE, seed=seed), tmp_path / f"{seed}", "teacher")
        for seed in (0, 5)
    )
    held = [RunFolder(mine), RunFolder(other)]
    side = _other(*held, seed=1)
    assert (side.role, side.seed) == ("teacher", 5)  # it has no seed 1
    (other / "student" / "model").mkdir(parents=True)
    side = _other(*held, seed=6)
    assert (side.role, side.seed) == ("student", 6)


HOST = dataclasses.replace(
    TINY, world="processes", map="tests.processes.worlds:Scored", envs=1, segment=10
)


def test_a_world_that_draws_itself_is_shown_by_its_pictures(tmp_path, capsys):
    run = untaught(HOST, tmp_path / "run", roles=("teacher",))
    path = early_late(run, "teacher")
    shown = np.asarray(Image.open(path))
    # Scored paints step t in 20 t; its episodes have 4 steps
    assert set(np.unique(shown[-1])) == {20, 60, 255}
    assert "type --versus RUN" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("world", "name", "words", "advice"),
    [
        ("smax", "3m", "--early-late --role student", "type --role teacher"),
        ("smax", "3m", "--early-late --role teacher --seed 7", "--seed 7 is not in this"),
        ("smax", "3m", "--versus x", "type --early-late, too"),
        ("probe", "personal", "--early-late --role teacher", "battles (--world smax)"),
        (
            "processes",
            "tests.processes.worlds:Line",
            "--early-late --role teacher",
            "give it a method frame()",
        ),
    ],
)
def test_what_has_no_early_and_late_says_what_to_type(
    world, name, words, advice, tmp_path, capsys
):
    run = dataclasses.replace(BATTLE, world=world, map=name, baseline=False)
    path = pretended(run, tmp_path / "run", "teacher")
    assert main(["replay", str(path), *words.split()]) == 2
    assert advice in capsys.readouterr().err
    assert not list(path.glob("*.png"))


def test_teams_of_two_maps_are_not_compared(tmp_path, capsys):
    one = pretended(BATTLE, tmp_path / "one", "student")
    other = pretended(dataclasses.replace(BATTLE, map="8m"), tmp_path / "two", "teacher")
    assert main(["replay", str(one), "--early-late", "--versus", str(other)]) == 2
    assert "type --versus with a run on the same map" in capsys.readouterr().err
    nobody = pretended(BATTLE, tmp_path / "three")
    assert main(["replay", str(one), "--early-late", "--versus", str(nobody)]) == 2
    assert "`ptde resume" in capsys.readouterr().err
