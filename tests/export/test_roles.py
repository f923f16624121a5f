"""Whose team is exported, of every kind of run; the networks are random, but theirs."""

import dataclasses

import jax
import numpy as np
import pytest
from tests.export.folders import PLAIN, described, made_folder
from tests.test_pipeline import TINY

import ptde.export.write as write
from ptde.algos.base import Team
from ptde.cli import main
from ptde.distill.students import NoStudent
from ptde.export import export_run
from ptde.export.layers import layers_of
from ptde.export.player import read_weights

GRU = dataclasses.replace(TINY.student, network="gru", objective="q")
CTDS = {**PLAIN, "teacher_sight": "all", "online_distillation": True}
KINDS = {
    "student": ({}, "teacher student", None, "student", "QMIX_GIP"),
    "the newest": ({}, "teacher student finetuned", None, "finetuned", "QMIX_GIP"),
    "asked": ({}, "teacher student finetuned", "student", "student", "QMIX_GIP"),
    "baseline": ({"baseline": True}, "teacher baseline", "baseline", "baseline", "QMIX"),
    "plain": (PLAIN, "teacher", "teacher", "teacher", "QMIX"),
    "ctds": (CTDS, "teacher student", None, "student", "QMIX_CTDS"),
    "online": (
        {"online_distillation": True, "student": GRU},
        "teacher student",
        None,
        "student",
        "QMIX_GIP_ONLINE",
    ),
    "mappo": ({"algo": "mappo", "student": GRU}, "student", None, "student", "MAPPO_GIP"),
}
"""Options, finished roles, the role that is asked for; role and method of the export."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_team_is_that_of_the_role(tmp_path, monkeypatch, kind):
    options, roles, asked, role, method = KINDS[kind]
    run = dataclasses.replace(TINY, **options)
    folder = made_folder(monkeypatch, tmp_path / "run", run, *roles.split())
    place = export_run(folder.path, "numpy", role=asked)
    assert place.name == ("export" if asked is None else f"export-{asked}")
    about = described(place)
    assert (about["role"], about["method"]) == (role, method)
    model = folder.model(role, write._world(folder))
    first = jax.tree.map(lambda x: x[0], model)
    if not isinstance(first, Team):
        first = Team(first.network, NoStudent())
    theirs, exported = layers_of(first).weights, read_weights(place / "model.safetensors")
    assert theirs.keys() == exported.keys()
    for name, x in theirs.items():
        np.testing.assert_array_equal(exported[name], x)


def test_a_teacher_that_reads_the_state_is_not_exported(tmp_path, monkeypatch, capsys):
    run = dataclasses.replace(TINY, baseline=True)
    names = ("teacher", "student", "baseline")
    folder = made_folder(monkeypatch, tmp_path / "run", run, *names)
    words = ["export", str(folder.path), "--role", "teacher"]
    assert main(words) == 2
    told = capsys.readouterr().err
    assert "reads the global state" in told
    assert "type --role student; or type --role baseline" in told
    assert main([*words[:-1], "finetuned"]) == 2
    assert "no finished finetuned: type --role teacher or" in capsys.readouterr().err


def test_an_unfinished_run_says_what_it_still_lacks(tmp_path, monkeypatch, capsys):
    run = dataclasses.replace(TINY, finetune=dataclasses.replace(TINY.finetune, steps=64))
    folder = made_folder(monkeypatch, tmp_path / "run", run, "teacher", "student")
    assert main(["export", str(folder.path), "--to", "numpy"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{folder.path / 'export'}\n"
    assert (
        f"no finetuned team yet, so this is an earlier stage's; `ptde resume {folder.path}`"
        in told.err
    )
