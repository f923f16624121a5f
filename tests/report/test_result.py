import io
import json

import pytest
from rich.console import Console

from ptde.report.result import Result, load_result

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


def table_of(*, won: float, measure: str = "win rate") -> str:
    score = {
        **SCORE,
        "win_rate": won,
        "seeds": [won, won],
        "return": -2.0,
        "returns": [-3.0, -1.0],
        "length": 5.0,
        "score": None,
        "communication": 0.0,
    }
    found = {**WHOLE, "teacher": score, "world": "w", "method": "m", "seconds": 1.0}
    out = Console(width=120, record=True, file=io.StringIO())
    out.print(Result.from_json({**found, "measure": measure}, centralised=False).table())
    return out.export_text()


def test_returns_and_their_interval_are_shown_where_nobody_wins():
    text = table_of(won=0.0, measure="return")
    assert "win rate" not in text
    assert "-2.00" in text
    assert "-14.71 to 10.71" in text  # t of one degree of freedom: 12.706
    assert "No episode was won" not in text
    assert "No episode was won: returns count." in table_of(won=0.0)
    assert "0.500" in table_of(won=0.5)
    assert "win rate" in table_of(won=0.5)
