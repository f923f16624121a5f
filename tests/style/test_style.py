"""Habits that keep the code readable, as definite answers."""

import ast
import dataclasses
import inspect
import itertools
import os
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import equinox as eqx
import pytest

import ptde
from ptde.config import Run

ROOT = Path(ptde.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MODULES = sorted(
    m.name for m in pkgutil.walk_packages([str(ROOT)], "ptde.") if m.name != "ptde.cli"
)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_and_its_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


def classes():
    for name in MODULES:
        for _, thing in inspect.getmembers(import_module(name), inspect.isclass):
            if thing.__module__ == name:
                yield thing


def test_a_module_is_abstract_or_final():
    ours = [c for c in classes() if issubclass(c, eqx.Module)]
    for thing in ours:
        for other in ours:
            if other is not thing and issubclass(other, thing):
                assert inspect.isabstract(thing), f"{other} inherits from {thing}"


def test_every_public_name_has_a_docstring():
    missing = []
    for name in MODULES:
        module = import_module(name)
        assert module.__doc__, name
        for attribute, thing in vars(module).items():
            ours = getattr(thing, "__module__", None) == name
            if not ours or attribute.startswith("_"):
                continue
            if inspect.isclass(thing) or inspect.isfunction(thing):
                missing += [f"{name}.{attribute}"] * (not inspect.getdoc(thing))
    assert not missing


def configs(kind=Run):
    yield kind
    for field in dataclasses.fields(kind):
        if dataclasses.is_dataclass(field.default_factory):
            yield from configs(field.default_factory)


@pytest.mark.parametrize("kind", configs(), ids=lambda k: k.__name__)
def test_every_option_is_documented(kind):
    tree = ast.parse(inspect.getsource(kind)).body[0]
    body = [*tree.body, None]
    for node, after in itertools.pairwise(body):
        if not isinstance(node, ast.AnnAssign) or node.target.id == "group":
            continue
        name = node.target.id
        grouped = any(
            f.name == name and dataclasses.is_dataclass(f.default_factory)
            for f in dataclasses.fields(kind)
        )
        if grouped:
            continue
        assert isinstance(after, ast.Expr), f"{kind.__name__}.{name} has no docstring"


def test_the_command_line_imports_nothing_heavy_at_the_top():
    for file in (ROOT / "cli").glob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names}
                assert names <= {"dataclasses", "os", "shlex", "sys", "tyro"}, file
            if isinstance(node, ast.ImportFrom) and node.module.startswith("ptde"):
                assert node.module.startswith("ptde.cli"), file


def test_a_games_process_does_without_jax():
    code = "import sys, ptde.processes.worker; from ptde import run; "
    code += "print('jax' in sys.modules)"
    words = [sys.executable, "-c", code]
    env = {**os.environ, "PTDE_GAME": "1"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
