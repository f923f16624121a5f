"""Diagnoses of students of which it is known what they lack."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.diagnosis.worlds import known, taught
from tests.students import PAPERS
from tests.test_pipeline import TINY, stop_after

from ptde.cli import main
from ptde.config import Run
from ptde.diagnosis import FILE, PICTURE, Diagnosis, diagnose
from ptde.diagnosis.gap import lacks_of
from ptde.diagnosis.sentence import DEALT
from ptde.distill.config import DistillConfig
from ptde.envs.settings import RankingConfig
from ptde.folder import RunFolder
from ptde.jobs.interrupt import Interrupted
from ptde.page.diagnosis import diagnosis as html_of
from ptde.pipeline import run
from ptde.unread import without_unread


def sizes(found: Diagnosis) -> dict[str, float]:
    return {name: part.size for name, part in found.parts.items()}


def rung(found: Diagnosis, name: str) -> float:
    return next(r.performance for r in found.ladder if name in r.team)


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory):
    """A run whose student does not remember what it saw."""
    path = tmp_path_factory.mktemp("known") / "earlier"
    return taught(known("earlier", network="mlp"), path).path


@pytest.fixture(scope="module")
def remembered(forgetful):
    """Its diagnosis, as it is typed."""
    assert main(["diagnose", str(forgetful)]) == 0
    return json.loads((forgetful / FILE).read_text())


def test_what_was_seen_earlier_is_a_matter_of_memory(remembered):
    found = {row["part"]: row["size"] for row in remembered["parts"]}
    assert found["memory"] > 0.4
    assert found["memory"] == pytest.approx(found["gap"], abs=0.05)
    assert set(found) == {"gap", "capacity", "knowledge", "memory"}
    assert "is memory: the agents have seen what z tells" in remembered["summary"]
    assert "--student.network gru`" in remembered["summary"]


def test_the_ladder_goes_down_from_the_teacher(remembered):
    reached = {row["team"]: row["performance"] for row in remembered["ladder"]}
    assert list(reached)[:2] == ["teacher", "O_i + memory + the state"]
    assert list(reached)[-2:] == ["student", DEALT]
    assert reached[DEALT] < 0.9  # two values of z: an error dealt out is often one, too
    assert list(reached.values())[:3] == pytest.approx([1, 1, 1], abs=0.02)
    assert reached["student"] < 0.6
    last = remembered["ladder"][-2]
    assert last["lacks"] == "memory"
    # all episodes are as long as the limit
    assert (last["lost"], last["timed_out"]) == (0, pytest.approx(1 - last["performance"]))


def test_who_decides_as_the_teacher_wins_as_the_teacher(remembered):
    alike, mixed = remembered["decisions"], remembered["takeover"]
    assert [row["battles"] for row in alike] == ["teacher's", "student's"]
    for row in alike:  # a cue of two values, at one step of two
        assert 0.3 < row["same_action"] < 0.7
        assert row["r2_of_values"] < 0.1
    half, *overruled = mixed
    assert half["teacher_decides"] == 0.5
    # a wrong action is worth two standard deviations less than the right one
    won = [row["performance"] for row in overruled]
    assert won == [1, 1, pytest.approx(half["performance"], abs=0.2)]


def test_what_was_fitted_is_fitted_once(remembered, forgetful, tmp_path):
    kept = {p: p.stat().st_mtime_ns for p in forgetful.glob("diagnosis/*/model/*")}
    assert len({path.parts[-3] for path in kept}) == 2
    assert not list(forgetful.glob("diagnosis/*/checkpoints"))
    again = diagnose(forgetful, quick=True, out=tmp_path / "new")
    assert kept == {path: path.stat().st_mtime_ns for path in kept}
    assert json.loads((forgetful / FILE).read_text()) == remembered
    written = json.loads((tmp_path / "new" / FILE).read_text())
    assert written["parts"] == remembered["parts"]
    assert (again.takeover, written["takeover"]) == ((), [])


def test_it_is_drawn_and_stands_on_the_page_of_the_run(remembered, forgetful):
    assert np.asarray(Image.open(forgetful / PICTURE)).std() > 10
    html = html_of(forgetful)
    assert f"<p>{remembered['summary']}</p>".replace("'", "&#x27;") in html
    for title in ("parts", "ladder", "decisions", "takeover"):
        assert f"<h3>{title}</h3>" in html
    size = f"{remembered['parts'][0]['size']:.3g}"
    assert f'<td>gap</td><td class="number">{size}</td>' in html
    assert "<th>r2 of values</th>" in html
    assert "<th>overruled above</th>" in html


@pytest.mark.slow
def test_what_no_agent_ever_sees_is_a_matter_of_knowledge(tmp_path, monkeypatch):
    """And it may be found out in two goes."""
    path = taught(known("hidden"), tmp_path / "run").path
    stop_after(monkeypatch, 2)
    with pytest.raises(Interrupted, match="the state is saved at 320 steps"):
        diagnose(path)
    monkeypatch.undo()
    begun = (path / "diagnosis" / "state" / "record.jsonl").read_text()
    found = diagnose(path)
    whole = (path / "diagnosis" / "state" / "record.jsonl").read_text()
    assert whole.startswith(begun) and whole.count("\n") == 2 * begun.count("\n") == 4
    assert sizes(found)["knowledge"] > 0.4
    assert sizes(found)["knowledge"] == pytest.approx(found.gap.size, abs=0.05)
    assert "is knowledge: what z tells is in nothing that the agents" in found.summary
    assert "`ptde finetune" in found.summary
    # one that sees O_i alone is on the ladder, though the run's student remembers
    assert rung(found, "O_i, values") < 0.6


@pytest.mark.slow
def test_where_the_teacher_never_was_is_a_matter_of_shift(tmp_path):
    student = known("doors", data="teacher")
    found = diagnose(taught(student, tmp_path / "run").path, quick=True)
    assert sizes(found)["shift"] > 0.4
    assert sizes(found)["shift"] == pytest.approx(found.gap.size, abs=0.1)
    assert "is shift: the student comes into situations" in found.summary
    assert "--student.data own`" in found.summary
    assert found.takeover == ()
    # on its teacher's battles it is as good where it can be, on its own it is not
    teachers, own = (row["same_action"] for row in found.decisions)
    assert own < teachers - 0.1


def untold(config: Run, path: Path, goal, *roles: str) -> Path:
    """A run folder in which these roles look finished."""
    folder = RunFolder.create(config, path, goal)
    for role in roles:
        (path / role / "model").mkdir(parents=True)
    return folder.path


@pytest.mark.parametrize(
    ("changes", "goal", "roles", "advice"),
    [
        ({}, "teach", ["teacher"], "`ptde distill {path}` makes one"),
        ({}, "run", ["teacher"], "`ptde resume {path}` finishes it"),
        ({}, "run", [], "`ptde resume {path}` finishes it"),
        ({"info": "none"}, "teach", ["teacher"], "`ptde run --info gip` makes both"),
        (
            {"info": "none", "teacher_sight": "all", "online_distillation": True},
            "run",
            ["teacher", "student"],
            "`ptde run --info gip` makes both",
        ),
        (
            {"online_distillation": True},
            "run",
            ["teacher", "student"],
            "`ptde run --no-online-distillation`",
        ),
    ],
)
def test_a_run_without_a_student_of_z_says_what_to_type(
    changes, goal, roles, advice, tmp_path, capsys
):
    path = untold(Run(world="probe", **changes), tmp_path / "run", goal, *roles)
    before = sorted(path.rglob("*"))
    assert main(["diagnose", str(path)]) == 2
    assert advice.format(path=path) in capsys.readouterr().err
    assert sorted(path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["--episodes", "1"], "--episodes must lie in [2, inf)"),
        (["--out", "file"], "is a file: type a folder"),
    ],
)
def test_bad_words_say_what_to_type(words, advice, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    path = untold(Run(world="probe"), tmp_path / "run", "run", "teacher", "student")
    assert main(["diagnose", str(path), *words]) == 2
    assert advice in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"algo": "mappo", "seeds": 3, "student": {"data": "teacher"}},
        {"student": {"data": "replay", "share": 0.1, "network": "gru", "objective": "q"}},
        {"world": "processes", "map": "tests.processes.worlds:Scored", "segment": 10},
        {
            "world": "ranking",
            "map": "synthetic",
            "segment": 1,
            "ranking": RankingConfig(docs=4),
        },
    ],
    ids=["mappo", "replay", "processes", "ranking"],
)
def test_it_is_for_all_learners_data_and_worlds(changes, tmp_path):
    """The paper's student lacks three things: four fits along one order."""
    student = {**PAPERS, "steps": 4, "batch": 4, "hidden": 8}
    student |= {"data_steps": 64, "tests": 1, "test_episodes": 4}
    config = DistillConfig(**{**student, **changes.get("student", {})})
    made = {**changes, "student": config, "steps": 64, "episodes": 8}
    config = without_unread(dataclasses.replace(TINY, **made), TINY)
    run(config, tmp_path / "run")
    found = diagnose(tmp_path / "run", quick=True)
    own = lacks_of(config.student)
    assert list(found.parts) == ["capacity", "knowledge", *own]
    assert len(list(tmp_path.glob("run/diagnosis/*/model"))) == 1 + len(own)
    total = sum(part.size for part in found.parts.values())
    assert total == pytest.approx(found.gap.size)
    assert json.loads((tmp_path / "run" / FILE).read_text())["summary"] == found.summary
