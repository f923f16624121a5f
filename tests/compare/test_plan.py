import dataclasses

import pytest

from ptde import build
from ptde.algos.finetune import FinetuneConfig
from ptde.cli import main
from ptde.cli.compare import _typed_run
from ptde.compare.plan import PLANS, Plan
from ptde.compare.plan_file import read_plan
from ptde.compare.runner import with_data
from ptde.config import Run
from ptde.processes.games import doctor
from ptde.processes.games.football import SCENARIOS

GOOD = """
methods = ["qmix", "qmix_gip", "qmix_kd"]
maps = ["3m", "5m_vs_6m"]
seeds = [4, 5]
[steps]
3m = 1_000
[run]
observation = "native"
steps = 2_000
baseline = false
"student.steps" = 7
"""


def read(tmp_path, text):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    return read_plan(path, _typed_run)


def test_a_plan_is_read(tmp_path):
    plan = read(tmp_path, GOOD)
    cells = plan.cells()
    assert [str(cell.folder) for cell in cells] == [
        "3m/qmix/4+2",
        "3m/qmix_gip/4+2",
        "5m_vs_6m/qmix/4+2",
        "5m_vs_6m/qmix_gip/4+2",
    ]
    first = cells[0].run
    assert (first.map, first.info, first.steps) == ("3m", "none", 1_000)
    assert (first.seed, first.seeds, first.smax.observation) == (4, 2, "native")
    assert cells[3].run.steps == 2_000
    assert cells[3].run.student.steps == 7


def test_maps_of_different_action_counts_are_runs_of_their_own(tmp_path):
    cells = read(tmp_path, GOOD).cells()
    actions = {cell.map: build.world(cell.run).spec.n_actions for cell in cells}
    assert actions == {"3m": 8, "5m_vs_6m": 11}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"qmix_gip"', '"qmix_gipp"', "did you mean --method qmix_gip"),
        ('"qmix_gip"', '"qmix"', "duplicate cell: method 'qmix' stands there 2 times"),
        ('"5m_vs_6m"', '"3m"', "duplicate cell: map '3m'"),
        ('"5m_vs_6m"', '"5m_vs_7m"', "did you mean --map 5m_vs_6m"),
        ("seeds = [4, 5]", "seeds = [4, 6]", "do not follow one another"),
        ("[run]", "[run]\nseed = 4", "seed would be ignored: write seeds = 5"),
        ("[run]", "[run]\nmap = '3m'", "map would be ignored: write maps ="),
        ("seeds = [4, 5]", "seeds = 0", "--seeds must lie in"),
        ("3m = 1_000", "25m = 1_000", "unknown map '25m'"),
        (
            "methods =",
            "method =",
            r"method is for rows of your own: write methods = \[\.\.\.\]",
        ),
        ("steps = 2_000", "steps = -1", r"\[run\]: --steps must lie"),
        ("baseline = false", "baseline = true", "write the team .* among the methods"),
        ("[steps]", "[steps", "is not TOML"),
        ('methods = ["qmix", "qmix_gip", "qmix_kd"]', "methods = []", "names no method"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, GOOD.replace(old, new))
    assert "plan.toml" in str(error.value)


def test_a_file_that_is_missing_is_named_with_the_tables(tmp_path):
    with pytest.raises(ValueError, match="does not exist: type a plan file, or one of"):
        read_plan(tmp_path / "none.toml", lambda words: Run())


def without_football(monkeypatch):
    """As where `make football` was never run."""
    there = doctor._importable
    missing = ("gfootball", "gfootball_engine")
    monkeypatch.setattr(
        doctor, "_importable", lambda name: name not in missing and there(name)
    )


ON_FOOTBALL = """
methods = ["qmix"]
maps = ["academy_3_vs_1_with_keeper"]
[run]
world = "football"
"""


