"""`ptde export`: what it writes, and what it refuses."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.export.folders import PLAIN, described, made_folder
from tests.export.teams import Noise, exported_player, lists, team
from tests.test_pipeline import TINY

import ptde.export.write as write
from ptde.agents.utility import UtilityNetwork
from ptde.algos.base import Team
from ptde.cli import main
from ptde.distill.students import GruStudent, MlpStudent
from ptde.envs.ranking.env import Ranking
from ptde.envs.settings import RankingConfig
from ptde.export import NETWORKS, STUDENTS, export_run, export_team
from ptde.export.layers import LOCAL
from ptde.info import AbstractStudent
from ptde.run_json import FORMAT

SMALL = dataclasses.replace(TINY, seed=4, seeds=2)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A run on personal with teachers and students."""
    return made_folder(monkeypatch, tmp_path / "run", SMALL, "teacher", "student")


def test_the_command_writes_one_folder_and_says_where(folder, capsys):
    assert main(["export", str(folder.path)]) == 0
    place = folder.path / "export"
    assert capsys.readouterr().out == f"{place}\n"
    names = ["README.md", "model.safetensors", "player.py", "team.json", "team.onnx"]
    assert sorted(path.name for path in place.iterdir()) == names
    about = described(place)
    assert {"world": "probe/personal", "method": "QMIX_GIP", "role": "student"}.items() <= (
        about.items()
    )
    assert (about["seed"], about["agents"], about["actions"]) == (4, 2, 2)
    inputs = about["inputs"]
    assert inputs["obs"]["entries"] == [f"obs[{i}]" for i in range(5)]
    assert inputs["legal"]["entries"] == ["action 0", "action 1"]
    assert [x["shape"] for x in inputs.values()] == [[2, 5], [2, 2], [2], [2, 8]]
    assert about["local"]["width"] == 5 + 2 + 2
    parts = [(part["name"], part["width"]) for part in about["local"]["parts"]]
    assert parts == [("obs", 5), ("last_action", 2), ("agent", 2)]
    assert all(x["meaning"] for x in (*inputs.values(), *about["outputs"].values()))
    readme = (place / "README.md").read_text()
    assert "floats [2, 5], booleans [2, 2] -> [2]" in readme and "obs [b, 2, 5]" in readme
    action = exported_player(place).Player(place).act(np.ones((2, 5)), np.ones((2, 2)))
    assert action.shape == (2,)


def test_every_file_may_be_read_by_those_who_may_read_the_others(folder):
    place = export_run(folder.path)
    assert len({path.stat().st_mode for path in place.iterdir()}) == 1


def test_an_earlier_export_is_replaced_and_nothing_else(folder, tmp_path):
    place = export_run(folder.path, "onnx", out=tmp_path / "team")
    first = (place / "model.safetensors").read_bytes()
    (place / "mine.txt").write_text("mine")
    export_run(folder.path, "numpy", seed=5, out=place)
    assert described(place)["seed"] == 5
    assert (place / "model.safetensors").read_bytes() != first
    assert not (place / "team.onnx").exists()  # it was another team's
    assert (place / "mine.txt").read_text() == "mine"


def test_a_team_without_information_is_its_teacher(tmp_path, monkeypatch):
    run = dataclasses.replace(TINY, **PLAIN)
    folder = made_folder(monkeypatch, tmp_path / "run", run, "teacher")
    about = described(export_run(folder.path, "numpy"))
    assert (about["role"], about["method"]) == ("teacher", "QMIX")
    assert [x["name"] for x in about["layers"]] == [
        "network.encoder",
        "network.rnn",
        "network.head",
    ]


def test_a_ranking_team_goes_without_its_data(tmp_path, monkeypatch):
    env = lists()
    monkeypatch.setattr(Ranking, "kept", lambda path, config: env)
    run = dataclasses.replace(
        TINY,
        world="ranking",
        map="letor",
        segment=1,
        ranking=RankingConfig(data="elsewhere", docs=4, k=4),
    )
    folder = made_folder(monkeypatch, tmp_path / "run", run, "student")
    env.keep(folder.path)
    monkeypatch.undo()
    about = described(export_run(folder.path, "numpy"))
    assert about["preparation"]["features"] == 6
    assert about["inputs"]["legal"]["entries"][7] == "score 7"
    assert "standardised" in about["inputs"]["obs"]["entries"][0]


# -- bad input


def test_a_run_without_a_decentralised_team_is_told_how_to_get_one(tmp_path, monkeypatch):
    runs = tmp_path / "runs"
    only = made_folder(monkeypatch, runs / "taught", TINY, "teacher")
    with pytest.raises(ValueError, match=f"the global state, .*`ptde distill {only.path}`"):
        export_run(only.path)
    stopped = made_folder(monkeypatch, runs / "stopped", TINY)
    with pytest.raises(ValueError, match=f"`ptde resume {stopped.path}` ends it"):
        export_run(stopped.path)
    wide = dataclasses.replace(TINY, **PLAIN, teacher_sight="all")
    seeing = made_folder(monkeypatch, runs / "seeing", wide, "teacher")
    with pytest.raises(ValueError, match=r"unlimited sight, .*--online-distillation"):
        export_run(seeing.path)
    assert not list(runs.glob("*/export"))


