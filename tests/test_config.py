"""One config from the same words, however they are said; and no word without effect."""

import dataclasses
import json
import pickle
from unittest.mock import Mock

import jax
import jax.numpy as jnp
import pytest
from tests.students import NO_STAGE_3, PAPERS
from tests.test_rank import letor

import ptde.compare.runner
import ptde.pipeline
from ptde import build
from ptde.algos.mappo import MappoConfig
from ptde.algos.value_config import ValueConfig
from ptde.cli import main
from ptde.compare.plan import PLANS, Plan
from ptde.config import Run, flag
from ptde.distill.config import DistillConfig
from ptde.envs import WORLDS, World, make_env
from ptde.envs.base import AbstractWorld
from ptde.envs.probes import Probe
from ptde.envs.settings import ProcessConfig, RankingConfig, SmaxConfig
from ptde.info import INFOS, InfoSizes
from ptde.methods import METHODS, on_probe
from ptde.mixers import MixerSizes
from ptde.ops.keys import new_key
from ptde.options import flatten, put
from ptde.presets import PRESETS, preset
from ptde.run_json import run_from
from ptde.unread import _noting, _read_by_world, check_read, is_read, reads, unread

GROUPS = {
    f.name: f.default_factory
    for f in dataclasses.fields(Run)
    if f.default_factory is not dataclasses.MISSING
}
TYPED = {
    "": {"steps": 1234, "envs": 3, "hidden": 32, "z_test": "sample"},
    "value": {"lr": 0.25, "buffer": 700, "target_z": "mean"},
    "info_config": {"z": 16, "stochastic": False},
    "mixer_config": {"embed": 16},
    "mappo": {"lr": 0.25, "gae_lambda": 0.5, "buffer": 64},
    "smax": {"observation": "native", "sight": 0.5},
    "football": {"control": "fixed"},
    "starcraft": {"difficulty": "5"},
    "processes": {"quorum": 0.5, "overlap": True},
    "ranking": {"docs": 7, "data": "some.txt"},
    "student": {"lr": 0.25, "steps": 77},
    "finetune": {"lr": 0.25, "share": 0.2},
}


def each_same_words():
    for world in WORLDS:
        for group, options in TYPED.items():
            names = {f"{group}.{name}".strip("."): v for name, v in options.items()}
            if world == "ranking":  # learns without targets
                names.pop("value.target_z", None)
            base = Run(world=world, algo="mappo" if group == "mappo" else "value")
            if all(is_read(put(base, names), name) for name in names):
                yield pytest.param(world, group, names, id=f"{world}-{group or 'run'}")


SAME_WORDS = list(each_same_words())  # asks of each whether it is read, which takes time


def from_the_command_line(words, monkeypatch):
    """The config that `ptde run` starts."""

    class Shown:
        def show(self):
            pass

    runs = []
    catch = lambda config, *rest: runs.append(config) or Shown()
    monkeypatch.setattr(ptde.pipeline, "run", catch)
    assert main(["run", *words]) == 0
    return runs[0]


def from_a_plan(text, folder, monkeypatch):
    """The base of the comparison that `ptde compare` starts."""
    plans = []
    catch = lambda plan, *rest: plans.append(plan)
    monkeypatch.setattr(ptde.compare.runner, "compare", catch)
    monkeypatch.setattr(ptde.compare.plan, "need", lambda game: None)  # nothing is played
    (folder / "plan.toml").write_text(text)
    assert main(["compare", str(folder / "plan.toml"), "--trust"]) == 0
    plan = plans[0]
    return dataclasses.replace(plan.base, map=plan.maps[0])


def split(words):
    return [part for word in words for part in word.split(" ", 1)]


def toml(names):
    lines = []
    for name, value in names.items():
        key = flag(name).removeprefix("--").replace("-", "_")
        lines.append(f"{json.dumps(key)} = {json.dumps(value)}")
    return "\n".join(lines)


def test_every_group_is_among_the_words():
    assert TYPED.keys() == {"", *GROUPS}
    seen = {case.values[1] for case in SAME_WORDS}
    assert seen == TYPED.keys()
    assert {case.values[0] for case in SAME_WORDS} == WORLDS.keys()


