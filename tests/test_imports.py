"""What importing costs, and that every module can be imported by its full name."""

import subprocess
import sys
from pathlib import Path

import ptde

ROOT = Path(ptde.__file__).parent


def python(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_ptde_and_its_help_loads_no_jax():
    code = (
        "import sys, ptde, ptde.cli; ptde.cli.main(['--help']); print('jax' in sys.modules)"
    )
    assert python(code).endswith("False")


def test_public_names_are_there_when_they_are_asked_for():
    code = "from ptde import Run; import ptde; print(ptde.run.__name__, Run(map='3m').map)"
    assert python(code) == "run 3m"
    assert python("import ptde; print(hasattr(ptde, 'runn'))") == "False"


def test_every_module_can_be_imported_by_its_full_name():
    """As ``import a.b.c as x``, which goes by attributes: no name hides a package."""
    lines = ["import ptde"]
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        lines.append(f"import {name} as module; assert module.__name__ == {name!r}")
    python("\n".join(lines))
