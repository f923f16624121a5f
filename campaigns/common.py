"""What campaigns have in common: the run that is disturbed, and their results."""

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ptde import build
from ptde.folder import ROLES, RunFolder
from ptde.jobs.record import Record
from ptde.paths import cache_folder

ROOT = Path(__file__).parent.parent
TINY = shlex.split(
    """
    --envs 2 --segment 8 --hidden 8 --z 4 --hyper-hidden 4 --embed 4 --hypernet-hidden 4
    --buffer 8 --batch 2 --updates 1 --epsilon-steps 100 --episodes 4 --test-episodes 2
    --student.hidden 8 --student.batch 2 --student.tests 3 --student.data own
    --student.updates 1
    """
)
"""Small networks, and tests and checkpoints at every turn."""
WORLDS = {
    "jax": ["--world", "probe", "--map", "personal"],
    "processes": ["env:campaigns.worlds:Signs", "--processes.patience", "20"],
}
FAST = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
CLOCKS = ("seconds", "test_seconds", "steps_per_second")


def words_of(world: str, steps: int = 384, periods: int = 8) -> list[str]:
    """`ptde run` of all three stages in a world of ``WORLDS``, with many saves."""
    often = ["--test-every", str(steps // periods), "--checkpoint-every", "1"]
    shares = ["--student.share", "0.2", "--finetune.share", "0.2"]
    tuned = ["--finetune.tests", "3", "--finetune.updates", "1"]
    return ["run", *WORLDS[world], *TINY, "--steps", str(steps), *often, *shares, *tuned]


def ptde(words: Sequence[str], log: Path, code: str = "", **more: str) -> subprocess.Popen:
    """Starts `ptde` in a process of its own; ``code`` runs there first."""
    programs = str(cache_folder() / "campaigns")  # of all sizes: processes start often
    cache = {
        "JAX_COMPILATION_CACHE_DIR": programs,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {FAST}",
        "COLUMNS": "1000",
    }
    program = f"import sys\n{code}\nfrom ptde.cli import entry\nentry(sys.argv[1:])"
    with open(log, "a") as out:
        return subprocess.Popen(
            [sys.executable, "-c", program, *words],
            stdout=out,
            stderr=out,
            cwd=ROOT,
            env={**os.environ, **cache, **more},
        )


def bits(folder: Path) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    """All arrays of a finished run's networks, and its records without the clocks."""
    held = RunFolder(folder)
    env = build.world(held.run)
    roles = [role for role in ROLES if held.has(role)]
    leaves = jax.tree.leaves([held.model(role, env) for role in roles])
    env.close()
    rows = [
        {name: value for name, value in row.items() if name not in CLOCKS}
        for role in roles
        for row in Record(folder / role / "record.jsonl").rows()
    ]
    return [np.asarray(leaf) for leaf in leaves], rows


def equal(a: Path, b: Path) -> bool:
    """Whether two finished runs ended with the same bits."""
    (leaves, rows), (others, other_rows) = bits(a), bits(b)
    if len(leaves) != len(others) or rows != other_rows:
        return False
    return all(np.array_equal(x, y) for x, y in zip(leaves, others, strict=True))


def last_words(log: Path, count: int = 600) -> str:
    """The end of what a process said."""
    return log.read_text(errors="replace")[-count:]


def finish(name: str, options: Any, result: dict[str, Any], began: float, out: Path) -> int:
    """Prints and writes a result; the exit status is 0 where it is as it must be."""
    whole = {
        "campaign": name,
        "options": {k: str(v) for k, v in asdict(options).items()}
        if is_dataclass(options) and not isinstance(options, type)
        else {},
        **result,
        "seconds": round(time.monotonic() - began, 1),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(whole, indent=1))
    print(json.dumps(whole), flush=True)
    return 0 if result["good"] else 1