@pytest.mark.parametrize(("world", "group", "names"), SAME_WORDS)
def test_the_same_words_make_the_same_run(world, group, names, tmp_path, monkeypatch):
    names = {"algo": "mappo", **names} if group == "mappo" else names
    place = WORLDS[world].default or "some.module:Game"
    own = {name: value for name, value in names.items() if "." not in name}
    parts = {n.split(".")[1]: v for n, v in names.items() if "." in n}
    groups = {group: GROUPS[group](**parts)} if parts else {}
    python = Run(world=world, map=place, **own, **groups)

    first = ["--world", world, "--map", place]
    words = [*first, *split(flag(name, value) for name, value in names.items())]
    typed = from_the_command_line(words, monkeypatch)
    # What is typed must be read: with qmix_ptde z is not drawn, without it none is tuned.
    method = "qmix_ptde" if group in ("student", "finetune") else "qmix_gip"
    method = "mappo_ptde" if group == "mappo" else method
    text = f"""
methods = ["{method}"]
maps = ["{place}"]
seeds = 1
[run]
world = "{world}"
{toml(names)}
"""
    planned = from_a_plan(text, tmp_path, monkeypatch)
    assert flatten(typed) == flatten(python)
    assert flatten(planned) == flatten(python)

    expected = {**flatten(Run(world=world)), "map": place, **names}
    assert flatten(python) == expected
    assert expected.items() >= {**WORLDS[world].defaults, **names}.items()


@pytest.mark.parametrize("world", WORLDS)
def test_a_config_is_kept_as_it_is(world):
    run = Run(world=world, value=ValueConfig(lr=0.25), info_config=InfoSizes(z=3))
    assert run_from(json.loads(json.dumps(run.to_json()))) == run
    assert pickle.loads(pickle.dumps(run)) == run
    assert dataclasses.replace(run) == run
    other = put(run, {"seeds": 3, "value.lr": 0.5, "value.updates": 9})
    changed = {n for n, v in flatten(other).items() if v != flatten(run)[n]}
    assert changed == {"seeds", "value.lr", "value.updates"}


def test_the_plain_default_can_be_typed_where_the_world_has_another():
    assert Run(world="football").value.updates == 16
    assert Run(world="football", value=ValueConfig(lr=0.1)).value.updates == 16
    assert Run(world="football", value=ValueConfig(0.5)).value.gamma == 0.5
    assert Run(world="football", value=ValueConfig(updates=2)).value.updates == 2
    assert Run(world="football", steps=2_000_000).steps == 2_000_000
    unsent = pickle.loads(pickle.dumps(ValueConfig(updates=2)))
    assert Run(world="football", value=unsent).value.updates == 2


def test_options_that_must_fit_together_are_looked_at_with_the_worlds_defaults():
    assert Run(world="ranking", value=ValueConfig(batch=1500)).value.buffer == 2_048
    with pytest.raises(ValueError, match="--batch 1500 is larger than --buffer 1000"):
        Run(value=ValueConfig(batch=1500))
    with pytest.raises(ValueError, match="--batch 512 is larger than --buffer 256"):
        Run(world="ranking", value=ValueConfig(buffer=256))


def test_a_world_of_ones_own_has_defaults_and_gets_what_it_says_it_reads(monkeypatch):
    given = {}

    def make(name, options):
        given.update(options)
        return Probe("constant")

    def world(**rest):
        mine = World("line", lambda: ("line",), make, **rest)
        monkeypatch.setitem(WORLDS, "mine", mine)

    world(reads=("smax", "processes.limit"), defaults={"hidden": 7, "smax.sight": 0.5})
    run = Run(world="mine", smax=SmaxConfig(reward_scale=3.0))
    assert (run.map, run.hidden, run.smax.sight) == ("line", 7, 0.5)
    build.world(run)
    assert given.keys() == {"smax", "processes", "envs", "progress"}
    assert given["smax"] == run.smax
    world(defaults={"value.lrr": 1.0})
    with pytest.raises(ValueError, match=r"did you mean --option value\.lr"):
        Run(world="mine")


# -- what is not read


MAPPO = {"algo": "mappo"}
CTDS = {"info": "none", "teacher_sight": "all", "online_distillation": True}


