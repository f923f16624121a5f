import os
import subprocess
import sys

import jax
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


@pytest.fixture
def unset():
    """No folder is set yet, as in a new process."""
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def writable(place, monkeypatch):
    place.chmod(0o720)


def another(place, monkeypatch):
    mine = place.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)


def unmade(place, monkeypatch):
    place.rmdir()
    place.parent.rmdir()
    place.parent.write_text("no folder")


@pytest.mark.parametrize("spoil", [writable, another, unmade])
def test_programs_that_others_could_have_written_are_not_run(
    spoil, unset, tmp_path, monkeypatch, capsys
):
    place = tmp_path / "ptde" / "programs"
    cache.use_compilation_cache(place)
    assert cache.programs_folder() == place
    jax.config.update("jax_compilation_cache_dir", None)
    spoil(place, monkeypatch)
    cache.use_compilation_cache(place)
    assert cache.programs_folder() is None
    (said,) = capsys.readouterr().err.splitlines()
    assert f"not kept: {place} is no folder of yours alone: remove it, or set XDG_" in said


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_that_another_user_could_replace_holds_no_programs(unset, tmp_path):
    os.chown(tmp_path, 65534, -1)
    cache.use_compilation_cache(tmp_path / "ptde" / "programs")
    assert cache.programs_folder() is None


def test_the_doctor_says_where_they_are(capsys):
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert f"compiled programs in {cache.programs_folder()}" in text
