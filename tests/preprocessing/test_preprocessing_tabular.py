"""Facts about the tabular preprocessor as a whole."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from preprocessing_helpers import HOUSES, SCHEMA
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema


def column_of(preprocessor: TabularPreprocessor, features: np.ndarray, name: str) -> np.ndarray:
    return features[:, preprocessor.get_feature_names_out().tolist().index(name)]


@parametrize_with_checks([TabularPreprocessor()])
def test_scikit_learn_contract_holds(estimator: TabularPreprocessor, check: Any) -> None:
    check(estimator)


def test_feature_names_say_column_level_and_prefix() -> None:
    names = TabularPreprocessor(SCHEMA, min_frequency=2, code_prefixes=(3, 2)).fit(HOUSES).get_feature_names_out()
    assert names.tolist() == [
        *["bedrooms", "area", "area=<missing>"],
        *["pool=no", "pool=yes", "pool=<other>", "pool=<missing>"],
        *["zipcode=85255", "zipcode=92880", "zipcode=<other>"],
        *["zipcode[:3]=852", "zipcode[:3]=928", "zipcode[:3]=<other>"],
        *["zipcode[:2]=85", "zipcode[:2]=92", "zipcode[:2]=<other>"],
        "log(area/bedrooms)",
    ]


def test_features_are_float32_and_finite() -> None:
    features = TabularPreprocessor(SCHEMA).fit_transform(HOUSES)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_pandas_output_carries_names_and_index() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).set_output(transform="pandas")
    table = HOUSES.set_index("note")
    features = preprocessor.fit_transform(table)
    assert features.columns.tolist() == preprocessor.get_feature_names_out().tolist()
    assert features.index.tolist() == list("abcdefg")


def test_every_imputed_cell_gives_a_row_warning_also_without_an_indicator() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    new = HOUSES.iloc[[0, 1, 2]].assign(area=["", 2000, "1500"], bedrooms=[3, None, 2])
    features, row_warnings = preprocessor.transform_with_warnings(new)
    assert row_warnings == [["area is missing: imputed 1900"], ["bedrooms is missing: imputed 3"], []]
    assert column_of(preprocessor, features, "bedrooms")[1] == 0.0
    assert column_of(preprocessor, features, "area=<missing>").tolist() == [1, 0, 0]


@pytest.mark.parametrize("method", ["fit", "transform"])
def test_cells_that_are_no_numbers_are_named_together(method: str) -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    bad = HOUSES.assign(area=["abc", 1, "2,4,", np.inf, 3, "1e999", True], bedrooms=["x", *range(6)])
    with pytest.raises(ValueError, match=r"row 0, column 'bedrooms': 'x'; row 0, column 'area': 'abc'") as error:
        getattr(preprocessor, method)(bad)
    assert "; and 1 more; correct or empty them" in str(error.value)
    assert "row 2, column 'area': '2,4,'; row 3, column 'area': inf" in str(error.value)


def test_report_names_every_merged_level_and_the_ratios_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="mixed_data"):
        preprocessor = TabularPreprocessor(SCHEMA, min_frequency=2).fit(HOUSES)
    assert preprocessor.report_ == [
        "pool: 1 level with fewer than 2 rows in 'other': heated",
        "zipcode: 3 levels with fewer than 2 rows in 'other': 36372, 85262, 92677",
        "zipcode[:3]: 2 levels with fewer than 2 rows in 'other': 363, 926",
        "zipcode[:2]: 1 level with fewer than 2 rows in 'other': 36",
        "ratios: log(area/bedrooms)",
    ]
    assert caplog.messages == preprocessor.report_


def test_columns_are_matched_by_name_and_others_are_ignored() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    shuffled = HOUSES[["zipcode", "note", "pool", "area", "bedrooms"]].assign(price=1.0)
    np.testing.assert_array_equal(preprocessor.transform(shuffled), preprocessor.transform(HOUSES))
    assert preprocessor.feature_names_in_.tolist() == ["bedrooms", "area", "pool", "zipcode"]


def test_missing_and_repeated_columns_are_errors_that_name_them() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    twice = pd.concat([HOUSES.drop(columns="pool"), HOUSES["area"]], axis=1)
    with pytest.raises(ValueError, match="column 'pool' is missing; column 'area' is there 2 times"):
        preprocessor.transform(twice)
    with pytest.raises(ValueError, match="expected a pandas DataFrame"):
        preprocessor.transform(np.zeros((2, 4)))


def test_no_features_and_no_rows_give_empty_matrices() -> None:
    assert TabularPreprocessor(Schema(images=["front"])).fit_transform(HOUSES).shape == (7, 0)
    assert TabularPreprocessor(SCHEMA, min_frequency=2).fit(HOUSES).transform(HOUSES.iloc[:0]).shape == (0, 17)
    with pytest.raises(ValueError, match="at least one training row"):
        TabularPreprocessor(SCHEMA).fit(HOUSES.iloc[:0])


def test_settings_may_be_numpy_scalars() -> None:
    settings = {"ratios": np.bool_(False), "code_prefixes": np.array([2])}
    preprocessor = TabularPreprocessor(SCHEMA, min_frequency=np.int64(2), **settings)
    settings = {"ratios": False, "code_prefixes": [2]}
    plain = TabularPreprocessor(SCHEMA, min_frequency=2, **settings)
    assert json.dumps(preprocessor.fit(HOUSES).get_state()) == json.dumps(plain.fit(HOUSES).get_state())


def test_without_a_schema_every_column_of_a_table_or_array_is_numeric() -> None:
    table = pd.DataFrame({"a": ["1", "2", "4"], "b": [5.0, np.nan, 7.0]})
    preprocessor = TabularPreprocessor()
    features = preprocessor.fit_transform(table)
    assert preprocessor.get_feature_names_out().tolist() == ["a", "b", "b=<missing>"]
    np.testing.assert_array_equal(features, preprocessor.fit_transform(table.astype(float).to_numpy()))
    assert preprocessor.get_feature_names_out(["a", "b"]).tolist() == ["a", "b", "b=<missing>"]
    assert not hasattr(preprocessor, "feature_names_in_")


@pytest.mark.parametrize(
    "settings",
    [
        {"log": "always"},
        {"ratios": "no"},
        {"ratios": 1},
        {"min_frequency": 0},
        {"min_frequency": 0.1},
        {"code_prefixes": (0,)},
        {"code_prefixes": (2, 2)},
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any]) -> None:
    (name,) = settings
    with pytest.raises(ValueError, match=f"{name} must be"):
        TabularPreprocessor(SCHEMA, **settings).fit(HOUSES)


def test_it_works_in_a_pipeline_under_cross_validation() -> None:
    pipeline = make_pipeline(TabularPreprocessor(SCHEMA), Ridge())
    table = pd.concat([HOUSES] * 3, ignore_index=True)
    target = table["bedrooms"] * 1.0
    assert cross_val_score(pipeline, table, target, cv=3).min() > 0.5


def test_transform_never_learns() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    before = pickle.dumps(preprocessor)
    preprocessor.transform(HOUSES.assign(area=1e6, zipcode=10001, pool="lagoon"))
    assert pickle.dumps(preprocessor) == before


def test_a_refit_forgets_and_a_clone_is_unfitted() -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES.assign(pool="no", area=range(7)))
    preprocessor.fit(HOUSES)
    assert preprocessor.get_state() == TabularPreprocessor(SCHEMA).fit(HOUSES).get_state()
    with pytest.raises(NotFittedError):
        clone(preprocessor).transform(HOUSES)


def test_fit_and_transform_leave_the_table_as_it_was() -> None:
    table = HOUSES.copy()
    TabularPreprocessor(SCHEMA).fit(table).transform(table)
    pd.testing.assert_frame_equal(table, HOUSES)
