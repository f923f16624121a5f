"""Writing the decentralised team of a run as a folder that plays without ptde."""

import json
import shutil
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np

from ptde import build
from ptde.algos.base import Team
from ptde.config import for_role
from ptde.distill.students import NoStudent
from ptde.envs.base import AbstractWorld
from ptde.envs.ranking import Ranking
from ptde.export import player
from ptde.export.alike import check_alike
from ptde.export.describe import described, readme
from ptde.export.layers import Layers, layers_of
from ptde.files import PAGE_SIZE, shell, writing
from ptde.folder import RunFolder
from ptde.validation import check_choice

FORMATS: dict[str, tuple[str, ...]] = {
    "numpy": (),
    "onnx": ("onnx", "onnxruntime"),
    "stablehlo": ("flatbuffers",),
}
"""The formats of ``--to``, and the packages that each needs. The player in NumPy is always
written."""
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
    to: str = "onnx",
    seed: int | None = None,
    out: Path | str | None = None,
    role: str | None = None,
) -> Path:
    """Writes the run's decentralised team as a folder, and returns the folder.

    The team is that of the last finished stage: the student, fine-tuned if it was, or the
    teacher of a run without information. ``role`` asks for another.

    Args:
        path: the run folder.
        to: ``numpy`` writes weights, description and a player in NumPy; ``onnx`` and
            ``stablehlo`` write a graph beside them.
        seed: the one of the run's seeds to export; None is its first.
        out: the folder to write; None is ``export`` in the run folder, or
            ``export-ROLE`` where a role is asked for. An earlier export there is replaced.
        role: ``student``, ``finetuned``, ``baseline``, or ``teacher`` if it acts on local
            information.

    Raises:
        ValueError: the run has no decentralised team, or the role is not one; a network is
            not a part of ptde; a package is missing; ``out`` exists and is not an export.
    """
    check_choice("to", to, FORMATS)
    _check_installed(to)
    folder = RunFolder(Path(path), reads_data=False)
    name = "export" if role is None else f"export-{role}"
    role = _role(folder, role)
    index = folder.index_of(seed)
    target = Path(out) if out is not None else folder.path / name
    with closing(_world(folder)) as world:
        model = jax.tree.map(lambda x: x[index], folder.model(role, world))
        team = model if isinstance(model, Team) else Team(model.network, NoStudent())
        about = {
            "method": for_role(folder.run, role).method,
            "role": role,
            "seed": folder.run.seed + index,
        }
        return export_team(team, world, target, to, about)


def export_team(
    team: Team,
    world: AbstractWorld,
    out: Path,
    to: str = "onnx",
    about: dict[str, Any] | None = None,
) -> Path:
    """Writes a team without a leading axis of seeds as a folder; see ``export_run``.

    Args:
        team: network and student.
        world: the world of its training, which gives sizes and names.
        out: the folder to write.
        to: the format.
        about: further entries of ``team.json``, such as ``method`` and ``seed``.
    """
    check_choice("to", to, FORMATS)
    _check_installed(to)
    if out.exists() and not (out / "team.json").is_file():
        raise ValueError(f"{out} exists and is left as it is: type another --out")
    layers = layers_of(team)
    _check_finite(layers)
    about_team = described(world, layers, {"method": "", **(about or {})})
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with writing(out, PAGE_SIZE):
            part.mkdir(parents=True)
        _write(part, about_team, layers, to)
        if to == "stablehlo":
            from ptde.export.stablehlo import stablehlo

            graph = stablehlo(team, world.spec, layers.memory)
            (part / "team.stablehlo").write_bytes(graph)
        check_alike(team, world.spec, part, to)
        out.mkdir(exist_ok=True)
        for name in FILES:
            (out / name).unlink(missing_ok=True)
        for file in part.iterdir():
            file.replace(out / file.name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return out


def _check_finite(layers: Layers) -> None:
    """Raises ValueError, with the weights, if a team's are not numbers to compute with."""
    for name, weights in layers.weights.items():
        if not np.isfinite(weights).all():
            raise ValueError(
                f"{name} of the team holds NaN or infinity, so it cannot act: export "
                "another with --seed or --role, or train with a smaller learning rate"
            )


def _check_installed(to: str) -> None:
    missing = [name for name in FORMATS[to] if find_spec(name) is None]
    if missing:
        raise ValueError(
            f"--to {to} needs {' and '.join(missing)}: type pip install 'ptde[export]', "
            "or leave them out with --to numpy"
        )


def awaited(folder: RunFolder) -> str:
    """The role of the last decentralised team, if it is still to be made; else ""."""
    teams = [role for role in folder.expected if role in ("student", "finetuned")]
    return teams[-1] if teams and not folder.has(teams[-1]) else ""


def _role(folder: RunFolder, asked: str | None) -> str:
    """The role to export. ValueError says how to get a decentralised one."""
    run, path = folder.run, folder.path
    if asked is not None:
        folder.check_has(asked)
    role = asked or folder.decentralised
    if role != "teacher" or (folder.has(role) and not run.centralised):
        return role
    if not folder.has("teacher"):
        raise ValueError(
            f"{path} has no finished team: `ptde resume {shell(path)}` ends it"
        )
    if folder.decentralised != "teacher":
        advice = f"type --role {folder.decentralised}"
    elif run.distils:
        advice = f"`ptde distill {shell(path)}` makes a student of it"
    elif run.online_distillation:
        advice = f"`ptde resume {shell(path)}` goes on with its student"
    else:
        advice = (
            "teach one with a student: `ptde run --info none --teacher-sight all "
            "--online-distillation`"
        )
    if folder.has("baseline"):
        advice += "; or type --role baseline"
    reads = "reads the global state" if run.info != "none" else "has unlimited sight"
    raise ValueError(
        f"the teacher of {path} {reads}, so it cannot be carried off: {advice}"
    )


def _world(folder: RunFolder) -> AbstractWorld:
    """The run's world; a ranking one without its data, which may be elsewhere."""
    if folder.run.world == "ranking":
        return Ranking.kept(folder.path, folder.run.ranking)
    return build.world(folder.run)


def _write(folder: Path, team: dict[str, Any], layers: Layers, to: str) -> None:
    from safetensors.numpy import save

    (folder / "team.json").write_text(json.dumps(team, indent=1))
    weights = {name: np.ascontiguousarray(x) for name, x in layers.weights.items()}
    # Not save_file, whose file is readable by its owner alone.
    (folder / "model.safetensors").write_bytes(save(weights, {"format": "np"}))
    shutil.copyfile(player.__file__, folder / "player.py")
    (folder / "README.md").write_text(readme(team, to))
    if to == "onnx":
        from ptde.export.onnx_graph import onnx_graph

        graph = onnx_graph(team, layers.weights)
        (folder / "team.onnx").write_bytes(graph.SerializeToString())
