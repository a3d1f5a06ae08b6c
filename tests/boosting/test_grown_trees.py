"""Trees as arrays predict what scikit-learn's do."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from mixed_data.boosting import make_boosting
from mixed_data.boosting.grown_trees import GrownTrees

WIDTH = 5


def make_rows(num_rows: int, seed: int) -> np.ndarray:
    """Rows of which some lack something: the last column is empty in most."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(num_rows, WIDTH)).round(1)
    rows[:, 3] = random.integers(0, 2, num_rows)
    rows[random.random(rows.shape) < (0.0, 0.1, 0.3, 0.5, 0.9)] = np.nan
    return rows


@pytest.fixture(scope="module")
def fits() -> list[HistGradientBoostingRegressor]:
    found = []
    for seed in range(3):
        rows = make_rows(150, seed)
        target = rows[:, 0] + np.isnan(rows[:, 4]) + np.nan_to_num(rows[:, 3]) * 2 + np.isnan(rows[:, 3])
        found.append(make_boosting(seed).set_params(max_iter=25).fit(rows, target))
    return found


def test_they_predict_the_mean_of_the_fits_also_where_something_is_missing(
    fits: list[HistGradientBoostingRegressor],
) -> None:
    rows = make_rows(300, 9)
    rows[0] = np.nan
    expected = np.mean([fit.predict(rows) for fit in fits], axis=0)
    np.testing.assert_allclose(GrownTrees.of(fits).predict(rows), expected, rtol=1e-12, atol=1e-14)
    assert len(np.unique(expected)) > 200


def test_a_row_on_a_threshold_goes_left_as_in_scikit_learn(fits: list[HistGradientBoostingRegressor]) -> None:
    trees = GrownTrees.of(fits)
    rows = np.repeat(make_rows(40, 5), WIDTH, axis=0)
    inner = np.flatnonzero(trees.left != np.arange(len(trees.left)))
    for row, node in zip(rows, inner, strict=False):
        row[trees.feature[node]] = trees.threshold[node]
    expected = np.mean([fit.predict(rows) for fit in fits], axis=0)
    np.testing.assert_allclose(trees.predict(rows), expected, rtol=1e-12, atol=1e-14)


def test_a_split_of_what_is_there_from_what_is_missing_has_a_finite_threshold() -> None:
    rows = np.where(np.arange(60) % 2, np.nan, 1e300)[:, None]
    fit = make_boosting().set_params(max_iter=2, max_features=1.0).fit(rows, np.isnan(rows[:, 0]) * 1.0)
    assert any(np.isinf(tree.nodes["num_threshold"]).any() for (tree,) in fit._predictors)
    trees = GrownTrees.of([fit])
    assert np.isfinite(trees.threshold).all()
    asked = np.array([[np.nan], [1e308], [-1e308]])
    np.testing.assert_allclose(trees.predict(asked), fit.predict(asked), rtol=1e-12)
    assert trees.predict(asked)[0] != trees.predict(asked)[1]


def test_trees_without_a_split_are_their_leaf() -> None:
    fit = make_boosting().set_params(max_iter=2).fit(np.zeros((9, 1)), np.arange(9.0))
    np.testing.assert_allclose(GrownTrees.of([fit, fit]).predict(np.array([[0.0], [np.nan]])), fit.predict([[0.0]] * 2))


def test_a_row_is_predicted_alike_whatever_comes_with_it(fits: list[HistGradientBoostingRegressor]) -> None:
    trees, rows = GrownTrees.of(fits), make_rows(70, 3)
    together = trees.predict(rows)
    for row in range(70):
        assert trees.predict(rows[[row]])[0] == together[row]
    assert trees.predict(rows[:0]).shape == (0,)


def test_they_are_read_as_they_were_written(fits: list[HistGradientBoostingRegressor], tmp_path: Path) -> None:
    trees = GrownTrees.of(fits)
    trees.write(tmp_path / "trees.npz")
    again = GrownTrees.read(tmp_path / "trees.npz", WIDTH)
    for field in fields(trees):
        written, read = getattr(trees, field.name), getattr(again, field.name)
        assert written.dtype == read.dtype
        np.testing.assert_array_equal(read, written)
    np.testing.assert_array_equal(again.predict(make_rows(50, 4)), trees.predict(make_rows(50, 4)))
    with pytest.raises(ValueError, match=r"^trees\.npz: a node asks for a feature that is none of 4"):
        GrownTrees.read(tmp_path / "trees.npz", WIDTH - 1)
