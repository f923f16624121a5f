"""The example plays in an environment in which neither JAX nor ptde is installed."""

import subprocess
import sys
import venv
from importlib import metadata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from packaging.requirements import Requirement
from tests.documents import EXAMPLES
from tests.export.teams import team

from ptde.envs.registry import make_env
from ptde.export import export_team
from ptde.processes.adapters.pettingzoo import PettingZoo
from ptde.types import LocalView

pytestmark = pytest.mark.slow

EXAMPLE = EXAMPLES / "play_exported.py"


def needed(*names):
    """These distributions and all that they need."""
    found = {}
    todo = list(names)
    while todo:
        name = todo.pop().lower()
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        asked = map(Requirement, found[name].requires or ())
        here = [r for r in asked if not r.marker or r.marker.evaluate({"extra": ""})]
        todo += [r.name for r in here]
    return found.values()


def bare_python(folder):
    """The Python of a new virtual environment that holds what the example names, and no
    more: linked from this one, so that nothing is fetched.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for found in needed("numpy", "pettingzoo", "mpe2", "onnxruntime"):
        tops = {file.parts[0] for file in found.files} - {"..", "__pycache__"}
        for top in tops:
            source = Path(found.locate_file(top)).resolve()
            if not (site / top).exists():
                (site / top).symlink_to(source)
    return folder / "bin" / "python"


def played_in_jax(made, episodes):
    """The returns of the same team with ptde's own policy."""
    from mpe2 import simple_spread_v3

    env = PettingZoo(simple_spread_v3.parallel_env())
    act = jax.jit(lambda carry, view: made.step(carry, view))
    returns = []
    for seed in range(episodes):
        shown, carry, total = env.reset(seed), made.start(1, 3), 0.0
        last = np.full(3, -1)
        while not (shown.ended or shown.cut):
            legal = jnp.asarray(shown.legal)[None]
            obs = jnp.asarray(shown.obs)[None]
            alive = jnp.ones((1, 3), bool)
            view = LocalView(obs, legal, jnp.asarray(last, jnp.int32)[None], alive)
            carry, values, _ = act(carry, view)
            last = np.asarray(values)[0].argmax(axis=-1)
            shown = env.step(last)
            total += shown.reward
        returns.append(total)
    return returns


def test_a_pettingzoo_world_is_played_without_jax_and_ptde(tmp_path):
    pytest.importorskip("mpe2")
    world = make_env("processes", "mpe2.simple_spread_v3:parallel_env")
    made = team(world.spec, "value", "gru")
    folder = export_team(made, world, tmp_path / "team", "onnx")
    python = bare_python(tmp_path / "venv")

    def typed(*words):
        command = [str(python), "-I", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    for absent in ("jax", "ptde", "safetensors"):
        missing = typed("-c", f"import {absent}")
        assert f"No module named '{absent}'" in missing.stderr
    expected = pytest.approx(played_in_jax(made, 2), abs=2e-3)
    for engine in ("numpy", "onnx"):
        done = typed(EXAMPLE, folder, 2, engine)
        assert done.returncode == 0, done.stderr
        shown = [float(line.split()[-1]) for line in done.stdout.splitlines()]
        assert shown == expected


def test_the_player_imports_numpy_and_the_standard_library():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import player; "
        "print({'jax', 'ptde', 'onnxruntime', 'safetensors'} & set(sys.modules))"
    )
    import ptde.export.player as player

    folder = str(Path(player.__file__).parent)
    words = [sys.executable, "-I", "-c", code, folder]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