@pytest.mark.parametrize(
    ("others", "name", "value", "says"),
    [
        (MAPPO, "value.lr", 0.1, "--algo mappo: type --mappo.lr"),
        (MAPPO, "value.updates", 9, "--algo mappo: type --algo value"),
        (MAPPO, "mixer", "vdn", "--algo mappo: type --algo value"),
        (MAPPO, "mixer_config.embed", 16, "--algo mappo: type --algo value"),
        (MAPPO, "online_distillation", True, "--algo mappo: type --algo value"),
        (
            {**MAPPO, "info": "none"},
            "teacher_sight",
            "all",
            "--algo mappo: type --algo value",
        ),
        ({}, "mappo.lr", 0.1, "--algo value: type --lr"),
        ({}, "mappo.epochs", 3, "--algo value: type --algo mappo"),
        ({}, "mixer_config.kernels", 3, "--mixer qmix: type --mixer qplex"),
        ({"mixer": "vdn"}, "mixer_config.hypernet_hidden", 3, "type --mixer qmix | qplex"),
        ({}, "info_config.threshold", 1.0, "--info gip: type --info copa"),
        (
            {"info_config.refresh": 4},
            "info_config.threshold",
            1.0,
            "--info gip: type --info copa",
        ),
        ({}, "info_config.heads", 2, "--info gip: type --info copa"),
        ({}, "info_config.variational", 0.1, "--info gip: type --info copa"),
        ({}, "info_config.giu_hidden", 8, "--info gip: type --info giu | copa_lite"),
        ({"info": "giu"}, "info_config.state_encoder", 8, "--info giu: type --info gip"),
        ({"info": "csrl"}, "info_config.stochastic", False, "type --info giu | gip | copa"),
        ({"info": "none"}, "info_config.refresh", 2, "--info none: type --info giu"),
        ({"info": "none"}, "info_config.z", 2, "--info none: type --info giu"),
        ({"info": "none"}, "z_test", "sample", "--info none: type --info giu"),
        ({"info": "none"}, "value.target_z", "mean", "--info none: type --info giu"),
        ({"info": "none"}, "student.lr", 0.1, "--info none: type --info giu"),
        (
            {"online_distillation": True},
            "student.lr",
            0.1,
            "--online-distillation: type --no-online-distillation",
        ),
        (CTDS, "student.hidden", 8, "by this run: leave it away"),
        ({"student.data": "replay"}, "student.data_epsilon", 0.1, "type --student.data"),
        ({}, "student.share", 0.2, "data auto: type --student.data own | teacher"),
        ({}, "student.updates", 3, "data auto: type --student.data own, "),
        ({}, "student.data_steps", 9, "data auto: type --student.data own | teacher"),
        ({"student.data": "own"}, "student.data_steps", 9, "type --student.share 0.0"),
        (
            {"student.data": "own", "student.updates": 9},
            "student.steps",
            9,
            "with --student.updates 9: type --student.updates 0",
        ),
        ({"world": "ranking"}, "value.td_lambda", 0.1, "0.0: type --gamma 0.99"),
        ({"world": "ranking"}, "value.target_period", 1, "0.0: type --gamma 0.99"),
        ({"world": "ranking"}, "time_out", "terminal", "ranking: type --world smax"),
        ({"world": "football"}, "smax.time_limit", 99, "football: type --world smax"),
        ({"world": "football"}, "smax.sight", 0.5, "football: type --world smax"),
        ({"world": "football"}, "processes.limit", 9, "football: type --football.limit"),
        ({}, "football.control", "fixed", "smax: type --world football"),
        ({}, "processes.patience", 9.0, "type --world football | starcraft | processes"),
        ({}, "ranking.jitter", 0.1, "--world smax: type --world ranking"),
        ({}, "starcraft.step_mul", 4, "--world smax: type --world starcraft"),
        ({"info": "none"}, "baseline", True, "with --info none: type --info "),
    ],
)
def test_what_is_not_read_is_refused_with_what_to_type(others, name, value, says):
    world = others.get("world", "smax")
    run = put(Run(world=world), {**others, name: value})
    assert unread(run) == [name]
    with pytest.raises(ValueError) as error:
        check_read(run)
    option = flag(name, value).split(" ")[0]
    assert str(error.value).startswith(f"{option} is not read ")
    assert says in str(error.value)
    assert str(error.value).endswith(("leave it away", f", or leave {option} away"))