def test_words_that_mean_nothing(folder, tmp_path, capsys):
    with pytest.raises(ValueError, match="unknown to 'onxx': did you mean --to onnx"):
        export_run(folder.path, "onxx")
    assert main(["export", str(folder.path), "--to", "onxx"]) == 2
    assert "did you mean --to onnx?" in capsys.readouterr().err
    assert main(["export", str(folder.path), "--seed", "9"]) == 2
    assert "--seed 9 is not in this run: 4 to 5 are" in capsys.readouterr().err
    (tmp_path / "thesis").mkdir()
    assert main(["export", str(folder.path), "--out", str(tmp_path / "thesis")]) == 2
    assert "left as it is: type another --out" in capsys.readouterr().err
    assert main(["export", str(tmp_path)]) == 2
    assert "not a run folder" in capsys.readouterr().err


def test_a_folder_of_an_older_ptde(folder, capsys):
    file = folder.path / "run.json"
    file.write_text(file.read_text().replace(f'"format": {FORMAT}', '"format": 3'))
    assert main(["export", str(folder.path)]) == 2
    said = f"has format 3, this ptde reads format {FORMAT}: use the"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "package"), [("onnx", "onnx"), ("stablehlo", "flatbuffers")]
)
def test_a_package_that_is_missing(folder, monkeypatch, to, package):
    monkeypatch.setattr(write, "find_spec", lambda name: None if name == package else 1)
    line = rf"--to {to} needs {package}: type pip install 'ptde\[export\]'"
    with pytest.raises(ValueError, match=line):
        export_run(folder.path, to)
    assert not (folder.path / "export").exists()
    assert export_run(folder.path, "numpy")


def test_a_world_names_every_entry(tmp_path):
    env = Noise()
    env.observation_names = lambda: ("x", "y")
    with pytest.raises(ValueError, match=r"observation_names\(\) gives 2 names for 5"):
        export_team(team(env.spec, "value", "mlp"), env, tmp_path / "team", "numpy")
    assert not list(tmp_path.iterdir())


class Doubled(AbstractStudent):
    """A student of a user's own."""

    inner: MlpStudent

    def start(self, copies, n_agents):
        return ()

    def step(self, carry, local):
        return carry, self.inner.mlp(local) + self.inner.mlp(local)

    def unroll(self, local, first):
        return self.step((), local)[1]


def _like_ours(student, layers):
    return STUDENTS[MlpStudent](student.inner, layers)


def _twice(student, layers):
    (z,) = _like_ours(student, layers)
    last = student.inner.mlp.layers[-1]
    double = eqx.tree_at(lambda x: (x.weight, x.bias), last, (2 * jnp.eye(4), jnp.zeros(4)))
    return (layers.linear("student.double", double, z),)


def test_a_student_of_ones_own_says_what_its_layers_are(tmp_path, monkeypatch):
    env = Noise()
    plain = team(env.spec, "value", "mlp")
    mine = Team(plain.network, Doubled(plain.student))
    with pytest.raises(ValueError, match=r"ptde\.export\.STUDENTS\[Doubled\] = your_f"):
        export_team(mine, env, tmp_path / "team", "numpy")
    monkeypatch.setitem(STUDENTS, Doubled, _like_ours)
    with pytest.raises(ValueError, match="does not act as the team in JAX does"):
        export_team(mine, env, tmp_path / "team", "numpy")
    assert not list(tmp_path.iterdir())
    monkeypatch.setitem(STUDENTS, Doubled, _twice)
    assert export_team(mine, env, tmp_path / "team", "numpy").exists()


@pytest.mark.parametrize("number", [jnp.nan, jnp.inf])
def test_weights_that_are_no_numbers_are_the_reason(tmp_path, number):
    env = Noise()
    plain = team(env.spec, "value", "mlp")
    bias = lambda team: team.student.mlp.layers[-1].bias
    bad = eqx.tree_at(bias, plain, bias(plain).at[0].set(number))
    with pytest.raises(ValueError, match=r"student\.mlp.*\.bias of the team holds NaN"):
        export_team(bad, env, tmp_path / "team", "numpy")
    assert not list(tmp_path.iterdir())


def test_a_student_with_a_memory_is_not_exported_as_one_without(tmp_path, monkeypatch):
    class Remembers(GruStudent):
        pass

    def as_if_it_had_none(student, layers):
        return (layers.mlp("student.mlp", student.mlp, LOCAL, LOCAL),)

    env = Noise()
    one = team(env.spec, "value", "gru")
    own = Remembers(env.spec.local_dim, 4, 5, key=jax.random.key(0))
    monkeypatch.setitem(STUDENTS, Remembers, as_if_it_had_none)
    with pytest.raises(ValueError, match=r"remembers 5 numbers .* layers 0: a student"):
        export_team(dataclasses.replace(one, student=own), env, tmp_path / "t", "numpy")
    assert not list(tmp_path.iterdir())


def test_a_network_that_inherits_is_not_taken_for_its_parent(tmp_path):
    class Negated(UtilityNetwork):
        def values(self, h, z):
            return -super().values(h, z)

    env = Noise()
    one = team(env.spec, "value", "none")
    other = Negated(env.spec.local_dim, 0, 4, 6, key=jax.random.key(0))
    mine = dataclasses.replace(one, network=other)
    assert UtilityNetwork in NETWORKS
    with pytest.raises(ValueError, match=r"ptde\.export\.NETWORKS\[Negated\]"):
        export_team(mine, env, tmp_path / "team", "numpy")