@pytest.mark.parametrize("plan", ["table3", "mine.toml"])
def test_a_plan_on_football_without_its_engine_says_what_to_type(
    plan, tmp_path, monkeypatch, capsys
):
    without_football(monkeypatch)
    (tmp_path / "mine.toml").write_text(ON_FOOTBALL)
    word = plan if plan in PLANS else str(tmp_path / plan)
    assert main(["compare", word, "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert f"{word} cannot be run" in error
    assert "gfootball_engine is missing: `make football`" in error
    assert not (tmp_path / "out").exists()


def test_table_3_is_the_papers():
    plan = PLANS["table3"][1]
    assert plan.methods == ("qmix", "qmix_giu", "qmix_gip", "qmix_kd")
    assert set(plan.maps) == set(SCENARIOS) and len(plan.maps) == 5
    assert set(plan.steps.values()) == {10_000_000}
    base = plan.base
    assert (base.world, base.envs, base.seeds, base.football.limit) == (
        "football",
        8,
        3,
        150,
    )


def test_figure_7_is_the_papers_with_the_papers_values_too():
    plan = PLANS["figure7"][1]
    for one in (plan, plan.as_paper()):
        student = one.base.student
        assert (one.maps, one.methods) == (("3s_vs_5z",), ("qmix_gip", "qmix_kd"))
        assert (student.steps, student.batch, student.tests) == (40_000, 1_000, 40)
        assert one.base.seeds == 3
    assert plan.as_paper().base.value.td_lambda == 0.6


PAPER = 'paper = true\nmethods = ["qmix"]\nmaps = ["3m"]\n'


def test_a_file_may_start_from_the_papers_values_and_change_some(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(f"{PAPER}[run]\nlr = 5e-4\n")
    base = read_plan(path, _typed_run).base
    assert (base.value.lr, base.value.td_lambda, base.time_out) == (5e-4, 0.6, "terminal")
    assert base.student.batch == 2_048
    path.write_text(PAPER.removeprefix("paper = true\n"))
    assert read_plan(path, _typed_run).base.value == Run().value
    assert read_plan(path, _typed_run, paper=True).base.value.td_lambda == 0.6


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PAPER.replace("true", '"yes"'), "write paper = true, or leave it out"),
        (PAPER.replace('"qmix"', '"mappo"'), "leave out --paper"),
        (PAPER + '[run]\npreset = "demo"', "keep one of the two"),
        (
            PAPER.replace("3m", "letor") + '[run]\nworld = "ranking"',
            "does not say how it learnt to rank",
        ),
    ],
)
def test_what_the_paper_has_no_values_for_is_refused(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"plan.toml: .*{message}"):
        read_plan(path, _typed_run)


@pytest.mark.parametrize("name", ["table5", "figure6"])
def test_a_table_that_the_paper_has_no_values_for_is_refused(name):
    with pytest.raises(ValueError, match="leave out --paper"):
        PLANS[name][1].as_paper()


@pytest.mark.parametrize(
    "name", [name for name in PLANS if name not in ("figure6", "table3")]
)
def test_the_papers_tables_are_plans(name):
    plan = PLANS[name][1]
    assert plan.base.seeds == 3
    assert plan.steps["3s_vs_5z" if name != "table6" else "5m_vs_6m"] >= 2_000_000
    assert len({cell.folder for cell in plan.cells()}) == len(plan.cells())


def test_figure_6_needs_data(tmp_path):
    plan = PLANS["figure6"][1]
    assert plan.base.world == "ranking" and plan.base.seeds == 5
    with pytest.raises(ValueError, match="needs --data"):
        plan.cells()
    assert with_data(plan, "x.txt").base.ranking.data == "x.txt"


def test_a_stage_2_is_run_only_where_its_student_is_asked_for():
    plan = Plan(("qmix_giu", "qmix_gip", "qmix_kd", "online"), ("3m",))
    goals = {cell.name: cell.goal for cell in plan.cells()}
    assert goals == {"qmix_giu": "teach", "qmix_gip": "run", "online": "run"}
    alone = dataclasses.replace(plan, methods=("qmix_kd",)).cells()
    assert [(cell.name, cell.roles) for cell in alone] == [("qmix_gip", {"student"})]


@pytest.mark.parametrize(("share", "role"), [(0.0, "student"), (0.1, "finetuned")])
def test_the_whole_recipe_ends_with_the_last_stage_that_there_is(share, role):
    base = Run(finetune=FinetuneConfig(share=share))
    [cell] = Plan(("qmix_ptde_teacher", "qmix_ptde"), ("3m",), base=base).cells()
    assert (cell.roles, cell.goal) == ({"teacher", role}, "run")


def test_a_share_of_the_budget():
    plan = PLANS["table2"][1].scaled(0.01)
    assert plan.steps["3s_vs_5z"] == 20_000
    assert plan.base.value.epsilon_steps == 1_000
    assert dataclasses.replace(plan, steps={}).base.steps == 20_000


def test_a_plan_without_maps_says_so():
    with pytest.raises(ValueError, match="names no map"):
        Plan(("qmix",), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('seeds = "two"', "seeds = 'two': write seeds = 3, or seeds = [0, 1, 2]"),
        ("seeds = 1.5", "seeds = 1.5: write seeds = 3"),
        ("seeds = [1, true]", "seeds = [1, True]: write seeds = 3"),
        ("seeds = {a = 1}", "write seeds = 3"),
        ('maps = "3m"', "maps = '3m': write maps = [\"3m\"]"),
        ("methods = [1]", 'methods = [1]: write methods = ["qmix"]'),
        ("steps = 3", "steps = 3: write its lines below [steps]"),
        ('run = "x"', "run = 'x': write its lines below [run]"),
        ('[steps]\n3m = "many"', "[steps] 3m = 'many': write 3m = 2_000_000"),
        ("[run]\nstudent.steps = 4", "an option with a dot in quotes"),
        ("[run]\nenvs = [1]", "[run] envs = [1]: write one value"),
    ],
)
def test_an_entry_of_another_kind_says_how_it_is_written(tmp_path, text, said):
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(ValueError) as error:
        read_plan(tmp_path / "plan.toml", Run)
    assert said in str(error.value)
    assert "plan.toml" in str(error.value)


def test_bytes_that_are_no_text_are_no_plan(tmp_path):
    (tmp_path / "plan.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"plan\.toml is not TOML"):
        read_plan(tmp_path / "plan.toml", Run)
