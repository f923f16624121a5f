"""A run's diagnosis on its page: the contents of ``diagnosis.json`` as text and tables."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ptde.diagnosis import FILE
from ptde.page.document import from_file, heading, paragraph, table

_LONGEST = 8
"""Longest list that is shown whole; of longer ones, the first and the last number are."""


def diagnosis(path: Path) -> str:
    """HTML of a folder's diagnosis; "" if there is none."""
    advice = "remove it; `ptde diagnose RUN` writes another"
    return from_file(path / FILE, lambda text: _html(json.loads(text)), advice)


def _html(value: Any, title: str = "") -> str:
    """Data as HTML: sentences as paragraphs, rows and pairs of name and value as tables."""
    if isinstance(value, Mapping):
        plain = {n: v for n, v in value.items() if not _has_parts(v) and not _is_text(v)}
        texts = [paragraph(v) for v in value.values() if _is_text(v)]
        rows = [[_plain(name), _cell(v)] for name, v in plain.items()]
        parts = {n: v for n, v in value.items() if _has_parts(v)}
        html = "".join(texts) + (table(["what", "value"], rows) if rows else "")
        html += "".join(_html(v, _plain(name)) for name, v in parts.items())
    elif _has_parts(value):
        html = _rows(value)
    else:
        html = paragraph(_cell(value)) if value not in (None, "", []) else ""
    return heading(title) + html if title and html else html


def _rows(value: Sequence[Any]) -> str:
    """A list as HTML: its rows as a table with all their names, other items one by one."""
    rows = [row for row in value if isinstance(row, Mapping)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [[_cell(row.get(name)) for name in names] for row in rows]
    html = table([_plain(name) for name in names], lines) if names else ""
    return html + "".join(_html(item) for item in value if not isinstance(item, Mapping))


def _has_parts(value: Any) -> bool:
    """Whether a value takes more than a cell."""
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list) and any(
        isinstance(item, Mapping | list) or _is_text(item) for item in value
    )


def _is_text(value: Any) -> bool:
    """Whether a value is a sentence, not a word."""
    return isinstance(value, str) and len(value) > 40


def _plain(name: Any) -> str:
    return str(name).replace("_", " ")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{_plain(name)} {_cell(x)}" for name, x in value.items())
    if isinstance(value, list):
        if len(value) > _LONGEST:
            return f"{_cell(value[0])} ... {_cell(value[-1])} ({len(value)})"
        return ", ".join(map(_cell, value))
    return "" if value is None else str(value)
