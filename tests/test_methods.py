import dataclasses

import pytest

from ptde.config import Run
from ptde.methods import LOCAL, METHODS, parameters, run_of, student_parameters
from ptde.presets import PAPER_MAPS

BASE = Run(world="probe", map="personal")
SPEC = BASE.env().spec


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
        assert run.together or run.distils


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


def test_the_parameters_are_the_papers_on_starcrafts_sizes():
    # 3s_vs_5z in StarCraft: O_i 62 wide, state 68, 11 actions (method tables of PyMARL2)
    spec = dataclasses.replace(
        SPEC, n_agents=3, obs_dim=48, state_dim=68, n_actions=11, entities=()
    )
    assert parameters(run_of("qmix", BASE), spec) == 29_707
    assert parameters(run_of("qmix_gip", BASE), spec) == 34_571 + 307_584
    assert parameters(run_of("qmix_giu", BASE), spec) == 34_571 + 21_056
    assert student_parameters(run_of("qmix_kd", BASE), spec) == 34_571 + 12_352


def test_an_unknown_method_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean --method qmix_gip"):
        run_of("qmix_gipp", BASE)
