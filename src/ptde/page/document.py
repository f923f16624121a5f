"""The HTML of a page: its sections, the scripts and styles, and the data they draw."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

MOST_BYTES = 2_000_000
"""Largest size of a page, in bytes."""
_SCRIPTS = ("uPlot.iife.min.js", "charts.js", "views.js", "player.js")
_STYLES = ("uPlot.min.css", "style.css")


@dataclass(frozen=True)
class Section:
    """A part of the page, with a heading and a link at the top."""

    key: str
    """Anchor of the section in the page."""
    title: str
    html: str


def paragraph(text: str, kind: str = "") -> str:
    """HTML of a paragraph of plain text; ``kind`` is a class of ``style.css``."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def heading(text: str) -> str:
    """HTML of the heading of a part of a section."""
    return f"<h3>{escape(text)}</h3>"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """HTML of a table of plain text, with numbers to the right."""
    cells = lambda row, kind: "".join(
        f"<{kind}{_to_the_right(cell) if kind == 'td' else ''}>{escape(cell)}</{kind}>"
        for cell in row
    )
    lines = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    top = f"<thead><tr>{cells(head, 'th')}</tr></thead>"
    return f'<div class="scroll"><table>{top}<tbody>{lines}</tbody></table></div>'


def _to_the_right(cell: str) -> str:
    return ' class="number"' if cell[:1] in "+-0123456789" and cell else ""


def code(text: str) -> str:
    """HTML of code or of a command to type."""
    return f'<pre class="scroll"><code>{escape(text)}</code></pre>'


def folded(title: str, html: str) -> str:
    """HTML of a part that is folded until it is clicked."""
    return f"<details><summary>{escape(title)}</summary>{html}</details>"


def from_markdown(text: str) -> str:
    """HTML of Markdown with tables and paragraphs only, as in ptde's own tables."""
    html: list[str] = []
    rows: list[list[str]] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
            continue
        if rows:
            html.append(table(rows[0], rows[2:]))
            rows = []
        if line:
            html.append(paragraph(line, "note"))
    return "".join(html)


def from_file(file: Path, html: Callable[[str], str], advice: str) -> str:
    """HTML of a file of the folder that is shown: "" if it is not there, and a remark if it
    is damaged, as the rest of the page is worth it.

    Args:
        file: the file.
        html: makes HTML of its text.
        advice: how to get another file.
    """
    try:
        return html(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        why = type(error).__name__
        return paragraph(f"{file} cannot be shown ({why}): {advice}", "note")


def render(
    title: str,
    lead: Sequence[str],
    sections: Sequence[Section],
    data: Mapping[str, Any],
) -> str:
    """The whole page.

    Args:
        title: the page's title.
        lead: HTML below it.
        sections: those without HTML are left out.
        data: the data that scripts draw.
    """
    shown = [section for section in sections if section.html]
    links = "".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in shown)
    body = "".join(
        f'<section id="{s.key}"><h2>{escape(s.title)}</h2>{s.html}</section>' for s in shown
    )
    # "</script>" in a name must not end the script.
    plain = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    parts = {
        "title": escape(title),
        "lead": "".join(lead),
        "links": links,
        "body": body,
        "style": "\n".join(map(_asset, _STYLES)),
        "licence": _asset("uPlot.LICENSE"),
        "script": "\n".join(map(_asset, _SCRIPTS)),
        "version": escape(version("ptde")),
        "data": plain,
    }
    # In one pass, so that nothing is replaced within what was put in.
    return re.sub(r"\{\{(\w+)\}\}", lambda m: parts[m[1]], _asset("template.html"))


def _asset(name: str) -> str:
    return (files("ptde.page") / "assets" / name).read_text(encoding="utf-8")
