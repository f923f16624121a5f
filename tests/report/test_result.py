import json

import pytest

from ptde.report.result import load_result

SCORE = {
    "win_rate": 0.5,
    "low": 0.4,
    "high": 0.6,
    "return": 1.0,
    "episodes": 16,
    "seeds": [0.5],
    "returns": [1.0],
}
WHOLE = {"teacher": SCORE, "steps": 10, "measure": "win rate", "prr": None}


def test_a_result_is_read(tmp_path):
    assert load_result(tmp_path) == {}
    (tmp_path / "result.json").write_text(json.dumps(WHOLE))
    assert load_result(tmp_path) == WHOLE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"teacher": 3}, "field 'teacher' is 3, not names and values"),
        ({"teacher": {**SCORE, "win_rate": "high"}}, "field 'teacher.win_rate' is 'high'"),
        ({"teacher": {"win_rate": 0.5}}, "field 'teacher.low' is None"),
        ({"teacher": {**SCORE, "seeds": ["x"]}}, "'teacher.seeds' holds something"),
        ({"steps": "ten"}, "field 'steps' is 'ten'"),
        ({"prr": "all"}, "field 'prr' is 'all'"),
    ],
)
def test_a_field_of_another_kind_is_named(tmp_path, change, said):
    (tmp_path / "result.json").write_text(json.dumps({**WHOLE, **change}))
    with pytest.raises(ValueError) as error:
        load_result(tmp_path)
    assert said in str(error.value)
    assert f"`ptde evaluate {tmp_path}` writes it anew" in str(error.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_garbage_is_named(tmp_path, text):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=r"result\.json is damaged.*writes it anew"):
        load_result(tmp_path)
