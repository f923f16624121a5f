"""Pages in a real browser, without a window."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = 1280, 390
"""Widths of a window. Headless Chromium makes none narrower than 500 pixels: a page at
phone width stands in a frame of that width."""

_ERRORS = """<script>window.errors = [];
addEventListener("error", (event) => errors.push(event.message));</script>"""
_TELL = """<script>addEventListener("load", () => {
const click = (text) => [...document.querySelectorAll("button")]
  .find((button) => button.textContent === text).click();
const said = (() => { %s })();
document.body.append(Object.assign(document.createElement("pre"),
  { id: "told", textContent: JSON.stringify({ said, errors }) }));
});</script>"""
"""A frame within the page is there only after the page's own script: on load."""


def browser() -> str:
    """Its command; skips aloud where there is none."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no chromium: apt-get install chromium")
    return found


def look(page: Path, script: str) -> Any:
    """Opens a page, runs a script in it, and returns what that returns.

    Fails on anything that the page writes to the console and on errors of its scripts.

    Args:
        page: the HTML file, left as it is.
        script: the body of a function; ``click(text)`` presses a button.
    """
    html = page.read_text(encoding="utf-8").replace("<head>", f"<head>{_ERRORS}", 1)
    before, _, after = html.rpartition("</body>")  # an inner page may have one, too
    html = f"{before}{_TELL % script}</body>{after}"
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(html, encoding="utf-8")
        words = [browser(), "--headless", "--no-sandbox", "--disable-gpu"]
        words += [f"--user-data-dir={folder}/profile", f"--window-size={DESKTOP},900"]
        words += ["--enable-logging=stderr", "--virtual-time-budget=3000", "--dump-dom"]
        shown = subprocess.run(
            [*words, copy.as_uri()], capture_output=True, text=True, timeout=240, check=True
        )
    console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    assert console == [], console
    told = re.search(r'<pre id="told">(.*?)</pre>', shown.stdout, re.DOTALL)
    assert told, "the script did not come to its end"
    answer = json.loads(unescape(told[1]))
    assert answer["errors"] == []
    return answer["said"]
