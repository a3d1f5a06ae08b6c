"""Intervals of the regressor: which rows calibrate them, and what they depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, NUM_ROWS, fit, make_regressor
from reliability import Case, documented
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor, out_of_fold, settings
from mixed_data.estimator.out_of_fold import NUM_FOLDS
from mixed_data.split import find_groups, k_fold

LEARNS = {
    "epochs": 20,
    "batch_size": 16,
    "learning_rate": 0.02,
    "dropout": 0.0,
    "image_dropout": 0.0,
    "target_transform": "log",
}


@pytest.fixture(scope="module")
def calibrated(sales: pd.DataFrame) -> MixedDataRegressor:
    """Give a network that has learned, calibrated on the rows set aside; no test fits it again."""
    return fit(make_regressor(intervals=True, validation_fraction=0.4, members=2, patience=20, **LEARNS), sales)


@pytest.fixture
def without_some(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows of which the first ten are without photos and the next ten without one."""
    table = sales.copy()
    table.loc[:9, ["front", "back"]] = None
    table.loc[10:19, "back"] = None
    return table


def num_scores(regressor: MixedDataRegressor) -> dict[str, int]:
    return {name: len(pattern.scores) for name, pattern in regressor.calibrator_.patterns_.items()}


# Intervals


def test_intervals_hold_the_prediction_and_grow_with_the_coverage(
    calibrated: MixedDataRegressor, without_some: pd.DataFrame
) -> None:
    prediction = calibrated.predict(without_some)
    widths = []
    for coverage in (0.5, 0.8, 0.9):
        intervals = calibrated.predict_interval(without_some, coverage=coverage)
        assert intervals.shape == (NUM_ROWS, 2)
        assert intervals.dtype == np.float64
        assert np.all(intervals[:, 0] <= prediction)
        assert np.all(prediction <= intervals[:, 1])
        assert np.all(intervals > 0)
        widths.append(intervals[:, 1] - intervals[:, 0])
    assert np.all(np.diff(widths, axis=0) > 0)
    np.testing.assert_array_equal(calibrated.predict_interval(without_some), intervals)


