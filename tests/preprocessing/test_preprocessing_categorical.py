"""Facts about categories and codes; scikit-learn is the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from preprocessing_helpers import HOUSES, SCHEMA
from reliability import Case, documented
from sklearn.preprocessing import OneHotEncoder

from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema


def one_category(values: Any, **settings: Any) -> tuple[TabularPreprocessor, np.ndarray]:
    table = pd.DataFrame({"x": values})
    preprocessor = TabularPreprocessor(Schema(categorical=["x"]), **settings).fit(table)
    return preprocessor, preprocessor.transform(table)


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("min_frequency", [1, 2, 3])
def test_one_hot_levels_equal_scikit_learn(min_frequency: int) -> None:
    training = list("aaaabbbccdef")
    preprocessor, _ = one_category(training, min_frequency=min_frequency)
    oracle = OneHotEncoder(min_frequency=min_frequency, handle_unknown="infrequent_if_exist", sparse_output=False).fit(
        np.array(training)[:, None]
    )
    new = list("abcdefgz")
    expected = oracle.transform(np.array(new)[:, None])
    np.testing.assert_array_equal(preprocessor.transform(pd.DataFrame({"x": new})), expected)


@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "object", "category", "Int64"])
def test_a_zipcode_is_the_same_level_in_every_dtype(dtype: str) -> None:
    preprocessor = TabularPreprocessor(SCHEMA).fit(HOUSES)
    same = HOUSES.assign(zipcode=HOUSES["zipcode"].astype(dtype))
    features, row_warnings = preprocessor.transform_with_warnings(same)
    np.testing.assert_array_equal(features, preprocessor.transform(HOUSES))
    assert not any("zipcode" in warning for warnings in row_warnings for warning in warnings)


def test_unseen_code_is_other_warned_of_and_known_by_its_longest_prefix() -> None:
    preprocessor = TabularPreprocessor(SCHEMA, min_frequency=2).fit(HOUSES)
    new = HOUSES.iloc[[0, 0, 0, 0]].assign(zipcode=["85299", "92000", "10001", 36372])
    features, row_warnings = preprocessor.transform_with_warnings(new)
    names = preprocessor.get_feature_names_out()
    hot = [[name for name in names[row == 1] if "zipcode" in name] for row in features]
    assert hot == [
        ["zipcode=<other>", "zipcode[:3]=852", "zipcode[:2]=85"],
        ["zipcode=<other>", "zipcode[:3]=<other>", "zipcode[:2]=92"],
        ["zipcode=<other>", "zipcode[:3]=<other>", "zipcode[:2]=<other>"],
        ["zipcode=<other>", "zipcode[:3]=<other>", "zipcode[:2]=<other>"],
    ]
    assert row_warnings == [
        ["zipcode is '85299', not seen in training: read as 'other', but zipcode[:3]=852 is known"],
        ["zipcode is '92000', not seen in training: read as 'other', but zipcode[:2]=92 is known"],
        ["zipcode is '10001', not seen in training: read as 'other'"],
        [],
    ]


def test_by_default_every_level_of_the_training_rows_has_a_feature_and_an_unseen_one_is_none_of_them() -> None:
    preprocessor, features = one_category(["a", "a", "b", "c"])
    assert preprocessor.get_feature_names_out().tolist() == ["x=a", "x=b", "x=c"]
    assert features.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert preprocessor.report_ == []
    features, row_warnings = preprocessor.transform_with_warnings(pd.DataFrame({"x": ["d"]}))
    assert features.tolist() == [[0, 0, 0]]
    assert row_warnings == [["x is 'd', not seen in training: read as none of the known levels"]]


def test_missing_category_is_its_own_level_only_if_training_had_one() -> None:
    missing = pd.DataFrame({"x": [None, np.nan, " "]})
    seen, _ = one_category(["a", "a", "b", "b", "c", None], min_frequency=2)
    features, row_warnings = seen.transform_with_warnings(missing)
    assert seen.get_feature_names_out().tolist() == ["x=a", "x=b", "x=<other>", "x=<missing>"]
    assert features.tolist() == [[0, 0, 0, 1]] * 3
    assert row_warnings == [["x is missing: read as a level of its own"]] * 3
    not_seen, _ = one_category(["a", "a", "b", "b", "c"], min_frequency=2)
    features, row_warnings = not_seen.transform_with_warnings(missing)
    assert features.tolist() == [[0, 0, 1]] * 3
    assert row_warnings == [["x is missing: read as 'other'"]] * 3
    without_rare, _ = one_category(["a", "a", "b", "b"], min_frequency=2)
    features, row_warnings = without_rare.transform_with_warnings(missing)
    assert features.tolist() == [[0, 0]] * 3
    assert row_warnings == [["x is missing: read as none of the known levels"]] * 3


def test_missing_codes_have_one_level_not_one_per_prefix() -> None:
    table = pd.DataFrame({"zipcode": [85255, 85255, 92880, 92880, None, None]})
    preprocessor = TabularPreprocessor(Schema(codes=["zipcode"]), code_prefixes=[2]).fit(table)
    assert preprocessor.get_feature_names_out().tolist() == [
        *["zipcode=85255", "zipcode=92880", "zipcode=<missing>", "zipcode[:2]=85", "zipcode[:2]=92"],
    ]
    assert preprocessor.transform(table)[-1].tolist() == [0, 0, 1, 0, 0]


def test_missing_code_lights_no_prefix() -> None:
    preprocessor = TabularPreprocessor(SCHEMA, min_frequency=2).fit(HOUSES)
    features = preprocessor.transform(HOUSES.iloc[[0]].assign(zipcode=None))
    names = preprocessor.get_feature_names_out()[features[0] == 1]
    assert [name for name in names if "zipcode" in name] == ["zipcode=<other>"]


def test_categories_that_say_nothing_are_dropped_and_named() -> None:
    table = pd.DataFrame(
        {"text": list("abcd"), "same": ["x"] * 4, "none": [None] * 4, "state": ["AZ", "AZ", "CA", "CA"]}
    )
    schema = Schema(categorical=["text", "same", "none"], codes=["state"])
    preprocessor = TabularPreprocessor(schema, min_frequency=2).fit(table)
    assert preprocessor.report_ == [
        "text: every level (4) has fewer than 2 rows: dropped",
        "same: only one level in training ('x'): dropped",
        "none: no value in any training row: dropped",
        "state[:3]: would repeat the whole code: dropped",
        "state[:2]: would repeat the whole code: dropped",
    ]
    assert preprocessor.get_feature_names_out().tolist() == ["state=AZ", "state=CA"]


def test_prefixes_serve_where_no_whole_code_repeats() -> None:
    table = pd.DataFrame({"zipcode": [85255, 85262, 92880, 92677, 36372]})
    schema = Schema(codes=["zipcode"])
    preprocessor = TabularPreprocessor(schema, min_frequency=2, code_prefixes=[2]).fit(table)
    assert preprocessor.get_feature_names_out().tolist() == [
        *["zipcode[:2]=85", "zipcode[:2]=92", "zipcode[:2]=<other>"],
    ]
    features, row_warnings = preprocessor.transform_with_warnings(pd.DataFrame({"zipcode": [85255, 85000]}))
    assert features.tolist() == [[1, 0, 0], [1, 0, 0]]
    assert [len(warnings) for warnings in row_warnings] == [0, 1]


FLAGS = [
    Case("1 or 0 where training had True and False", "a warning that says so", ([True, False], 1),
         "flag is '1', not seen in training, where training had True and False: read as none of the known levels"),
    Case("True or False where training had 1 and 0", "a warning that says so", ([1, 0], True),
         "flag is 'True', not seen in training, where training had 1 and 0: read as none of the known levels"),
    Case("maybe where training had True and False", "a warning", ([True, False], "maybe"),
         "flag is 'maybe', not seen in training: read as none of the known levels"),
]  # fmt: skip


@documented("Cells of a table", FLAGS)
def test_a_truth_value_and_a_number_are_two_labels_and_a_warning_says_which_was_trained(case):
    known, new = case.given
    table = pd.DataFrame({"flag": known * 10})
    preprocessor = TabularPreprocessor(Schema(categorical=["flag"])).fit(table)
    _, warnings = preprocessor.transform_with_warnings(pd.DataFrame({"flag": [known[0], new]}, dtype=object))
    assert warnings == [[], [case.expected]]
    assert preprocessor.transform_with_warnings(pd.DataFrame({"flag": [str(known[0]).lower()]}))[1] == [[]]