def test_a_part_of_ones_own_that_does_not_work_is_not_proposed(monkeypatch):
    def broken(*_, **__):
        raise KeyError("no such key")

    monkeypatch.setitem(INFOS, "mine", broken)
    with pytest.raises(
        ValueError, match=r"^--student\.lr is not .* type --info giu"
    ) as said:
        check_read(Run(info="none", student=DistillConfig(lr=0.123)))
    assert "mine" not in str(said.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("run --algo mappo --lr 2e-3", "type --mappo.lr, or leave --lr away"),
        ("teach --threshold 1", "type --info copa"),
        ("run --method mappo --lr 2e-3", "type --mappo.lr, or leave --lr away"),
        ("run --preset quick --method mappo --td-lambda 0.5", "type --algo value"),
        ("run --method qmix --info giu", "--info giu has no effect, because qmix sets"),
        ("run --method qmix --algo mappo", "because qmix sets --algo value"),
        ("run --algo mappo --lr 1e-3", "type --mappo.lr"),  # though that is its default
        (
            "run --method qmix_ptde --state-encoder 0",
            "sets --state-encoder 16",
        ),
        ("run --world football --sight 0.5", "type --world smax"),
        ("compare table5 --data some.txt", "no method of the comparison uses --data"),
    ],
)
def test_commands_refuse_it_before_anything_is_written(
    words, says, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 2
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_python_refuses_it_before_anything_is_written(tmp_path):
    config = Run(
        world="probe", smax=SmaxConfig(sight=0.5), mixer_config=MixerSizes(kernels=2)
    )
    with pytest.raises(ValueError, match=r"(?s)--kernels is not.*\n--sight is not read"):
        ptde.pipeline.run(config, tmp_path / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("learner", ["--algo mappo", "--method mappo_ptde"])
def test_mappo_is_refused_what_older_networks_play(learner, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = f"run --world football {learner} --processes.overlap"
    assert main(words.split()) == 2
    assert "type --processes.no-overlap, or --algo value" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    older = ProcessConfig(overlap=True)
    for world in ("football", "starcraft", "processes"):
        assert Run(world=world, processes=older).processes.overlap
        with pytest.raises(ValueError, match=r"type --processes\.no-overlap"):
            Run(world=world, algo="mappo", processes=older)


PLAN = """
methods = [{methods}]
maps = ["3m"]
[run]
{option}
"""


@pytest.mark.parametrize(
    ("methods", "option", "says"),
    [
        ('"mappo"', "lr = 0.1", "--mappo.lr"),
        (
            '"qmix", "mappo"',
            "threshold = 1",
            "comparison uses --threshold",
        ),
        ('"qmix", "qmix_gip"', 'info = "giu"', "--info giu has no effect, because qmix"),
        ('"qmix", "vdn"', 'mixer = "qplex"', "--mixer qplex has no effect"),
        ('"qmix"', '"student.lr" = 0.1', "--student.lr is not read with --info none"),
    ],
)
def test_a_plan_whose_option_no_method_uses_is_named(
    methods, option, says, tmp_path, monkeypatch, capsys
):
    text = PLAN.format(methods=methods, option=option)
    (tmp_path / "plan.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "plan.toml"]) == 2
    shown = capsys.readouterr().err
    assert "plan.toml: " in shown and says in shown
    assert [path.name for path in tmp_path.iterdir()] == ["plan.toml"]


@pytest.mark.parametrize(
    ("methods", "option"),
    [
        ('"qmix", "mappo"', "lr = 0.1"),
        ('"qmix", "mappo"', '"mappo.lr" = 0.1'),
        ('"qmix", "copa"', "threshold = 1"),
        ('"qmix", "csrl"', 'mixer = "vdn"'),
        ('"qmix", "qmix_kd"', '"student.lr" = 0.1'),
        ('"qmix_wide"', "hidden = 128"),
    ],
)
def test_in_a_plan_one_method_that_uses_it_is_enough(
    methods, option, tmp_path, monkeypatch
):
    base = from_a_plan(PLAN.format(methods=methods, option=option), tmp_path, monkeypatch)
    assert base != Run(map=base.map, seeds=base.seeds)


# -- what is read


@pytest.mark.parametrize("name", METHODS)
def test_no_method_is_refused(name):
    method = on_probe(name, Run(world="probe"))
    check_read(method)
    if method.info != "none":
        check_read(dataclasses.replace(method, baseline=True))


@pytest.mark.parametrize("name", PRESETS)
def test_no_preset_is_refused(name):
    check_read(preset(name))


@pytest.mark.parametrize("name", PLANS)
def test_no_plan_is_refused(name):
    plan = PLANS[name][1]
    plan.check_read()
    plan.scaled(0.1).check_read()


def test_what_a_preset_sets_for_nothing_is_left_away(monkeypatch):
    quick = preset("quick", algo="mappo")
    assert quick.value == Run().value and quick.student.steps == 50
    words = ["--preset", "quick", "--algo", "mappo"]
    assert from_the_command_line(words, monkeypatch) == quick
    words = ["--preset", "quick", "--method", "mappo"]
    method = from_the_command_line(words, monkeypatch)
    assert (method.algo, method.steps) == ("mappo", 8_000)
    assert method.student == Run().student and not unread(method)
    demo = preset("demo", info="none")
    assert demo.student == Run().student and demo.steps == 350_000


def test_a_budgets_share_is_of_what_is_read():
    plan = Plan(("mappo",), ("3m",)).scaled(0.1)
    assert plan.base.value == Run().value and plan.base.steps == 200_000


@pytest.mark.parametrize(
    ("algo", "buffer", "data"),
    [("value", 320, "replay"), ("mappo", 320, "replay"), ("mappo", 0, "own")],
)
def test_a_students_data_is_the_replay_where_there_is_one(algo, buffer, data):
    run = Run(algo=algo, steps=1_000, mappo=MappoConfig(buffer=buffer))
    assert run.student.data == "auto" and run.stage_2.data == data
    assert run.stages.distil == (0 if data == "replay" else 100)
    typed = Run(algo=algo, student=DistillConfig(data="teacher"))
    assert typed.stage_2.data == "teacher"
    assert is_read(run, "student.share") == (data == "own")
    assert is_read(run, "mappo.buffer") == (algo == "mappo")
    assert not is_read(dataclasses.replace(run, info="none"), "mappo.buffer")


def test_every_option_is_read_by_some_run():
    kinds = [
        {},
        {"algo": "mappo"},
        {"mixer": "qplex"},
        {"info": "giu"},
        {"info": "copa"},
        {"student": DistillConfig(**PAPERS), "finetune": NO_STAGE_3},
        {"student": DistillConfig(data="own")},
        {"value": ValueConfig(openings=0.2)},
    ]
    found = frozenset().union(
        *(reads(Run(world=world)) for world in WORLDS), *(reads(Run(**k)) for k in kinds)
    )
    assert found == flatten(Run()).keys()


def noted(world, place, changes=()):
    """A world that was made from options which note what is read of them, and the notes."""
    notes, run = set(), put(Run(world=world), dict(changes))
    options = {name: _noting(getattr(run, name), notes, f"{name}.") for name in GROUPS}
    return make_env(world, place, options), notes


def played(env):
    """One step, in shapes alone."""

    def play(key):
        state, step = env.reset(key=key)
        return env.step(state, jnp.zeros_like(step.local.last_action), key=key)

    jax.eval_shape(play, new_key(0))


def test_worlds_in_jax_read_what_they_say(tmp_path):
    file = letor(tmp_path / "some.txt")
    ranking = {"ranking.data": str(file), "ranking.docs": 4}
    for world, place, changes in (
        ("smax", "3m", {}),
        ("probe", "memory", {}),
        ("ranking", "letor", ranking),
    ):
        env, notes = noted(world, place, changes)
        played(env)
        said = _read_by_world(world) - {"time_out"}
        assert {n for n in notes if "." in n} == said, world


def test_games_in_processes_read_what_they_say(monkeypatch):
    made = Mock(spec=AbstractWorld, time_out="bootstrap")
    made.__class__ = AbstractWorld
    monkeypatch.setattr(
        "ptde.envs.process.ProcessWorld", Mock(return_value=made, time_out="bootstrap")
    )
    monkeypatch.setattr("ptde.processes.games.doctor.need", lambda game: None)
    monkeypatch.setattr("ptde.processes.games.starcraft.require", lambda name: None)
    # Of every such world: ProcessWorld, its pool and rollout/process.py.
    common = {f"processes.{name}" for name in ("patience", "failures", "quorum", "overlap")}
    for world, place in (
        ("football", WORLDS["football"].default),
        ("starcraft", "3s_vs_5z"),
        ("processes", "some.module:Game"),
    ):
        _, notes = noted(world, place)
        said = _read_by_world(world) - {"time_out", "seed"}
        assert notes | common == said, world


def test_synthetic_lists_take_no_features_of_a_file():
    run = Run(world="ranking", map="synthetic", ranking=RankingConfig(features=5))
    with pytest.raises(ValueError, match="leave --features away"):
        build.world(run)
