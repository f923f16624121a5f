"""Ranges and choices stand once, with the option, and its text says the same."""

import ast
import dataclasses
import inspect
import textwrap
from typing import Annotated, Literal

import pytest

from ptde.config import Run
from ptde.options import In, Options, limits

GROUPS = [Run] + [
    f.default_factory
    for f in dataclasses.fields(Run)
    if f.default_factory is not dataclasses.MISSING
]


@dataclasses.dataclass(frozen=True)
class Tea(Options):
    """A group for these tests."""

    group = "tea."
    sugar: Annotated[int, In(0, 3, example=1)] = 2
    heat: Annotated[float, In(0, open=True)] = 90.0
    kind: Literal["green", "black"] = "green"
    milk: Annotated[float | None, In(0)] = None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sugar": 4}, r"--tea\.sugar must lie in \[0, 3\], not 4: .* --tea\.sugar 1"),
        ({"heat": 0.0}, r"--tea\.heat must lie in \(0, inf\), not 0\.0: .* 90\.0"),
        ({"heat": float("nan")}, r"--tea\.heat must lie"),
        ({"kind": "grey"}, r"did you mean --tea\.kind green"),
        ({"milk": -1.0}, r"--tea\.milk must lie in \[0, inf\)"),
    ],
)
def test_what_is_out_of_range_says_what_to_type(options, says):
    with pytest.raises(ValueError, match=says):
        Tea(**options)


def test_what_is_in_range_is_taken():
    assert Tea(sugar=0, heat=1e-9, kind="black", milk=0.0).milk == 0.0


def texts(group):
    """The text below each option."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(group))).body
    pairs = zip(body.body, body.body[1:], strict=False)
    return {
        one.target.id: " ".join(ast.literal_eval(text.value).split())
        for one, text in pairs
        if isinstance(one, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_every_options_text_says_its_range(group):
    said = texts(group)
    for name, allowed in limits(group).items():
        if not isinstance(allowed, In):
            continue
        low = f"{allowed.low:g}"
        wanted = [f"In {'(' if allowed.open else '['}{low}, "]
        if allowed.high == float("inf"):
            wanted = [f"{'>' if allowed.open else '>='} {low}"]
        if name == "seed":
            wanted = [">= 0"]
        if name == "buffer" and wanted == [">= 1"]:
            wanted = [">= batch"]
        assert any(words in said[name] for words in wanted), (name, said[name])


def test_every_number_has_a_range():
    free = {
        (group.__name__, f.name)
        for group in GROUPS
        for f in dataclasses.fields(group)
        if type(f.default) in (int, float) and f.name not in limits(group)
    }
    assert free == {("SmaxConfig", "time_limit")}  # 0, or in [10, 1000]
