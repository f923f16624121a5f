import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from ptde.ops.ranking import drawn_ndcg, expected_ndcg


@pytest.mark.parametrize("k", [1, 3, 5, 10])
def test_ndcg_is_sklearns_with_exponential_gains(k):
    draw = np.random.default_rng(k)
    labels = draw.integers(0, 5, (40, 10))
    scores = draw.integers(0, 10, (40, 10))  # with ties
    labels[0] = 0
    ours = jax.vmap(lambda s, y: expected_ndcg(s, y, k))(scores, labels)
    theirs = [
        ndcg_score([2.0**y - 1], [s], k=k)
        for y, s in zip(labels[1:], scores[1:], strict=True)
    ]
    np.testing.assert_allclose(ours[1:], theirs, rtol=1e-5)
    assert ours[0] == 1  # nothing to order


def test_drawn_ties_are_the_expected_ones_on_average(getkey):
    labels, scores = jnp.array([4, 0, 1, 2]), jnp.array([3, 3, 3, 1])
    keys = jax.random.split(getkey(), 4000)
    drawn = jax.vmap(lambda key: drawn_ndcg(scores, labels, 3, key=key))(keys)
    assert len(np.unique(np.asarray(drawn).round(5))) == 6  # orders of three ties
    np.testing.assert_allclose(drawn.mean(), expected_ndcg(scores, labels, 3), atol=0.01)


def test_the_best_order_has_one_and_the_worst_less(getkey):
    labels = jnp.array([0, 4, 2, 1])
    assert expected_ndcg(labels, labels, 4) == pytest.approx(1)
    assert drawn_ndcg(labels, labels, 4, key=getkey()) == pytest.approx(1)
    assert expected_ndcg(-labels, labels, 4) < 0.6
