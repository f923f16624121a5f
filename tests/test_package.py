"""What a package index, a checker of types and a librarian want to know of ptde."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.documents import ROOT
from tests.test_imports import python

import ptde
from ptde.cli import main

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_said_without_jax(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ptde {version('ptde')}\n"
    code = "import sys; from ptde.cli import main; main(['--version'])"
    assert python(f"{code}; print('jax' in sys.modules)").endswith("False")
    assert ptde.__version__ == version("ptde")


def test_the_citation_and_the_changelog_know_the_version():
    cited = re.search(r"^version: (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert cited and cited[1] == PROJECT["version"]
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text()


def test_types_are_for_others_too():
    assert (Path(ptde.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in PROJECT["classifiers"]


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"] == "Apache-2.0" and PROJECT["license-files"] == ["LICENSE"]
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


def test_the_gpus_jax_is_the_processors():
    (jax,) = (need for need in PROJECT["dependencies"] if need.startswith("jax>"))
    assert PROJECT["optional-dependencies"]["cuda"] == [
        jax.replace("jax", "jax[cuda12]", 1)
    ]


@pytest.mark.parametrize("extra", PROJECT["optional-dependencies"])
def test_an_extra_bounds_what_it_asks_for(extra):
    for need in PROJECT["optional-dependencies"][extra]:
        assert re.search("[=>]=", need) or need.startswith("ptde["), need
