"""Carries the decentralised team of a run off, as a folder that plays without ptde."""

import json
import shutil
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np

from ptde import build
from ptde.algos.base import Team
from ptde.distill.students import NoStudent
from ptde.envs.base import AbstractWorld
from ptde.envs.ranking import Ranking
from ptde.export import player
from ptde.export.alike import check_alike
from ptde.export.layers import Layers, layers_of
from ptde.folder import RunFolder
from ptde.validation import check_choice

Format = Literal["onnx", "numpy", "stablehlo"]
FORMATS: dict[str, tuple[str, ...]] = {
    "numpy": (),
    "onnx": ("onnx", "onnxruntime"),
    "stablehlo": ("flatbuffers",),
}
"""What ``--to`` may be, and the packages that each needs. The player in NumPy is always
there, whatever else is."""
VERSION = 1
"""Of what ``team.json`` holds."""
FILES = (
    "team.json",
    "model.safetensors",
    "player.py",
    "README.md",
    "team.onnx",
    "team.stablehlo",
)


def export_run(
    path: Path | str,
    to: Format = "onnx",
    seed: int | None = None,
    out: Path | str | None = None,
) -> Path:
    """Writes the run's decentralised team as a folder, and returns the folder.

    The team is that of the run's last stage: its student, fine-tuned if it was, or the
    teacher of a run without information.

    Args:
        path: the run folder.
        to: ``numpy`` writes weights, description and a player in NumPy; ``onnx`` and
            ``stablehlo`` a graph beside them.
        seed: which of the run's seeds; None is its first.
        out: the folder to write; None is ``export`` in the run folder. An earlier export
            there is replaced.

    Raises:
        ValueError: the run has no decentralised team, a network is not a part of ptde, a
            package is missing, or ``out`` is something else.
    """
    check_choice("to", to, FORMATS)
    _check_installed(to)
    folder = RunFolder(Path(path))
    role = _role(folder)
    index = folder.index_of(seed)
    target = Path(out) if out is not None else folder.path / "export"
    with closing(_world(folder)) as world:
        model = jax.tree.map(lambda x: x[index], folder.model(role, world))
        team = model if isinstance(model, Team) else Team(model.network, NoStudent())
        about = {"method": folder.run.method, "role": role}
        about["seed"] = folder.run.seed + index
        return export_team(team, world, target, to, about)


def export_team(
    team: Team,
    world: AbstractWorld,
    out: Path,
    to: Format = "onnx",
    about: dict[str, Any] | None = None,
) -> Path:
    """Writes a team without a leading axis of seeds as a folder; see ``export_run``.

    Args:
        team: network and student.
        world: what it was taught in: sizes, and what its observations are called.
        out: the folder to write.
        to: the format.
        about: what ``team.json`` is to say of it besides, such as ``method`` and ``seed``.
    """
    _check_installed(to)
    if out.exists() and not (out / "team.json").is_file():
        raise ValueError(f"{out} exists and is left as it is: type another --out")
    layers = layers_of(team)
    described = _described(world, layers, {"method": "", **(about or {})})
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write(part, described, layers, to)
    if to == "stablehlo":
        from ptde.export.stablehlo import stablehlo

        (part / "team.stablehlo").write_bytes(stablehlo(team, world.spec))
    check_alike(team, world.spec, part, to)
    out.mkdir(exist_ok=True)
    for name in FILES:
        (out / name).unlink(missing_ok=True)
    for file in part.iterdir():
        file.replace(out / file.name)
    part.rmdir()
    return out


def _check_installed(to: str) -> None:
    missing = [name for name in FORMATS[to] if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"--to {to} needs {' and '.join(missing)}: type pip install 'ptde[export]', "
            "or leave them out with --to numpy"
        )


def _role(folder: RunFolder) -> str:
    """The role that is decentralised. ValueError says how to get one."""
    run, path = folder.run, folder.path
    role = folder.decentralised
    if role != "teacher" or (folder.has(role) and not run.centralised):
        return role
    if not folder.has("teacher") or run.online_distillation:
        advice = f"`ptde resume {path}` ends it"
    elif run.distils:
        advice = f"its teacher reads the state; `ptde distill {path}` makes a student of it"
    else:
        advice = (
            "its teacher has unlimited sight; teach another with `ptde run --info none "
            "--teacher-sight all --online-distillation`"
        )
    raise ValueError(f"{path} has no decentralised team: {advice}")


