"""A short sample of each campaign, with its own program."""

import json

import pytest
from campaigns import bad_input, full_disk, kills, memory, properties, workers


def told(path):
    return json.loads(path.read_text())


def test_malformed_input_is_a_line_with_what_to_type(tmp_path):
    options = bad_input.BadInput(n=48, seed=7, out=tmp_path / "result.json")
    assert bad_input.main(options) == 0
    assert told(options.out)["kinds"] == {kind.__name__: 6 for kind in bad_input.KINDS}


def test_a_bad_answer_is_counted(tmp_path):
    """What the campaign looks for, it finds."""
    fault = bad_input.fault_of
    assert "status 0" in fault(["--version"], tmp_path)
    assert fault(["run", "--steps", "0"], tmp_path) == ""


@pytest.mark.slow
@pytest.mark.parametrize(("where", "world"), [("random", "processes"), ("save", "jax")])
def test_a_killed_run_is_not_lost(tmp_path, where, world):
    options = kills.Kills(n=3, where=where, world=world, seed=5, out=tmp_path / "r.json")
    assert kills.main(options) == 0
    assert told(options.out)["kills"] == 3


@pytest.mark.slow
def test_a_full_disk_loses_nothing(tmp_path):
    options = full_disk.FullDisk(n=4, out=tmp_path / "r.json")
    assert full_disk.main(options) == 0


@pytest.mark.slow
def test_worlds_that_fail_all_the_time_leave_a_sound_team(tmp_path):
    """The training alone: so few battles teach too little to ask for a win rate."""
    out = tmp_path / "r.json"
    options = workers.Workers(n=20, hangs=0.0, sound=0.0, seed=3, out=out)
    assert workers.main(options) == 0
    result = told(out)
    assert result["faults"] >= 20
    assert set(result["of_kind"]) == {"crashes", "deaths", "NaN", "other sizes"}


def test_growth_is_measured_after_the_first_quarter():
    import numpy as np

    hours = np.linspace(0, 2, 81)
    slope, grown = memory.rise(hours, np.where(hours < 0.5, 10 * hours, 100 + 3 * hours))
    assert (slope, grown) == (pytest.approx(3), pytest.approx(4.5))


@pytest.mark.slow
def test_a_training_is_sampled_and_drawn(tmp_path):
    picture, out = tmp_path / "memory.png", tmp_path / "r.json"
    memory.main(memory.Memory(minutes=2, every=0.5, tests=640, picture=picture, out=out))
    assert picture.stat().st_size > 5_000
    assert told(out)["status"] == 130


@pytest.mark.slow
def test_properties_are_tried_with_as_many_examples(tmp_path):
    options = properties.Properties(n=3, out=tmp_path / "r.json")
    assert properties.main(options) == 0
    assert told(options.out)["properties"] > 5
