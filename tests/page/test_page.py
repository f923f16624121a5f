"""`ptde report` on runs that have ended, that have not, and on what is no run."""

import json
import re
import shutil

import pytest
from tests.page.conftest import STAGES

from ptde.cli import main
from ptde.diagnosis import FILE
from ptde.folder import ROLES, RunFolder
from ptde.jobs.record import Record
from ptde.page import write_page
from ptde.page.document import MOST_BYTES

pytestmark = pytest.mark.slow


def data_of(html):
    """What the scripts draw."""
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.DOTALL)[1])


@pytest.fixture(scope="module")
def page(finished):
    return write_page(finished).read_text()


def test_the_page_needs_nothing_else(finished, page):
    assert (finished / "report.html").stat().st_size < MOST_BYTES
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert "MIT License" in page  # uPlot's


def test_every_stage_is_in_the_table_with_its_interval(finished, page):
    result = json.loads((finished / "result.json").read_text())
    for role in ROLES:
        score = result[role]
        row = re.search(rf"<tr><td>{role}</td>.*?</tr>", page)[0]
        assert f">{score['win_rate']:.3f}<" in row
        assert f">{score['low']:.3f} to {score['high']:.3f}<" in row
        for seed in score["seeds"]:
            assert f"{seed:.3f}" in row
    assert f"PRR {result['prr']:.1%}: win rate of the finetuned team" in page
    assert "has not ended" not in page


def test_every_stage_is_on_the_axis_of_joint_steps(finished, page):
    won, returns, loss, _ = data_of(page)["charts"]
    assert [c["name"] for c in won["curves"]] == list(ROLES)
    for curve in won["curves"]:
        rows = Record(finished / curve["name"] / "record.jsonl").rows()
        last = max(
            step
            for step, mean in zip(won["steps"], curve["mean"], strict=True)
            if mean is not None
        )
        assert last == rows[-1]["joint_steps"]
    assert (won["x"], returns["x"]) == ("joint steps", "joint steps")
    assert loss["x"] == "gradient steps of the distillation"


def test_the_command_is_there_and_a_diagnosis_once_it_is_made(finished, page, tmp_path):
    assert "ptde run --world probe --map personal --steps 320" in page
    assert 'id="diagnosis"' not in page
    copied = shutil.copytree(finished, tmp_path / "run")
    (copied / FILE).write_text(json.dumps({"agreement": 0.75}))
    again = write_page(copied).read_text()
    assert '<section id="diagnosis">' in again
    assert '<td>agreement</td><td class="number">0.75</td>' in again


def test_a_baseline_with_joint_steps_of_its_own_is_named(finished, page, tmp_path):
    assert "the same machine and versions:" in page
    copied = RunFolder(shutil.copytree(finished, tmp_path / "run"))
    copied.rewrite(copied.run.apart)  # as `ptde finetune` does
    assert (
        "but for the baseline, which has had 320 joint"
        in write_page(copied.path).read_text()
    )


def test_an_unfinished_run_shows_what_there_is_and_says_so(finished, tmp_path, capsys):
    killed = shutil.copytree(finished, tmp_path / "killed")
    (killed / "result.json").unlink()
    shutil.rmtree(killed / "finetuned")
    shutil.rmtree(killed / "baseline")
    shutil.rmtree(killed / "student" / "model")
    with (killed / "student" / "record.jsonl").open("a") as record:
        record.write('{"steps": 60, "win_r')  # cut off by the kill
    out = tmp_path / "killed.html"
    assert main(["report", str(killed), "--out", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out)]
    html = out.read_text()
    lead = re.search(r'<p class="unfinished">(.*?)</p>', html)[1]
    assert "has not ended" in lead
    assert "student (step 40)" in lead
    assert "finetuned (waits)" in lead
    assert f"ptde resume {killed}" in lead
    assert "(so far)" in html
    assert [c["name"] for c in data_of(html)["charts"][0]["curves"]] == [
        "teacher",
        "student",
    ]


@pytest.fixture
def nothing(tmp_path):
    (tmp_path / "nothing").mkdir()
    return tmp_path / "nothing"


def test_a_folder_that_is_neither_is_refused(nothing, capsys):
    for path in (nothing, nothing / "missing"):
        assert main(["report", str(path)]) == 2
        assert "is neither a run folder nor one of a comparison" in capsys.readouterr().err
    assert list(nothing.iterdir()) == []


def test_a_run_without_a_test_is_refused(nothing, capsys):
    folder = RunFolder.create(STAGES, nothing / "run", "run")
    assert main(["report", str(folder.path)]) == 2
    error = capsys.readouterr().err
    assert "has nothing to show yet" in error
    assert f"ptde resume {folder.path}" in error


def test_a_page_is_not_written_where_it_cannot_be(finished, nothing, capsys):
    assert main(["report", str(finished), "--out", str(nothing)]) == 2
    assert "is a folder: type a file" in capsys.readouterr().err
    assert main(["report", str(finished), "--out", str(nothing / "a" / "b.html")]) == 2
    assert "make the folder" in capsys.readouterr().err
    assert main(["report", str(finished), "--battles", "-1"]) == 2
    assert "battles" in capsys.readouterr().err
