from dataclasses import replace

import numpy as np
import pytest

from ptde.envs.ranking import Preparation, Queries, make_lists
from ptde.envs.ranking.synthetic import synthetic


def queries(sizes, seed=0):
    draw = np.random.default_rng(seed)
    starts = np.append(0, np.cumsum(sizes))
    rows = starts[-1]
    features = draw.lognormal(size=(rows, 4)).astype(np.float32)
    features[:, 0] = np.arange(rows)  # tells which row it was
    features[:, 3] = 7
    labels = draw.integers(0, 5, rows).astype(np.uint8)
    return Queries(features, labels, np.arange(len(sizes)), starts)


def raw_rows(data, lists):
    """Row numbers of the file, from the prepared first feature."""
    p = data.preparation
    assert not p.logarithmic[0]
    return (lists.features[..., 0] * p.deviation[0] + p.mean[0]).round().astype(int)


def test_lists_are_of_one_query_each_and_no_query_is_in_both_parts():
    parts = [queries([10, 3, 8, 6] * 5), queries([9] * 4, seed=1)]
    data = make_lists("some", parts, docs=6, lists=0, train_share=0.7, seed=3)
    assert len(data.train.labels) + len(data.test.labels) == 19
    assert len(data.train.labels) == 13
    one = make_lists("some", parts[:1], docs=6, lists=0, train_share=0.7, seed=3)
    seen = []
    for lists in (one.train, one.test):
        rows = raw_rows(one, lists)
        assert all(len(set(row)) == 6 for row in rows)
        query = np.searchsorted(parts[0].starts, rows, side="right") - 1
        assert (query == query[:, :1]).all()
        seen.append(set(query[:, 0]))
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == 15


def test_the_seed_decides_everything():
    parts = [queries([10] * 20)]
    a, b, c = (make_lists("x", parts, 5, 12, 0.5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.train.features, b.train.features)
    assert not np.array_equal(a.train.labels, c.train.labels)
    assert len(a.train.labels) == len(a.test.labels) == 6


def test_preparation_is_fitted_on_the_training_part_alone():
    data = make_lists("x", [queries([10] * 40)], 10, 0, 0.5, seed=0)
    assert data.preparation.kept == (0, 1, 2)  # the constant one is dropped
    assert data.preparation.logarithmic == (False, True, True)
    rows = data.train.features.reshape(-1, 3)
    np.testing.assert_allclose(rows.mean(0), 0, atol=0.01)
    np.testing.assert_allclose(rows.std(0), 1, atol=0.02)
    assert abs(data.test.features.reshape(-1, 3).mean(0)).max() > 0.01
    again = Preparation.from_json(data.preparation.to_json())
    assert again == data.preparation


def test_too_few_lists_are_an_error_that_says_how_many_there_are():
    with pytest.raises(
        ValueError, match="has 3 queries with at least 6 documents: 4 lists"
    ):
        make_lists("x", [queries([6, 7, 5, 8])], 6, 4, 0.7, 0)
    with pytest.raises(ValueError, match="0 queries"):
        make_lists("x", [queries([2, 3])], 6, 0, 0.7, 0)


def test_equal_labels_leave_nothing_to_rank():
    part = queries([6] * 10)
    part = Queries(part.features, part.labels * 0, part.ids, part.starts)
    with pytest.raises(ValueError, match="nothing to rank"):
        make_lists("x", [part], 6, 0, 0.7, 0)


def test_in_synthetic_data_the_other_documents_tell_of_ones_own():
    part = synthetic(2000, 10, 20, seed=0)
    x = np.log(part.features[:, :-1]).mean(1).reshape(-1, 10)
    y = part.labels.reshape(-1, 10).astype(float)
    alone = np.corrcoef(x.ravel(), y.ravel())[0, 1]
    against_others = np.corrcoef((x - x.mean(1, keepdims=True)).ravel(), y.ravel())[0, 1]
    assert alone < 0.5 < 0.7 < against_others
    assert np.bincount(part.labels).tolist() == sorted(np.bincount(part.labels))[::-1]
    skew = ((part.features - part.features.mean(0)) ** 3).mean(0)
    assert (skew[:-1] > 10).all()


GOOD = {
    "features": 3,
    "kept": [0, 2],
    "logarithmic": [True, False],
    "mean": [0.0, 1],
    "deviation": [1.0, 2.0],
    "missing": [0, 0.5],
}


def test_a_preparation_is_read():
    assert Preparation.from_json(GOOD).kept == (0, 2)
    assert Preparation.from_json(Preparation.from_json(GOOD).to_json()).mean == (0.0, 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("features", None),
        ("features", "3"),
        ("features", 2),
        ("kept", []),
        ("kept", [2, 0]),
        ("kept", [-1, 2]),
        ("kept", ["0", "2"]),
        ("logarithmic", [1, 0]),
        ("mean", [0.0]),
        ("mean", [float("nan"), 1.0]),
        ("deviation", 7),
        ("missing", [None, 0]),
    ],
)
def test_a_preparation_that_was_damaged_names_its_field(field, value):
    said = "kept" if (field, value) == ("features", 2) else field
    with pytest.raises(ValueError, match=f"field '{said}' is"):
        Preparation.from_json({**GOOD, field: value})


@pytest.mark.parametrize(("missing", "read"), [("zero", 0), ("mean", 3), ("worst", 2)])
def test_what_is_missing_is_read_as_was_asked(missing, read):
    rows = np.array([[2.0, 1.0], [4.0, 2.0], [np.nan, 3.0]])
    preparation = Preparation.fit(rows, missing)
    assert preparation.missing == (
        read,
        0 if missing == "zero" else {"mean": 2}.get(missing, 1),
    )
    made = preparation(rows)
    full = np.where(np.isnan(rows), read, rows)
    np.testing.assert_array_equal(made, preparation(full))
    np.testing.assert_array_equal(made, Preparation.fit(full)(full))
    assert Preparation.from_json(preparation.to_json()) == preparation


def test_missing_values_are_remarked():
    part = queries([10] * 40)
    holes = part.features.copy()
    holes[::7, 1] = np.nan
    count = int(np.isnan(holes).sum())
    part = replace(part, features=holes, missing=count)
    (note,) = make_lists("x", [part], 10, 0, 0.5, 0, "worst").notes
    assert note.startswith(f"{count} values of x are NULL, and are read as its smallest")
    assert make_lists("x", [queries([10] * 40)], 10, 0, 0.5, 0).notes == ()
