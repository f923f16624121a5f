"""What mkdocs.yml hooks in: pages of the site that lie beside docs/, and links among all.

Links in the documents are the repository's, so that they can be followed there. At one to a
file that is no page, mkdocs stops.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parent.parent
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "LICENSE",
    "CITATION.cff": "CITATION.cff",
}
"""Where in the site a file of the repository is."""
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#\s]+)")


def on_files(files, config):
    """Adds what lies beside docs/."""
    for source, page in list(PAGES.items()):
        text = (ROOT / source).read_text()
        files.append(File.generated(config, page, content=text))
    for path in sorted((ROOT / "examples").glob("*.py")):
        page = f"examples/{path.stem}.md"
        PAGES[f"examples/{path.name}"] = page
        text = f"# {path.name}\n\n```python\n{path.read_text()}```\n"
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turns the repository's links into the site's."""
    here = page.file.src_uri
    sources = {target: source for source, target in PAGES.items()}
    folder = posixpath.dirname(sources.get(here, f"docs/{here}"))

    def moved(link):
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        target = PAGES.get(target, target.removeprefix("docs/"))
        return "](" + posixpath.relpath(target, posixpath.dirname(here) or ".")

    return LINK.sub(moved, markdown)
