"""Facts about numeric columns; scikit-learn, SciPy and NumPy are the oracles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import RobustScaler

from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.preprocessing.numeric_column import skewness, smooth_clip
from mixed_data.schema import Schema


def numeric_only(values: Any, **settings: Any) -> tuple[TabularPreprocessor, np.ndarray]:
    table = pd.DataFrame({"x": values})
    preprocessor = TabularPreprocessor(Schema(numeric=["x"]), **settings).fit(table)
    return preprocessor, preprocessor.transform(table)


def test_imputation_and_indicator_equal_simple_imputer() -> None:
    values = np.array([1.0, np.nan, 4.0, 9.0, np.nan, 25.0])
    preprocessor, features = numeric_only(values)
    oracle = SimpleImputer(strategy="median", add_indicator=True).fit_transform(values[:, None])
    assert preprocessor.columns_[0].median == oracle[1, 0] == 6.5
    np.testing.assert_array_equal(features[:, 1], oracle[:, 1].astype(np.float32))


def test_scaling_equals_robust_scaler_under_the_smooth_clip() -> None:
    values = np.random.default_rng(0).normal(50, 20, 200)
    _, features = numeric_only(values)
    scaled = RobustScaler().fit_transform(values[:, None])[:, 0]
    np.testing.assert_allclose(features[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-6, atol=1e-7)


def test_missing_cells_do_not_narrow_the_scale() -> None:
    values = np.r_[np.linspace(0, 10, 11), np.full(50, np.nan)]
    preprocessor, features = numeric_only(values)
    assert preprocessor.columns_[0].scale == RobustScaler().fit(values[:, None]).scale_[0] == 5.0
    assert (features[11:] == [0.0, 1.0]).all()


def test_smooth_clip_is_hand_worked_and_bounded() -> None:
    values = np.array([0.0, 3.0, -4.0, 1e300, -np.inf])
    expected = [0.0, 3 / np.sqrt(2), -4 / (5 / 3), 3.0, -3.0]
    np.testing.assert_allclose(smooth_clip(values), expected, rtol=1e-15)


def test_half_the_range_is_the_scale_where_the_quartiles_coincide() -> None:
    preprocessor, features = numeric_only([0, 0, 0, 0, 0, 0, 0, 1])
    assert preprocessor.columns_[0].scale == 0.5
    assert features[-1, 0] == pytest.approx(2 / np.sqrt(1 + 4 / 9))


def test_log_is_taken_for_skewed_areas_but_not_for_small_counts() -> None:
    generator = np.random.default_rng(0)
    area = generator.lognormal(7, 0.8, 300)
    bathrooms = np.r_[generator.integers(1, 4, 290), np.full(10, 9)]
    table = pd.DataFrame({"area": area, "bathrooms": bathrooms, "loss": -area, "year": 2000 + area / 1e5})
    preprocessor = TabularPreprocessor().fit(table)
    assert min(stats.skew(area), stats.skew(bathrooms)) > 1
    assert [column.name for column in preprocessor.columns_ if column.log_above is not None] == [
        "area",
        "year",
    ]
    assert "area: on a logarithmic scale" in preprocessor.report_[0]
    assert all(column.log_above is None for column in TabularPreprocessor(log="never").fit(table).columns_)


def test_log_is_not_taken_for_mild_skewness() -> None:
    values = np.random.default_rng(0).gamma(9, 1, 300)
    assert 0.3 < stats.skew(values) < 1
    assert numeric_only(values)[0].columns_[0].log_above is None


def test_rounding_noise_is_no_information() -> None:
    assert numeric_only([0.1 + 0.2, 0.3] * 5)[1].shape == (10, 0)


def test_log_is_not_taken_where_it_makes_things_worse() -> None:
    values = np.r_[np.random.default_rng(0).exponential(1, 200) + 1, 1e-30]
    assert stats.skew(values) > 1
    assert numeric_only(values)[0].columns_[0].log_above is None


def test_logged_column_is_the_robustly_scaled_log() -> None:
    values = np.random.default_rng(1).lognormal(7, 1, 201)
    _, features = numeric_only(values)
    scaled = RobustScaler().fit_transform(np.log(values)[:, None])[:, 0]
    np.testing.assert_allclose(features[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-5, atol=1e-6)


def test_below_the_training_range_a_log_continues_as_its_tangent_with_a_warning_from_zero_on() -> None:
    values = np.random.default_rng(1).lognormal(7, 1, 201)
    preprocessor, _ = numeric_only(values)
    least, column = values.min(), preprocessor.columns_[0]
    new = pd.DataFrame({"x": [least, least / 2, 0.0, -5.0]})
    features, row_warnings = preprocessor.transform_with_warnings(new)
    assert (np.diff(features[:, 0]) < 0).all()
    expected = (np.log(least) - 0.5 - np.log(column.median)) / column.scale
    assert features[1, 0] == pytest.approx(expected / np.sqrt(1 + (expected / 3) ** 2), rel=1e-6)
    assert [len(warnings) for warnings in row_warnings] == [0, 0, 1, 1]
    assert "x is -5, but was positive in training" in row_warnings[3][0]


@pytest.mark.parametrize("shape", ["skewed", "symmetric"])
def test_skewness_equals_scipy(shape: str) -> None:
    values = np.random.default_rng(2).exponential(3, 100)
    values = values if shape == "skewed" else np.r_[values, -values]
    assert skewness(values) == pytest.approx(stats.skew(values), abs=1e-12)
    assert skewness(np.full(10, 0.1)) == skewness(np.zeros(3)) == 0.0
    assert skewness(values * 1e300) == pytest.approx(stats.skew(values), abs=1e-12)


def test_constant_and_empty_columns_are_dropped_and_named() -> None:
    table = pd.DataFrame({"one": [0.1] * 10, "none": [None] * 10, "gap": [None] + [7] * 9, "x": range(10)})
    preprocessor = TabularPreprocessor(Schema(numeric=list(table))).fit(table)
    assert preprocessor.get_feature_names_out().tolist() == ["gap=<missing>", "x"]
    assert preprocessor.report_ == [
        "one: the same value in every training row (0.1): dropped",
        "none: no value in any training row: dropped",
        "gap: the same value in every training row (7): only whether it is missing is kept",
    ]
    assert preprocessor.transform(table).shape == (10, 2)
