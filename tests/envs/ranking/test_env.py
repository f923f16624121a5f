import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ptde import build
from ptde.config import Run
from ptde.envs.ranking import Ranking, ranking_data, read_letor
from ptde.envs.settings import RankingConfig
from ptde.ops.ranking import expected_ndcg

CONFIG = RankingConfig(docs=4, lists=40, k=4)
ENV = Ranking(ranking_data("synthetic", CONFIG), CONFIG)
REAL = Path(__file__).parents[4] / "shared" / "data"


def test_an_episode_is_one_list_and_one_step(getkey):
    state, step = ENV.reset(key=getkey())
    (_features, labels), _ = state
    assert bool(step.first)
    np.testing.assert_array_equal(step.state.reshape(4, -1), step.local.obs)
    state, after = ENV.step(state, labels, key=getkey())
    assert after.discount == 0 and not after.first
    assert after.performance == after.reward
    _, again = ENV.step(state, labels, key=getkey())
    assert bool(again.first) and again.reward == 0


def test_the_order_of_the_documents_changes_and_the_list_stays(getkey):
    keys = jax.random.split(getkey(), 400)
    (features, labels), _steps = jax.vmap(lambda k: ENV.reset_env(key=k))(keys)
    lists = {tuple(sorted(x[:, 0].tolist())) for x in np.asarray(features)}
    orders = {tuple(x[:, 0].tolist()) for x in np.asarray(features)}
    assert len(lists) == len(ENV.features) < len(orders)
    assert (labels.max(1) > labels.min(1)).all()  # those without an order are left out


def test_tests_meet_every_held_out_list_once(getkey):
    test = ENV.held_out()
    count = test.episodes(7)
    assert count == len(test.lists.labels) and ENV.episodes(7) == 7
    state, _step = test.resets(count, key=getkey())
    (features, labels), _ = state
    for ours, here in zip(test.features, features, strict=True):
        np.testing.assert_array_equal(jnp.sort(ours[:, 0]), jnp.sort(here[:, 0]))
    actions = jnp.zeros((count, 4), jnp.int32)
    keys = jax.random.split(getkey(), count)
    _, after = jax.vmap(lambda s, a, k: test.step(s, a, key=k))(state, actions, keys)
    ties = jax.vmap(lambda y: expected_ndcg(jnp.zeros(4), y, 4))(labels)
    np.testing.assert_allclose(after.reward, ties, rtol=1e-6)


def test_training_and_test_lists_are_apart():
    train = {x.tobytes() for x in np.asarray(ENV.features)}
    assert not train & {x.tobytes() for x in np.asarray(ENV.held_out().features)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "needs --data"),
        ({"map": "synthetic", "ranking": RankingConfig(data="x")}, "leave --data away"),
        ({"map": "lettor"}, "did you mean --map letor"),
        ({"ranking": RankingConfig(data="/nowhere.txt")}, "does not exist"),
        ({"map": "synthetic", "ranking": RankingConfig(lists=1)}, "lists cannot be made"),
    ],
)
def test_data_that_cannot_be_used_is_refused(changes, says):
    with pytest.raises(ValueError, match=says):
        build.world(dataclasses.replace(Run(world="ranking"), **changes))


def real(name: str) -> Path:
    path = REAL / name
    if not path.exists():
        pytest.skip(f"the real samples are not there: {path}")
    return path


def test_the_real_sample_of_mslr_is_read(tmp_path):
    parts = read_letor(real("mslr-sample"), cache=tmp_path)
    assert sum(len(p.ids) for p in parts) == 36
    assert sum(len(p.labels) for p in parts) == 3634
    assert {p.features.shape[1] for p in parts} == {136}
    sizes = np.concatenate([p.sizes for p in parts])
    assert (sizes.min(), sizes.max()) == (39, 261)


def test_the_real_yandex_set_has_its_known_anchor():
    path = real("yandex/yandex.svmlight.gz")
    config = RankingConfig(data=str(path))
    data = ranking_data("letor", config)
    assert len(data.train.labels) + len(data.test.labels) == 2606
    assert len(data.preparation.kept) == 42
    test = Ranking(data, config, test=True)
    random = [
        float(expected_ndcg(jnp.zeros(10), y, 10)) for y in jnp.asarray(test.lists.labels)
    ]
    assert np.mean(random) == pytest.approx(0.70, abs=0.025)