def _world(folder: RunFolder) -> AbstractWorld:
    """The run's world; one that ranks without its data, which may be elsewhere."""
    if folder.run.world == "ranking":
        return Ranking.kept(folder.path, folder.run.ranking)
    return build.world(folder.run)


def _described(
    world: AbstractWorld, layers: Layers, about: dict[str, Any]
) -> dict[str, Any]:
    """What ``team.json`` says."""
    spec = world.spec
    n, m = spec.n_agents, layers.memory
    entries = _names("observation_names", world.observation_names(), spec.obs_dim)
    actions = _names("action_names", world.action_names(), spec.n_actions)

    def array(shape: list[int], dtype: str, meaning: str, **more: Any) -> dict[str, Any]:
        return {"shape": shape, "dtype": dtype, "meaning": meaning, **more}

    kept = "next_memory of the step before; zeros at an episode's first step"
    described = {
        "format": VERSION,
        "made_by": f"ptde {version('ptde')}",
        "world": spec.name,
        **about,
        "agents": n,
        "actions": spec.n_actions,
        "inputs": {
            "obs": array(
                [n, spec.obs_dim],
                "float32",
                "what each agent sees; the entries of a row, in their order",
                entries=entries,
            ),
            "legal": array(
                [n, spec.n_actions],
                "bool",
                "which actions each agent may take, at least one; the entries of a row",
                entries=actions,
            ),
            "last_action": array(
                [n], "int64", "each agent's previous action; -1 at an episode's first step"
            ),
            "memory": array([n, m], "float32", kept),
        },
        "outputs": {
            "action": array(
                [n], "int64", "the legal action of the greatest value; the first of equals"
            ),
            "next_memory": array([n, m], "float32", "the memory of the next step"),
        },
        "local": {
            "width": spec.local_dim,
            "meaning": "what each agent's layers read as 'local': its row of obs, its last "
            "action one-hot (zeros for -1), its number, which is its row's, one-hot",
        },
        "layers": layers.list,
    }
    return {**described, **world.for_export()}


def _names(method: str, names: tuple[str, ...], width: int) -> list[str]:
    if len(names) != width:
        raise ValueError(
            f"the world's {method}() gives {len(names)} names for {width} entries: give "
            "one for each"
        )
    return list(names)


def _write(folder: Path, team: dict[str, Any], layers: Layers, to: Format) -> None:
    from safetensors.numpy import save_file

    (folder / "team.json").write_text(json.dumps(team, indent=1))
    weights = {name: np.ascontiguousarray(x) for name, x in layers.weights.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "np"})
    shutil.copyfile(player.__file__, folder / "player.py")
    (folder / "README.md").write_text(_readme(team, to))
    if to == "onnx":
        from ptde.export.onnx_graph import onnx_graph

        graph = onnx_graph(team, layers.weights)
        (folder / "team.onnx").write_bytes(graph.SerializeToString())


def _readme(team: dict[str, Any], to: Format) -> str:
    n, o = team["inputs"]["obs"]["shape"]
    u, m = team["actions"], team["inputs"]["memory"]["shape"][-1]
    graphs = {
        "numpy": "",
        "onnx": f"""
`team.onnx` is the same as a graph, for any ONNX runtime and b teams at once. In:
`obs [b, {n}, {o}]`, `legal [b, {n}, {u}]`, `last_action [b, {n}]`, `memory [b, {n}, {m}]`. Out:
`action` and `next_memory`. `Player("FOLDER", "onnx")` plays it with onnxruntime.
""",
        "stablehlo": """
`team.stablehlo` is the same for JAX and b teams at once: `jax.export.deserialize(bytes)
.call(obs, legal, last_action, memory)` gives actions (int32) and the next memory. JAX
promises to read such a file for six months; the weights last.
""",
    }
    return f"""# A team of {n} agents for {team["world"]}

Made by {team["made_by"]}. Every agent acts on what it sees itself: no global state goes in.

```python
from player import Player           # this folder's player.py; it needs NumPy alone

player = Player("FOLDER")
player.reset()                      # before each episode
actions = player.act(obs, legal)    # floats [{n}, {o}], booleans [{n}, {u}] -> [{n}]
```

The player remembers what its agents did and saw. `Player("FOLDER", agents=[0])` is one agent
alone: it takes and gives one row. `team.json` names every entry of an observation and every
action, and lists the layers, whose weights are in `model.safetensors`.
{graphs[to]}"""
