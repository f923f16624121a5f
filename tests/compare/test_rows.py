"""Rows of your own in a plan."""

import json
import re

import pytest
from tests.compare.test_compare import PLAN
from tests.documents import EXAMPLES, ROOT, fenced

from ptde.cli import main
from ptde.cli.compare import _typed_run
from ptde.compare import rows
from ptde.compare.plan_file import read_plan
from ptde.methods import METHODS, run_of
from ptde.options import flatten
from ptde.trust import trusting

OWN = """
[method.narrow]
like = "qmix_gip"
label = "QMIX_GIP, narrow"
state-encoder = 2
[method.narrow_kd]
like = "qmix_kd"
state-encoder = 2
"""
SHORT = """
"student.share" = 0
"student.data-segments" = 16
"student.steps" = 4
"student.batch" = 8
"student.tests" = 1
"""


@pytest.fixture(autouse=True)
def forgotten():
    """What a test makes known, no other knows."""
    before = dict(METHODS)
    yield
    METHODS.clear()
    METHODS.update(before)
    rows._OWN.clear()


def plan_of(path, own, methods='["narrow", "narrow_kd"]'):
    text = re.sub(r"methods = .*", f"methods = {methods}", PLAN)
    text = re.sub(r"maps = .*", 'maps = ["personal"]', text)
    (path / "plan.toml").write_text(text + SHORT + own)
    return ["compare", str(path / "plan.toml"), "--out", str(path / "out")]


def test_a_row_of_ones_own_is_trained_and_stands_in_table_and_page(tmp_path, capsys):
    assert main(plan_of(tmp_path, OWN)) == 0
    (made,) = tmp_path.glob("out/*/*/*/run.json")  # the student shares its teacher's run
    assert made.parent.parent.name == "narrow"
    assert json.loads(made.read_text())["run"]["info_config"]["state_encoder"] == 2
    table = (tmp_path / "out" / "table.md").read_text()
    assert "| QMIX_GIP, narrow (C) | O_i history, state |" in table
    assert "| narrow_kd (D) | O_i history |" in table
    assert "NOT ALL OF THE PLAN" not in table
    METHODS.pop("narrow"), METHODS.pop("narrow_kd"), rows._OWN.clear()
    assert main(["report", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "QMIX_GIP, narrow (C)" in page and "narrow_kd (D)" in page
    more = plan_of(tmp_path, OWN, '["qmix", "narrow", "narrow_kd"]')
    assert main([*more, "--seeds", "3", "--table-only"]) == 0
    said = "no result yet of QMIX on personal; QMIX_GIP, narrow on personal (seeds 2); "
    assert said in capsys.readouterr().out
    assert said in (tmp_path / "out" / "table.md").read_text()


def test_the_plan_that_is_shown_is_read(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    (tmp_path / "plan.toml").write_text(fenced(ROOT / "docs" / "extending.md", "toml")[0])
    with trusting("my_info:Attention"):
        plan = read_plan(tmp_path / "plan.toml", _typed_run)
    names = [(cell.name, sorted(cell.roles)) for cell in plan.cells()]
    assert names == [
        ("qmix", ["teacher"]),
        ("qmix_gip", ["teacher"]),
        ("att", ["student", "teacher"]),
        ("narrow", ["student"]),
    ]
    narrow = flatten(run_of("narrow", plan.on("3s_vs_5z")))
    assert narrow["info_config.hyper_hidden"] == 32
    assert narrow["info_config.state_encoder"] == 16


def test_its_options_go_before_those_that_the_method_sets():
    row = rows.Row("qmix_ptde_student", "mine", {"info_config.state_encoder": 4})
    rows.register({"mine": row, "other": rows.Row("qmix_ptde", "o", row.options)})
    assert flatten(run_of("mine"))["info_config.state_encoder"] == 4
    assert flatten(run_of("qmix_ptde"))["info_config.state_encoder"] == 16
    assert METHODS["mine"].role == "student"
    assert METHODS["mine"].run == METHODS["other"].run == "mine"
    rows.register({"without": rows.Row("qmix_gip", "w", {"info": "none"})})
    assert not METHODS["without"].centralised


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ('[method.qmix]\nlike = "vdn"\nz = 2', "there is a method qmix already"),
        ('[method.Att]\nlike = "qmix_gip"\nz = 2', "small letters, digits and _"),
        ("[method.att]\nz = 2", 'write the method that it is like, e.g. like = "qmix_gip"'),
        ('[method.att]\nlike = "qmix_gop"\nz = 2', "did you mean --method qmix_gip"),
        ('[method.att]\nlike = "qmix_gip"', "no option of its own: write qmix_gip instead"),
        ('[method.att]\nlike = "qmix_gip"\nseed = 2', "all rows have the same seed"),
        ('[method.att]\nlike = "qmix"\nz = 2', "--z is not read with --info none"),
        ('[method.att]\nlike = "qmix"\nzz = 2', "--zz"),
        ('[method.att]\nlike = "qmix_gip"\ninfo = "o:s"', "would import o:s"),
        ("method = 3", r"write its lines below \[method\]"),
        ("[method]\natt = 3", r"write its lines below \[method.att\]"),
    ],
)
def test_what_is_wrong_in_a_row_is_said_before_anything_runs(tmp_path, capsys, own, said):
    words = plan_of(tmp_path, "", methods='["qmix", "att"]')
    plan = tmp_path / "plan.toml"
    front = own.startswith("method =")
    plan.write_text(own + plan.read_text() if front else plan.read_text() + own)
    assert main(words) == 2
    assert re.search(said, capsys.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_of_rows_is_named(tmp_path):
    (tmp_path / rows.FILE).write_text('{"att": {"like": "qmix_gip"}}')
    with pytest.raises(ValueError, match=r"methods\.json is damaged .* writes it anew"):
        rows.load(tmp_path)
    rows.load(tmp_path / "nowhere")


def test_a_comparison_is_not_written_into_a_run_or_over_a_file(tmp_path, capsys):
    words = plan_of(tmp_path, OWN)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    assert main(words) == 2
    assert "is the folder of a run: type another --out" in capsys.readouterr().err
    assert main([*words[:-1], str(tmp_path / "plan.toml")]) == 2
    assert "plan.toml is a file: type a folder" in capsys.readouterr().err
