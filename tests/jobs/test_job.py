import numpy as np

from ptde.jobs.job import first_bad
from ptde.jobs.record import Record


def test_first_bad_names_the_iteration():
    metrics = {"loss": np.ones((2, 5)), "q": np.ones((2, 5))}
    assert first_bad(metrics) is None
    metrics["q"][1, 3] = np.inf
    metrics["loss"][0, 4] = np.nan
    iteration, values = first_bad(metrics)
    assert iteration == 3
    assert values == {"loss": 1.0, "q": np.inf}


def test_a_record_drops_what_a_killed_run_left_unfinished(tmp_path):
    record = Record(tmp_path / "record.jsonl")
    seen = {"win_rate": [0.5], "return": [1.0]}
    for steps in (1, 2, 3):
        record.append({"steps": steps, "joint_steps": steps, **seen})
    with record.path.open("a") as file:
        file.write('{"steps": 4, "los')
    assert [row["steps"] for row in record.rows()] == [1, 2, 3]
    assert [row["steps"] for row in record.cut(2)] == [1, 2]
    record.append({"steps": 3, "joint_steps": 3, **seen})
    assert [row["steps"] for row in record.rows()] == [1, 2, 3]
