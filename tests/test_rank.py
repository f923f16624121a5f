"""Learning to rank from a file to a file, on a tiny LETOR file."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from tests.students import NO_STAGE_3, PAPERS

from ptde import pipeline
from ptde.algos.value_config import ValueConfig
from ptde.cli import main
from ptde.config import Run
from ptde.distill.config import DistillConfig
from ptde.envs.settings import RankingConfig
from ptde.info.sizes import InfoSizes
from ptde.jobs.record import Record
from ptde.ops.keys import new_key
from ptde.pipeline import evaluate_run, run
from ptde.rank import rank_file
from ptde.report import ranking
from ptde.report.ranking import ten_scores
from ptde.rollout.seeds import Stream


def letor(path, queries=30, docs=5, features=3, seed=0):
    draw = np.random.default_rng(seed)
    lines = []
    for query in range(queries):
        for _ in range(docs):
            x = draw.normal(size=features)
            label = int(np.clip(np.round(1 + x[0]), 0, 4))
            words = " ".join(f"{i}:{v:.4f}" for i, v in enumerate(x, 1))
            lines.append(f"{label} qid:{query} {words}\n")
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rank")
    config = Run(
        world="ranking",
        seeds=2,
        steps=64,
        envs=16,
        segment=1,
        hidden=8,
        test_every=32,
        episodes=4,
        info_config=InfoSizes(z=4, hyper_hidden=4),
        value=ValueConfig(buffer=64, batch=16),
        finetune=NO_STAGE_3,
        student=DistillConfig(**PAPERS, steps=4, data_steps=32, tests=1, batch=16),
        ranking=RankingConfig(
            data=str(letor(folder / "some.txt")), docs=4, jitter=0.1, k=4
        ),
    )
    out = run(config, folder / "run")
    out.show()
    return folder / "run"


def test_a_run_leaves_the_measure_the_table_and_every_lists_ndcg(taught):
    result = json.loads((taught / "result.json").read_text())
    assert result["measure"] == "NDCG@4"
    arrays = np.load(taught / "ndcg.npz")
    assert set(arrays) == {"teacher", "student"}
    lists = result["teacher"]["episodes"] // 2
    assert arrays["teacher"].shape == (2, lists, 4)
    # With four documents NDCG@5 and @10 are NDCG@4, the reward.
    mean = arrays["student"][..., 3].mean()
    assert mean == pytest.approx(result["student"]["win_rate"], abs=1e-5)
    text = (taught / "ranking.md").read_text()
    for row in ("random order", "best single feature", "LightGBM lambdarank, ten scores"):
        assert row in text
    assert "minus LightGBM regression" in text


def test_the_training_win_rate_is_a_mean_over_lists(taught):
    rows = Record(taught / "teacher" / "record.jsonl").rows()
    rates = [rate for row in rows for rate in row["train_win_rate"]]
    assert rates and all(0 < rate <= 1 for rate in rates)  # a mean of NDCG@4


def test_it_can_be_evaluated_again_and_says_the_same(taught):
    before = (taught / "ranking.md").read_text()
    evaluate_run(taught)
    assert (taught / "ranking.md").read_text() == before


def test_the_lists_are_laid_out_by_a_key_that_nothing_else_uses(taught, monkeypatch):
    keys, begin = [], ranking.start

    def watched(policy, env, copies, *, key):
        keys.append(key)
        return begin(policy, env, copies, key=key)

    monkeypatch.setattr(ranking, "start", watched)
    evaluate_run(taught)
    numbers = lambda found: {tuple(jax.random.key_data(k).tolist()) for k in found}
    used = numbers(keys)
    assert len(used) == 1  # all roles and seeds meet the same lists
    streams = set(range(40)) - {Stream.ORDER}
    root = new_key(0)
    others = [root, new_key(1), *(jax.random.fold_in(root, s) for s in streams)]
    others += [k for key in others for k in jax.random.split(key, 3)]
    assert not used & numbers(others)


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_a_file_is_ranked_in_trecs_format(taught, tmp_path, role):
    file = letor(tmp_path / "new.txt", queries=3, docs=7, seed=1)
    out = rank_file(taught, file, role)
    rows = [line.split() for line in out.read_text().splitlines()]
    assert len(rows) == 21
    for query in range(3):
        mine = [r for r in rows if r[0] == str(query)]
        assert [int(r[3]) for r in mine] == list(range(1, 8))
        scores = [float(r[4]) for r in mine]
        assert scores == sorted(scores, reverse=True) and len(set(scores)) == 7
        names = {int(r[2]) for r in mine}
        assert names == set(range(7 * query + 1, 7 * query + 8))  # rows of the file
        assert {(r[1], r[5]) for r in mine} == {("Q0", f"ptde-{role}")}


def test_the_teachers_data_are_not_needed_to_rank(taught, tmp_path, monkeypatch):
    (taught.parent / "some.txt").rename(tmp_path / "away")
    try:
        rank_file(taught, letor(tmp_path / "new.txt"), out=tmp_path / "out")
    finally:
        (tmp_path / "away").rename(taught.parent / "some.txt")
    assert (tmp_path / "out").exists()


def test_files_and_teams_that_do_not_fit_are_refused(taught, tmp_path, capsys):
    wide = letor(tmp_path / "wide.txt", features=4)
    assert main(["rank", str(taught), str(wide)]) == 2
    assert "has 4 features" in capsys.readouterr().err
    narrow = letor(tmp_path / "narrow.txt", features=2)
    with pytest.raises(ValueError, match="type --features 3"):
        rank_file(taught, narrow)
    assert rank_file(taught, narrow, features=3, out=tmp_path / "out").exists()
    with pytest.raises(ValueError, match="is not a file"):
        rank_file(taught, tmp_path)
    with pytest.raises(ValueError, match="--seed 5"):
        rank_file(taught, narrow, features=3, seed=5)


def typed(words, monkeypatch):
    """The run that `ptde run` makes of these words, which is not started."""
    made = []

    class Nothing:
        def show(self):
            pass

    def run(config, out, goal, log):
        made.append(config)
        return Nothing()

    monkeypatch.setattr(pipeline, "run", run)
    assert main(["run", *words.split()]) == 0
    return made[0]


def test_data_are_asked_for(capsys):
    assert main(["run", "env:ranking"]) == 2
    assert "--map letor needs --data" in capsys.readouterr().err


def test_the_worlds_own_defaults_are_taken(monkeypatch):
    made = typed("env:ranking --env.data some.txt", monkeypatch)
    assert (made.world, made.map, made.ranking.data) == ("ranking", "letor", "some.txt")
    value = made.value
    assert (made.segment, made.envs, value.gamma, value.average) == (1, 256, 0.0, 0.998)
    assert (value.batch, value.lr_end, made.ranking.jitter) == (512, 0.0, 0.5)
    # How the world is named, and what else is typed, makes no difference to the rest.
    words = "--world=ranking --data some.txt --lr 0.5 --seeds 2"
    other = typed(words, monkeypatch)
    assert other == dataclasses.replace(
        made, seeds=2, value=dataclasses.replace(value, lr=0.5)
    )
    # Another world has its own.
    battle, football = typed("--map 3m", monkeypatch), typed("env:football", monkeypatch)
    assert battle == Run(map="3m")
    assert battle.value.gamma == football.value.gamma == 0.99
    assert (battle.value.updates, football.value.updates) == (8, 16)


def test_ten_scores_are_as_often_each():
    seen = np.arange(1000.0)
    assert np.bincount(ten_scores(seen, seen)).tolist() == [100] * 10
