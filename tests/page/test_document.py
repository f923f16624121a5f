import json

import numpy as np
import pytest

from ptde.diagnosis import FILE
from ptde.page.diagnosis import diagnosis
from ptde.page.document import Section, from_markdown, render, table


def test_nothing_that_is_put_in_can_change_the_page():
    name = '</script><script>alert("{{data}}")'
    html = render(name, [], [Section("a", name, "<p>x</p>")], {"name": name})
    assert html.count("<script") == 2 + html.count('<script type="x"')
    assert "&lt;/script&gt;" in html
    data = html.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data) == {"name": name}


def test_a_section_without_anything_is_left_out():
    parts = [Section("full", "Full", "<p>x</p>"), Section("empty", "Empty", "")]
    html = render("a page", [], parts, {})
    assert 'href="#full"' in html
    assert "Empty" not in html


def test_ptdes_own_tables_become_tables():
    html = from_markdown("| a | b |\n|---|---|\n| x < y | 0.5 |\n\nA remark.\n")
    assert html == (table(["a", "b"], [["x < y", "0.5"]]) + '<p class="note">A remark.</p>')
    assert '<td>x &lt; y</td><td class="number">0.5</td>' in html


def test_a_diagnosis_of_any_form_is_shown(tmp_path):
    sentence = "The student does not see what the teacher's choice depends on."
    found = {
        "verdict": sentence,
        "agreement": 0.91234,
        "z_matters": True,
        "per_agent": np.linspace(0, 1, 20).tolist(),
        "tests": [{"name": "floor", "value": 0.25}, {"name": "<b>", "text": "low"}],
        "student": {"loss": 1.5, "by_step": {"early": 0.1}},
        "empty": None,
    }
    (tmp_path / FILE).write_text(json.dumps(found))
    html = diagnosis(tmp_path)
    assert "The student does not see" in html
    assert '<td>agreement</td><td class="number">0.912</td>' in html
    assert "<td>z matters</td><td>yes</td>" in html
    assert "0 ... 1 (20)" in html
    assert "<th>name</th><th>value</th><th>text</th>" in html
    assert "&lt;b&gt;" in html
    assert "<h3>student</h3>" in html
    assert '<td>early</td><td class="number">0.1</td>' in html


def test_a_diagnosis_that_is_missing_or_empty_is_passed_over(tmp_path):
    assert diagnosis(tmp_path) == ""
    for text in ("null", "{}", "[]"):
        (tmp_path / FILE).write_text(text)
        assert diagnosis(tmp_path) == "", text


@pytest.mark.parametrize("deep", [400, 100_000])
def test_a_diagnosis_that_is_damaged_is_named(tmp_path, deep):
    for text in (b"{", b"\xff", b"[" * deep + b"]" * deep):
        (tmp_path / FILE).write_bytes(text)
        html = diagnosis(tmp_path)
        assert f"{tmp_path / FILE} cannot be shown" in html, text[:9]
        assert "`ptde diagnose RUN` writes another" in html
