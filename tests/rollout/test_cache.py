import os
import subprocess
import sys

import pytest

from ptde.cli import main
from ptde.rollout import cache

PROGRAM = """
import sys, warnings
import jax, jax.numpy as jnp
from pathlib import Path
from ptde.rollout import cache

cache.LIMIT, cache.SECONDS = int(sys.argv[1]), 0.0
cache.use_compilation_cache()
jnp.ones(7) + 1                                # one operation, at once
for n in range(2, 5):                          # programs, each of another shape
    def many(x):
        for i in range(40):
            x = jnp.sort(jnp.sin(x) @ x.T + i, axis=0)
        return x
    jax.jit(many)(jnp.ones((n, n))).block_until_ready()
print(cache.cache_says())
"""


def kept(home, limit):
    """Files of programs after a run in a process of its own, and what the doctor says."""
    env = {**os.environ, "XDG_CACHE_HOME": str(home), "JAX_PLATFORMS": "cpu"}
    env.pop("XLA_FLAGS")
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(limit)], capture_output=True, text=True, env=env
    )
    assert ran.returncode == 0, ran.stderr
    return sorted((home / "ptde" / "programs").glob("*-cache")), ran.stdout


def test_programs_are_kept_and_single_operations_are_not(tmp_path):
    files, said = kept(tmp_path, 10**9)
    assert len(files) == 3
    assert all(file.name.startswith("jit_many-") for file in files)
    assert f"compiled programs in {tmp_path}/ptde/programs: 3 programs" in said


def test_the_folder_does_not_grow_beyond_its_limit(tmp_path):
    pytest.importorskip("filelock")
    files, said = kept(tmp_path, 10**9)
    sizes = [file.stat().st_size for file in files]
    limit = int(1.5 * max(sizes))
    files, said = kept(tmp_path / "small", limit)
    assert 0 < sum(file.stat().st_size for file in files) <= limit
    assert f"of at most {limit / 1e6:,.0f} MB" in said


def test_the_doctor_says_where_they_are(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert f"compiled programs in {cache.programs_folder()}" in text
