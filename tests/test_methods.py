import dataclasses

import jax
import pytest

from ptde import build
from ptde.algos.registry import value_model
from ptde.config import Run
from ptde.methods import LOCAL, METHODS, parameters, run_of, student_parameters
from ptde.ops.keys import new_key
from ptde.presets import PAPER_MAPS

BASE = Run(world="probe", map="personal")
SPEC = build.world(BASE).spec


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_made(name):
    method, run = METHODS[name], run_of(name, BASE)
    assert (run.world, run.map, run.seed) == (BASE.world, BASE.map, BASE.seed)
    counts = student_parameters if method.role == "student" else parameters
    assert counts(run, SPEC) > 0
    if method.role == "teacher":
        assert method.centralised == run.centralised
    else:
        assert method.reads == LOCAL
        assert run.online_distillation or run.distils


def test_the_papers_rows_are_there():
    names = {method.name for method in METHODS.values()}
    table_1_and_2 = {"CSRL", "COPA", "QMIX_GIU", "QMIX_GIP", "QMIX_KD", "QMIX", "QPLEX"}
    table_4 = {"VDN", "VDN_GIU", "VDN_GIP", "VDN_KD"}
    table_5 = {"MAPPO", "MAPPO_GIU", "MAPPO_GIP", "MAPPO_KD"}
    assert table_1_and_2 | table_4 | table_5 | {"CTDS"} <= names
    assert len(PAPER_MAPS) == 6


def test_methods_that_share_a_run_are_the_same_run():
    runs = {}
    for name, method in METHODS.items():
        assert runs.setdefault(method.run, run_of(name, BASE)) == run_of(name, BASE)


@pytest.mark.parametrize("name", ["qmix_wide", "giu_wide"])
def test_the_wide_controls_have_gips_parameters(name):
    goal = parameters(run_of("qmix_gip", BASE), SPEC)
    wide = parameters(run_of(name, BASE), SPEC)
    assert goal <= wide <= 1.03 * goal


STARCRAFT = {
    "3s_vs_5z": (3, 11, 48, 68),
    "5m_vs_6m": (5, 12, 55, 98),
    "3s5z_vs_3s6z": (8, 15, 136, 230),
    "6h_vs_8z": (6, 14, 78, 140),
    "3s_vs_8z": (3, 14, 66, 89),
    "3s5z_vs_3s7z": (8, 16, 144, 244),
}
"""Agents, actions, widths of observation and state in StarCraft."""
COUNTS = {
    "3s_vs_5z": (29_707, 34_571, 307_584, 21_056, 12_352, 21_601),
    "5m_vs_6m": (30_412, 35_340, 433_664, 22_976, 12_992, 31_521),
    "3s5z_vs_3s6z": (36_175, 41_295, 993_920, 31_424, 18_560, 63_105),
    "6h_vs_8z": (32_206, 37_262, 611_712, 25_664, 14_656, 41_665),
    "3s_vs_8z": (31_246, 36_302, 397_632, 22_400, 13_696, 25_633),
    "3s5z_vs_3s7z": (36_816, 42_000, 1_053_312, 32_320, 19_136, 65_793),
}
"""Parameters of the released code: agents of QMIX and of QMIX_GIP, module GIP, module GIU,
student, QMIX's mixer."""


def parts(name, spec):
    """Parameters of a method's agents, module and mixer."""
    run = run_of(name, BASE)
    model = jax.eval_shape(lambda key: value_model(run, spec, key=key), new_key(0))
    count = lambda part: sum(x.size for x in jax.tree.leaves(part))
    return count(model.teacher.network), count(model.teacher.info), count(model.mixer)


@pytest.mark.parametrize("map_name", PAPER_MAPS)
def test_the_parameters_are_the_papers_on_starcrafts_sizes(map_name):
    agents, actions, obs, state = STARCRAFT[map_name]
    spec = dataclasses.replace(
        SPEC, n_agents=agents, obs_dim=obs, state_dim=state, n_actions=actions, entities=()
    )
    plain, informed, gip, giu, student, mixer = COUNTS[map_name]
    assert parts("qmix", spec) == (plain, 0, mixer)
    assert parts("qmix_gip", spec) == (informed, gip, mixer)
    assert parts("qmix_giu", spec) == (informed, giu, mixer)
    assert parameters(run_of("qmix", BASE), spec) == plain
    assert parameters(run_of("qmix_gip", BASE), spec) == informed + gip
    assert parameters(run_of("qmix_giu", BASE), spec) == informed + giu
    assert student_parameters(run_of("qmix_kd", BASE), spec) == informed + student


def test_an_unknown_method_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean --method qmix_gip"):
        run_of("qmix_gipp", BASE)
