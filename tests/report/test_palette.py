"""Colours that tell methods apart, whoever looks."""

import itertools

import matplotlib.colors
import numpy as np
import pytest

from ptde.config import Run
from ptde.folder import ROLES as OF_A_RUN
from ptde.folder import name_of
from ptde.methods import METHODS
from ptde.report.palette import LOOKS, ROLES, look_of

SEEN = {
    "all": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""What is seen of linear RGB (Machado, Oliveira and Fernandes 2009, severity 1)."""


def lab(colour, eyes):
    """CIE L*a*b* of a colour as these eyes see it."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(SEEN[eyes]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = (np.array(to_xyz) @ linear) / [0.9505, 1.0, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("eyes", SEEN)
def test_roles_of_a_run_are_told_apart_by_all_eyes(eyes):
    for a, b in itertools.combinations(ROLES.values(), 2):
        assert np.linalg.norm(lab(a, eyes) - lab(b, eyes)) > 15, (a, b)


@pytest.mark.parametrize("eyes", SEEN)
def test_no_line_is_lost_on_white(eyes):
    for name, look in LOOKS.items():
        assert lab(look.colour, eyes)[0] < 85, name


def test_every_method_has_a_look_of_its_own():
    names = {method.name for method in METHODS.values()}
    assert names <= LOOKS.keys()
    assert len({LOOKS[name] for name in names}) == len(names)


def test_a_runs_roles_look_as_the_methods_that_they_are():
    run = Run(map="3m")
    looks = {role: look_of(name_of(run, role), role) for role in OF_A_RUN}
    assert looks["teacher"] == LOOKS["QMIX_GIP"]
    assert looks["student"] == LOOKS["QMIX_PTDE, student"]
    assert looks["finetuned"] == LOOKS["QMIX_PTDE"]
    assert looks["baseline"] == LOOKS["QMIX"]
    assert len(set(looks.values())) == 4


def test_what_has_no_name_looks_as_its_role():
    assert look_of("QPLEX_STATE", "student").colour == ROLES["student"]
