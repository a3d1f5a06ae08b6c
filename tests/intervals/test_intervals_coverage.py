"""The table that tells where intervals keep their promise: hand-worked cases, and the houses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from intervals_helpers import labels, simulate
from sklearn.linear_model import Ridge

from mixed_data.intervals import IntervalCalibrator, coverage_table, value_bands
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.readers import READERS
from mixed_data.split import find_groups, k_fold


def test_coverage_table_of_a_hand_worked_case():
    table = coverage_table(
        target=[100.0, 200.0, 300.0, 400.0],
        prediction=[100.0, 100.0, 200.0, 400.0],
        lower=[90.0, 80.0, 150.0, 350.0],
        upper=[110.0, 120.0, 300.0, 390.0],
        by={"photos": [4, 0, 4, 0], "zipcode": ["a", "a", None, "a"]},
    )
    assert table.columns.tolist() == ["by", "group", "n", "coverage", "mean_relative_width", "median_width"]
    assert table.iloc[0].tolist() == ["all", "all", 4, 50.0, pytest.approx((20 + 40 + 75 + 10) / 4), 40.0]
    photos = table[table["by"] == "photos"].to_numpy().tolist()
    assert photos == [["photos", "0", 2, 0.0, 25.0, 40.0], ["photos", "4", 2, 100.0, 47.5, 85.0]]
    assert table[table["by"] == "zipcode"]["n"].tolist() == [3, 1]
    assert table["by"].unique().tolist() == ["all", "prediction", "target", "photos", "zipcode"]


def test_coverage_table_bands_prediction_and_target_by_quintiles():
    rows = simulate(500, seed=0)
    table = coverage_table(rows["target"], rows["prediction"], rows["prediction"] * 0.9, rows["prediction"] * 1.1)
    for name in ("prediction", "target"):
        part = table[table["by"] == name]
        assert part["n"].tolist() == [100] * 5
        quintile = pd.qcut(rows[name], 5, labels=False)
        hit = np.abs(rows["target"] / rows["prediction"] - 1) <= 0.1
        np.testing.assert_allclose(part["coverage"], [100 * hit[quintile == k].mean() for k in range(5)])
    np.testing.assert_allclose(table["mean_relative_width"], 20.0)


def test_a_relative_width_that_is_not_defined_is_nan_and_only_in_its_groups():
    table = coverage_table([1.0, 1.0], [0.0, -2.0], [0.0, -3.0], [1.0, 1.0], by={"row": ["first", "second"]})
    widths = table.set_index("group")["mean_relative_width"]
    assert math.isnan(widths["all"])
    assert math.isnan(widths["first"])
    assert widths["second"] == 200


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": []}, "at least one row"),
        ({"lower": [1.0]}, r"lower must have shape \(2,\)"),
        ({"upper": [1.0, np.inf]}, "upper must be finite numbers, but are not in row 1"),
        ({"by": {"photos": [1]}}, r"by\['photos'\] must have shape \(2,\), one label per row, got \(1,\)"),
    ],
)
def test_coverage_table_refuses_unusable_arguments_by_name(changed, message):
    arguments = {"target": [1.0, 2.0], "prediction": [1.0, 2.0], "lower": [0.0, 1.0], "upper": [2.0, 3.0]}
    with pytest.raises(ValueError, match=message):
        coverage_table(**{**arguments, **changed})


def test_bands_hold_equal_numbers_sort_in_order_and_keep_equal_values_together():
    values = np.random.default_rng(0).permutation(np.arange(1200.0))
    bands = value_bands(values, 12)
    assert np.unique(bands, return_counts=True)[1].tolist() == [100] * 12
    assert (np.argsort(np.argsort(values)) // 100 == np.unique(bands, return_inverse=True)[1]).all()
    assert value_bands([7.0, 7.0, 7.0]).tolist() == ["1: 7"] * 3
    assert value_bands([1.0, 1.0, 1.0, 9.0], 2).tolist() == ["1: 1 to 9"] * 4
    expected = ["1: 1,000 to 123,000", "1: 1,000 to 123,000", "2: 123,000 to 9,000,000"]
    assert value_bands([1_000.0, 123_456.0, 9_000_000.0], 2).tolist() == expected


# The houses


def test_intervals_keep_their_promise_on_held_out_houses(houses_root: Path):
    table, schema = READERS["houses"](houses_root)
    groups, price = find_groups(table, schema), table["price"].to_numpy(dtype=float)
    preprocessor = TabularPreprocessor(schema.without_images())

    def predict_houses(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        preprocessor.fit(table.iloc[train])
        model = Ridge(3.0).fit(preprocessor.transform(table.iloc[train]), np.log(price[train]))
        return np.exp(model.predict(preprocessor.transform(table.iloc[test])))

    ends = np.empty((2, len(table)))
    for train, test in k_fold(groups, 5, random_state=20):
        unseen = np.empty(len(train))
        for fitted, left_out in k_fold(groups[train], 5, random_state=20):
            unseen[left_out] = predict_houses(train[fitted], train[left_out])
        prediction = predict_houses(train, test)
        calibrator = IntervalCalibrator().fit(
            price[train], unseen, difficulty=np.log(unseen)[:, None], pattern=labels(len(train))
        )
        assert calibrator.target_transformer_.log_
        ends[:, test] = calibrator.predict(
            prediction, difficulty=np.log(prediction)[:, None], pattern=labels(len(test))
        )
    found = coverage_table(price, ends.mean(axis=0), *ends, by={"photos": np.full(len(table), 4)}).iloc[0]
    assert found["n"] == 535
    assert 88 <= found["coverage"] <= 92
