"""Folds that are each other's inner folds: who predicts which row, and that a run uses it and goes on after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import SCHEMA, make_regressor
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor, StackedRegressor
from mixed_data.evaluation.finished_fits import KEEP_NOTHING, FinishedFits, Fit
from mixed_data.evaluation.fold_intervals import can_share_folds, predict_held_out, predict_other_folds
from mixed_data.evaluation.held_out_scores import Splits, evaluate_held_out
from mixed_data.evaluation.task_runs import run_by_joblib
from mixed_data.readers import read_table
from mixed_data.runs.train_run import Plan, run_study
from mixed_data.split import k_fold

SETTINGS = {"modalities": "tabular", "members": 2, "validation_fraction": 0.0, "intervals": True}
COLUMNS = SCHEMA.without_images()


class Finished(FinishedFits):
    """A store that knows the first folds, without their models."""

    def __init__(self, num_folds: int) -> None:
        super().__init__()
        self._num_folds = num_folds

    def read(self, name: str, fold: int, rows: Any) -> Fit | None:
        return Fit(pd.DataFrame(), None, 1.0) if fold < self._num_folds else None


@pytest.fixture
def rows(sales: pd.DataFrame) -> pd.DataFrame:
    return sales[:20]


@pytest.fixture
def splits() -> Splits:
    return k_fold(np.arange(20), 5, random_state=3)


def test_each_training_row_of_a_fold_is_predicted_by_a_model_without_it_and_without_what_the_fold_holds_out(
    rows: pd.DataFrame, splits: Splits, without_training: list[dict[str, Any]]
) -> None:
    regressor = make_regressor(**SETTINGS)
    found = predict_other_folds("table", regressor, rows, COLUMNS, splits, KEEP_NOTHING)
    assert len(without_training) == 10, "one fit per two folds"
    target = rows["price"].to_numpy()
    for fold, other in ((0, 1), (1, 0), (2, 4)):
        training_rows, held_out_rows = splits[fold]
        predicted = found[fold].rows.query("pattern == 'all'")
        assert sorted(predicted["row"]) == list(range(len(training_rows)))
        lacking = [*held_out_rows, *splits[other][1]]
        left = np.setdiff1d(np.arange(20), lacking)
        alone = clone(regressor).set_params(schema=COLUMNS, intervals=False).fit(rows.iloc[left], target[left])
        place = {row: number for number, row in enumerate(training_rows)}
        of_other = predicted.set_index("row")["prediction"].loc[[place[row] for row in splits[other][1]]]
        np.testing.assert_allclose(of_other, alone.predict(rows.iloc[splits[other][1]]), rtol=1e-6)


def test_only_what_the_wanted_folds_need_is_fitted(
    rows: pd.DataFrame, splits: Splits, without_training: list[dict[str, Any]]
) -> None:
    regressor = make_regressor(**SETTINGS)
    whole = predict_other_folds("table", regressor, rows, COLUMNS, splits, KEEP_NOTHING)
    without_training.clear()
    some = predict_other_folds("table", regressor, rows, COLUMNS, splits, Finished(3))
    assert len(without_training) == 7
    assert list(some) == [3, 4]
    for fold, lines in some.items():
        pd.testing.assert_frame_equal(lines.rows, whole[fold].rows, check_exact=True)
    assert predict_other_folds("table", regressor, rows, COLUMNS, splits, Finished(5)) == {}
    assert len(without_training) == 7


def test_the_models_of_the_folds_predict_what_they_held_out(
    rows: pd.DataFrame, splits: Splits, without_training: list[dict[str, Any]]
) -> None:
    models = [
        make_regressor(**SETTINGS).set_params(intervals=False).fit(rows.iloc[left], rows["price"].iloc[left])
        for left, _ in splits[:2]
    ]
    found = predict_held_out(models, rows, splits[:2]).query("pattern == 'all'").set_index("row")["prediction"]
    for model, (_, held_out_rows) in zip(models, splits[:2], strict=True):
        np.testing.assert_allclose(found.loc[held_out_rows], model.predict(rows.iloc[held_out_rows]), rtol=1e-6)
    assert len(found) == 8


@pytest.mark.parametrize(
    ("model", "folds", "expected"),
    [
        (MixedDataRegressor(intervals=True), 5, True),
        (MixedDataRegressor(intervals=True), 10, True),
        (MixedDataRegressor(intervals=True), 4, False),  # a model without two of four folds has half of the rows
        (MixedDataRegressor(intervals=True), 11, False),  # 55 fits are no fewer
        (MixedDataRegressor(intervals=False), 5, False),
        (MixedDataRegressor(intervals=True, validation_fraction=0.1), 5, False),  # learned from these rows
        (StackedRegressor(intervals=True), 5, False),  # costs no fit
    ],
)
def test_folds_are_shared_where_that_saves_fits(model: Any, folds: int, expected: bool) -> None:
    assert can_share_folds(model, k_fold(np.arange(100), folds, random_state=0)) is expected


def test_with_many_rows_some_are_set_aside_and_no_folds_are_shared() -> None:
    assert not can_share_folds(MixedDataRegressor(intervals=True), k_fold(np.arange(2000), 5, random_state=0))


def test_a_run_shares_its_folds_and_the_model_of_all_rows_learns_from_theirs(
    listings: Any, without_training: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, schema = read_table(data=listings)
    options = {"units": 8, "members": 2, "validation_fraction": 0.0}
    monkeypatch.setattr("mixed_data.estimator.out_of_fold.predict_out_of_fold", None)  # no inner folds
    fits = count(monkeypatch)
    plan = Plan(networks=["table"], main="table", options=options, folds=5)
    found = run_study(table, schema, plan)
    assert (fits.count(False), fits.count(True)) == (10, 6)
    assert (found.main.rows["lower"] < found.main.rows["upper"]).all()
    residuals = found.final.calibrator_.patterns_["all"].scores
    assert len(residuals) == len(table)
    # Fits that run as tasks, wherever, and are kept in files, come to the same.
    kept = FinishedFits(tmp_path, "table")
    again = run_study(table, schema, plan, fits=kept, run_tasks=run_by_joblib)
    assert (fits.count(False), fits.count(True)) == (20, 12)
    pd.testing.assert_frame_equal(again.predictions, found.predictions, check_exact=True)
    np.testing.assert_array_equal(again.final.calibrator_.patterns_["all"].scores, residuals)


def test_a_resumed_evaluation_fits_what_is_left_and_gives_the_same_intervals(
    rows: pd.DataFrame, splits: Splits, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    regressor = make_regressor(**SETTINGS).set_params(schema=SCHEMA)
    arguments: dict[str, Any] = {"table": rows, "schema": SCHEMA, "splits": splits, "share_folds": True}
    monkeypatch.setattr("mixed_data.evaluation.held_out_scores.NUM_SIMILAR_ROWS", 1)
    whole = evaluate_held_out("table", regressor, **arguments)

    class Fits(FinishedFits):
        """A store that knows the first three folds."""

        def read(self, name: str, fold: int, rows: Any) -> Fit | None:
            of_fold = whole.rows[whole.rows["fold"] == fold]
            return Fit(of_fold, whole.fitted[fold], 1.0) if fold < 3 else None

    fits = count(monkeypatch)
    again = evaluate_held_out("table", regressor, **arguments, fits=Fits())
    assert (fits.count(False), fits.count(True)) == (7, 2)
    pd.testing.assert_frame_equal(again.rows, whole.rows, check_exact=True)


def count(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Note of each fit of a network whether it was to learn intervals."""
    fits: list[bool] = []
    train = MixedDataRegressor._train

    def noted(self: MixedDataRegressor, *arguments: Any) -> Any:
        fits.append(self.intervals)
        return train(self, *arguments)

    monkeypatch.setattr(MixedDataRegressor, "_train", noted)
    return fits
