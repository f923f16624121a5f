"""The page of a run whose files are damaged."""

import json

import pytest

from ptde.config import Run
from ptde.folder import RunFolder
from ptde.page import write_page
from ptde.page.run import _ranking
from ptde.report.result import SCORE, load_result


@pytest.mark.parametrize(
    ("name", "value"), [("communication", "x"), ("communication", None), ("returns", 5)]
)
def test_a_result_of_another_form_is_named(tmp_path, name, value):
    path = RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path
    file = path / "result.json"
    file.write_text(json.dumps({"teacher": SCORE | {"communication": 1.0}}))
    assert load_result(path)["teacher"]["communication"] == 1.0
    file.write_text(json.dumps({"teacher": SCORE | {name: value}}))
    with pytest.raises(ValueError, match=f"{file} is damaged") as error:
        write_page(path)
    assert str(error.value).endswith(f"`ptde evaluate {path}` writes it anew")


def test_a_table_that_is_no_text_is_named(tmp_path):
    (tmp_path / "ranking.md").write_bytes(b"| \xff |")
    html = _ranking(tmp_path)
    assert f"{tmp_path}/ranking.md cannot be shown" in html
    assert f"`ptde evaluate {tmp_path}` writes it anew" in html


def test_half_a_character_withholds_no_page(tmp_path):
    path = RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path
    result = {"teacher": SCORE, "measure": "won \ud800"}  # JSON allows it, UTF-8 does not
    (path / "result.json").write_text(json.dumps(result))
    assert "<th>won ?</th>" in write_page(path, battles=0).read_text()
