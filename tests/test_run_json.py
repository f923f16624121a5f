"""A run.json that was changed or damaged is a line that names file and field."""

import json

import pytest

from ptde import build
from ptde.algos.finetune import FinetuneConfig
from ptde.cli import main
from ptde.config import Run
from ptde.folder import RunFolder
from ptde.run_json import FORMAT, load_run, run_from

NOW = f'{{"format": {FORMAT}'
READ = [
    ("[]", "run.json is damaged: it holds a list, not names and values"),
    ("7", "it holds a int"),
    ("null", "it holds a NoneType"),
    ("", "it is not JSON"),
    ("{", "it is not JSON"),
    ("[" * 100_000, "it is not JSON"),
    ("{}", "has format None"),
    (NOW + "}", "field 'goal' is None: it must be run or teach"),
    (NOW + ', "goal": "party"}', "field 'goal' is 'party': it must be run or teach"),
    (NOW + ', "goal": ["run"]}', "field 'goal' is ['run']"),
    (NOW + ', "goal": "run"}', "field 'run' is None, not names and values"),
    (NOW + ', "goal": "run", "devices": "2"}', "field 'devices' is '2': it must"),
    (NOW + ', "goal": "run", "one_thread": 1}', "field 'one_thread' is 1: it must"),
    (NOW + ', "goal": "run", "run": []}', "field 'run' is [], not names"),
]
FIELDS = [
    ("steps", "many", "field 'steps' is 'many': it must be a whole number"),
    ("steps", 1.5, "field 'steps' is 1.5: it must be a whole number"),
    ("steps", True, "field 'steps' is True: it must be a whole number"),
    ("seeds", None, "field 'seeds' is None: it must be a whole number"),
    ("map", 3, "field 'map' is 3: it must be a text"),
    ("baseline", "yes", "field 'baseline' is 'yes': it must be true or false"),
    ("value", 3, "field 'value' is 3, not names and values"),
    ("value", {"lr": "x"}, "field 'value.lr' is 'x': it must be a number"),
    ("value", {"lr": float("nan")}, "--lr must lie in"),
    ("value", {"gama": 1}, "unknown field of ValueConfig 'gama': is it 'gamma'?"),
    ("finetune", {"leash": "x"}, "field 'finetune.leash' is 'x': it must be a number"),
    (
        "smax",
        {"reward_scale": float("inf")},
        "--reward-scale must lie in (0, inf), not inf",
    ),
    ("world", "moon", "unknown world 'moon'"),
    ("steps", 2**40, "more than 2,147,483,647"),
]


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(Run(world="probe"), tmp_path / "run", "run").path


@pytest.mark.parametrize(("text", "said"), READ)
def test_garbage(folder, text, said, capsys):
    (folder / "run.json").write_text(text)
    for command in ("evaluate", "resume"):
        assert main([command, str(folder)]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert f"{folder}/run.json" in error
        assert len(error.splitlines()) == 1


@pytest.mark.parametrize(("field", "value", "said"), FIELDS)
def test_a_field_of_another_kind(folder, field, value, said):
    data = json.loads((folder / "run.json").read_text())
    data["run"][field] = value
    (folder / "run.json").write_text(json.dumps(data))
    with pytest.raises(ValueError) as error:
        load_run(folder)
    assert said in str(error.value)
    assert f"{folder}/run.json" in str(error.value)


def test_bytes_that_are_no_text(folder, capsys):
    (folder / "run.json").write_bytes(b"\xff\xfe\x00")
    assert main(["report", str(folder)]) == 2
    assert "run.json is damaged" in capsys.readouterr().err


def older(run):
    data = run.to_json()
    del data["mappo"]["buffer"]
    return run_from(data)


def test_an_older_run_goes_on_with_the_defaults_of_its_time():
    run = older(Run(algo="mappo"))
    assert (run.stage_2.data, run.stages.distil) == ("own", 200_000)
    assert build.leash(run) == 0.1
    assert (build.leash(older(Run())), build.leash(Run())) == (1.0, 0.0)
    assert build.leash(older(Run(finetune=FinetuneConfig(leash=0.5)))) == 0.5