def test_only_the_model_that_is_kept_measures_its_fusion(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[object] = []
    monkeypatch.setattr(
        "mixed_data.estimator.mixed_data_regressor.measure_fusion", lambda model, *rows: measured.append(model)
    )
    regressor = fit(make_regressor(intervals=True, validation_fraction=0.0), sales)
    assert len(without_training) == 1 + NUM_FOLDS
    assert measured == [regressor.model_]


OWN_ERRORS = "calibrated by the errors that such rows had, and wider"
LACKING = [
    Case("intervals of rows without any photo", OWN_ERRORS, NO_PHOTOS, "no photos"),
    Case("intervals of rows without any cell", OWN_ERRORS, NO_TABLE, "no table"),
    Case("intervals of rows without photos and cells", OWN_ERRORS, {**NO_PHOTOS, **NO_TABLE}, "nothing"),
]


@documented("Rows that lack something", LACKING)
def test_rows_that_lack_something_have_a_calibration_of_their_own_and_are_less_sure(
    calibrated: MixedDataRegressor, sales: pd.DataFrame, case: Case
) -> None:
    hidden = sales.assign(**case.given)
    _, _, difficulty = calibrated.describe_rows(hidden)
    expected = calibrated.calibrator_.predict(
        calibrated.predict(hidden), difficulty=difficulty, pattern=np.full(NUM_ROWS, case.expected), coverage=0.8
    )
    np.testing.assert_array_equal(calibrated.predict_interval(hidden, coverage=0.8), np.column_stack(expected))
    factors = []
    for table in (sales, hidden):
        lower, upper = calibrated.predict_interval(table, coverage=0.8).T
        factors.append(np.log(upper / lower))
    # The network has learned that the front is worth exp(0.8), and the area as much.
    assert np.all(factors[1] > factors[0])


def test_an_interval_does_not_depend_on_the_other_rows(
    calibrated: MixedDataRegressor, without_some: pd.DataFrame
) -> None:
    together = calibrated.predict_interval(without_some, coverage=0.8)
    for rows in ([0], [15], [71], [71, 3, 15, 3]):
        found = calibrated.predict_interval(without_some.iloc[rows], 0.8)
        np.testing.assert_allclose(found, together[rows], rtol=1e-6)


def test_predict_rows_gives_the_ends_beside_the_prediction(
    calibrated: MixedDataRegressor, without_some: pd.DataFrame
) -> None:
    rows = calibrated.predict_rows(without_some, coverage=0.8)
    assert list(rows) == ["prediction", "lower", "upper", "images_used", "warnings", "level_rows"]
    np.testing.assert_array_equal(rows[["lower", "upper"]], calibrated.predict_interval(without_some, coverage=0.8))
    np.testing.assert_array_equal(rows["prediction"], calibrated.predict(without_some))
    assert rows["images_used"].tolist() == [0] * 10 + [1] * 10 + [2] * 52
    assert list(calibrated.predict_rows(without_some)) == ["prediction", "images_used", "warnings", "level_rows"]


def test_rows_are_described_by_prediction_and_disagreement(
    calibrated: MixedDataRegressor, without_some: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    scaled = np.stack([np.arange(72.0), np.arange(72.0) % 5], axis=1)
    monkeypatch.setattr(calibrated, "predict_members", lambda inputs: scaled)
    _, mean, difficulty = calibrated.describe_rows(without_some)
    np.testing.assert_allclose(mean, scaled.mean(axis=1))
    np.testing.assert_allclose(difficulty[:, 0], scaled.mean(axis=1))
    np.testing.assert_allclose(difficulty[:, 1], np.log(np.abs(scaled[:, 0] - scaled[:, 1]) / 2 + 0.02))


# Which rows calibrate


def test_rows_set_aside_calibrate_as_they_are_and_with_what_each_pattern_lacks_hidden(
    without_some: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = fit(make_regressor(intervals=True, validation_fraction=0.25), without_some)
    (call,) = without_training
    rows = call["validation_rows"]
    assert len(rows) == NUM_ROWS // 4
    num_without = int(np.sum(rows < 10))
    assert num_without > 0
    of_all = len(rows) - num_without
    assert num_scores(regressor) == {"all": of_all, "no photos": len(rows), "no table": of_all, "nothing": len(rows)}
    scale = regressor.calibrator_.target_transformer_
    set_aside = without_some.iloc[rows]
    for name, table in (
        ("all", set_aside[rows >= 10]),
        ("no photos", set_aside.assign(**NO_PHOTOS)),
        ("no table", set_aside[rows >= 10].assign(**NO_TABLE)),
        ("nothing", set_aside.assign(**NO_PHOTOS, **NO_TABLE)),
    ):
        learned = regressor.calibrator_.patterns_[name]
        assert learned.lowest == learned.highest == 0  # so few rows have one width, and their residuals for scores
        residual = np.abs(scale.transform(table["price"]) - scale.transform(regressor.predict(table)))
        np.testing.assert_allclose(learned.scores, np.sort(residual), rtol=1e-5)


def test_from_a_thousand_rows_on_the_rows_set_aside_calibrate(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for few, num_fits, num_rows in ((NUM_ROWS + 1, 1 + NUM_FOLDS, NUM_ROWS), (NUM_ROWS, 1, 8)):
        without_training.clear()
        monkeypatch.setattr(settings, "FEW_ROWS", few)
        options = {"modalities": "tabular", "members": 2, "validation_fraction": None}
        regressor = fit(make_regressor(intervals=True, **options), sales)
        assert len(without_training) == num_fits
        assert num_scores(regressor) == {"all": num_rows}


def test_without_rows_set_aside_each_row_calibrates_by_a_model_that_has_not_seen_its_group(
    without_some: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled = pd.concat([without_some, without_some.assign(area=without_some["area"] + 1)], ignore_index=True)
    held_out: list[np.ndarray] = []
    predicted: list[np.ndarray] = []

    def split(groups: np.ndarray, folds: int, random_state: int) -> Any:
        np.testing.assert_array_equal(groups, find_groups(doubled, make_regressor().schema))
        assert (folds, random_state) == (3, 3)
        parts = k_fold(groups, folds, random_state=random_state)
        held_out.extend(rows for _, rows in parts)
        return parts

    class Calibrator(out_of_fold.IntervalCalibrator):
        def fit(self, target: Any, prediction: Any, *, difficulty: Any, pattern: Any) -> Any:
            """Remember."""
            predicted.extend([np.asarray(target), np.asarray(prediction), np.asarray(pattern)])
            return super().fit(target, prediction, difficulty=difficulty, pattern=pattern)

    monkeypatch.setattr(out_of_fold, "NUM_FOLDS", 3)
    monkeypatch.setattr(out_of_fold, "k_fold", split)
    monkeypatch.setattr(out_of_fold, "IntervalCalibrator", Calibrator)
    regressor = fit(make_regressor(intervals=True, validation_fraction=0, random_state=3), doubled)
    assert len(without_training) == 1 + 3
    for call, rows in zip(without_training[1:], held_out, strict=True):
        assert len(call["target"]) == 2 * NUM_ROWS - len(rows)
        assert call["random_state"] == 3
        with_photos = rows[rows % NUM_ROWS >= 10]
        assert set((with_photos + NUM_ROWS) % (2 * NUM_ROWS)) == set(with_photos)  # both that share their photos
    numbers = {"all": 2 * (NUM_ROWS - 10), "no photos": 2 * NUM_ROWS}
    assert num_scores(regressor) == {**numbers, "no table": numbers["all"], "nothing": numbers["no photos"]}
    target, prediction, pattern = predicted
    for name, number in num_scores(regressor).items():
        of_pattern = [rows[rows % NUM_ROWS >= 10] if number == numbers["all"] else rows for rows in held_out]
        np.testing.assert_array_equal(target[pattern == name], doubled["price"].iloc[np.concatenate(of_pattern)])
    assert np.all(np.isfinite(prediction))


@pytest.mark.parametrize(("target_transform", "log"), [("log", True), ("identity", False)])
def test_intervals_are_on_the_scale_of_the_target(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], target_transform: str, log: bool
) -> None:
    options = {"modalities": "tabular", "members": 1, "validation_fraction": 0.3, "target_transform": target_transform}
    regressor = fit(make_regressor(intervals=True, **options), sales)
    assert regressor.calibrator_.target_transformer_.log_ is log
    lower, upper = regressor.predict_interval(sales, coverage=0.8).T
    prediction = regressor.predict(sales)
    left, right = (prediction / lower, upper / prediction) if log else (prediction - lower, upper - prediction)
    np.testing.assert_allclose(left, right, rtol=1e-4)


# Without intervals


def test_a_regressor_fitted_without_intervals_says_so_and_a_refit_forgets_them(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = make_regressor(intervals=True, validation_fraction=0.3, modalities="tabular", members=1)
    fit(regressor, sales).predict_interval(sales, coverage=0.8)
    assert clone(regressor).intervals
    fit(regressor.set_params(intervals=False), sales)
    for use in (regressor.predict_interval, lambda table: regressor.predict_rows(table, coverage=0.9)):
        with pytest.raises(ValueError, match="fitted with intervals=False"):
            use(sales)
    assert regressor.predict(sales).shape == (NUM_ROWS,)


@pytest.mark.parametrize(("coverage", "message"), [(1.0, "above 0 and below 1"), (0.999, "too few rows")])
def test_a_coverage_that_cannot_be_promised_is_refused(
    calibrated: MixedDataRegressor, sales: pd.DataFrame, coverage: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        calibrated.predict_interval(sales, coverage=coverage)
