"""Many examples of what must hold of all files and options that anybody may write.

    python -m campaigns.properties --n 1000

The properties are ``tests/test_properties.py``: the LETOR reader, plan files, run.json,
records, options. The tests try the same few examples of each; here they are drawn.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from campaigns.common import ROOT, finish


@dataclass(frozen=True)
class Properties:
    """How many examples of each property."""

    n: int = 1000
    seed: int = 0
    out: Path = Path("runs/campaigns/properties.json")


def main(options: Properties) -> int:
    """Runs the tests of properties with as many examples."""
    began = time.monotonic()
    file, seed = "tests/test_properties.py", f"--hypothesis-seed={options.seed}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", file, seed],
        cwd=ROOT,
        env={**os.environ, "PTDE_EXAMPLES": str(options.n)},
        capture_output=True,
        text=True,
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    good = done.returncode == 0
    result = {
        "properties": int(passed[1]) if passed else 0,
        "examples_of_each": options.n,
        "said": "" if good else done.stdout[-3000:],
        "good": good,
    }
    return finish("properties", options, result, began, options.out)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Properties)))
