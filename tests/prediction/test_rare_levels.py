"""Rows of rare levels: how often a level stood in training, what is said of it, and how wide its intervals are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator

from mixed_data.intervals import IntervalCalibrator
from mixed_data.prediction.missing_patterns import hide
from mixed_data.prediction.predicted_rows import RowRegressor
from mixed_data.prediction.rare_levels import find_rare_levels, measure_rarity
from mixed_data.preprocessing import MixedDataPreprocessor, TargetTransformer
from mixed_data.schema import Schema

SCHEMA = Schema(numeric=["area"], categorical=["kind"], codes=["zipcode"])
ZIPCODES = [85255] * 9 + [90011, 10001, 10001, None]
TRAINING = pd.DataFrame({"area": range(13), "kind": ["flat", "house"] * 6 + ["House "], "zipcode": ZIPCODES})
MISSING = {"area": None, "kind": None, "zipcode": None}


@pytest.fixture(scope="module")
def preprocessor() -> MixedDataPreprocessor:
    return MixedDataPreprocessor(SCHEMA).fit(TRAINING)


def rows_of(zipcodes: list[Any], kind: Any = "flat") -> pd.DataFrame:
    return pd.DataFrame({"area": 1.0, "kind": kind, "zipcode": pd.Series(zipcodes, dtype=object)})


# How often.


def test_a_level_is_counted_as_it_is_read_however_it_is_spelled(preprocessor):
    rows = rows_of(["85255", 85255.0, " 85255", 90011, "99999", None])
    counts = preprocessor.transform(rows)["level_counts"]
    assert counts.dtype == np.int64
    assert counts.tolist() == [[6, 9], [6, 9], [6, 9], [6, 1], [6, 0], [6, 1]]
    sizes = TRAINING.assign(kind=["4.10", "4.25"] * 6 + ["4.10"])
    decimals = MixedDataPreprocessor(SCHEMA).fit(sizes).transform(rows_of([85255] * 2).assign(kind=[4.1, "4.250"]))
    assert decimals["level_counts"][:, 0].tolist() == [7, 6]
    kinds = preprocessor.transform(rows_of([85255] * 3).assign(kind=["House", "castle", None]))["level_counts"]
    assert kinds[:, 0].tolist() == [1, 0, 0]  # no kind was missing in training


def test_training_rows_count_themselves(preprocessor):
    counts = preprocessor.transform(TRAINING)["level_counts"]
    assert counts[:, 1].tolist() == [9] * 9 + [1, 2, 2, 1]


def test_rare_levels_are_counted_also_where_they_share_a_feature():
    merged = MixedDataPreprocessor(SCHEMA, min_frequency=3).fit(TRAINING)
    assert merged.transform(rows_of([10001, 90011, 85255, 7]))["level_counts"][:, 1].tolist() == [2, 1, 9, 0]


def test_counts_are_part_of_the_state(preprocessor):
    state = json.loads(json.dumps(preprocessor.get_state()))
    again = MixedDataPreprocessor.from_state(state).transform(TRAINING)
    np.testing.assert_array_equal(again["level_counts"], preprocessor.transform(TRAINING)["level_counts"])
    *_, zipcode = state["tabular"]["columns"]
    assert sum(zipcode["counts"]) + zipcode["num_missing"] == len(TRAINING)


@pytest.mark.parametrize("schema", [Schema(numeric=["area"]), Schema(numeric=["area"], categorical=["same"])])
def test_a_table_without_levels_has_none_to_count(schema):
    table = TRAINING.assign(same="x")
    inputs = MixedDataPreprocessor(schema).fit(table).transform(table)
    assert inputs["level_counts"].shape == (13, 0)
    assert measure_rarity(inputs).tolist() == [0.0] * 13


# As a number.


def test_the_rarest_level_of_a_row_counts_and_a_row_without_cells_is_not_rare(preprocessor):
    rows = rows_of([85255, 90011, 7, 85255]).astype(object)
    rows.loc[3, list(MISSING)] = None
    inputs = preprocessor.transform(rows)
    assert measure_rarity(inputs).tolist() == pytest.approx([1 / 7, 1 / 2, 1, 0])
    assert measure_rarity(hide(inputs, "no table")).tolist() == [0, 0, 0, 0]
    assert measure_rarity(hide(inputs, "no photos")).tolist() == measure_rarity(inputs).tolist()


def test_a_training_row_itself_does_not_count_where_it_is_held_out(preprocessor):
    rarity = measure_rarity(preprocessor.transform(TRAINING), seen=True)
    assert rarity[[0, 9, 10]].tolist() == pytest.approx([1 / 6, 1, 1 / 2])  # of kind, zipcode and zipcode


# In words.


def test_a_warning_names_the_column_and_the_number_of_rows(preprocessor):
    inputs = preprocessor.transform(rows_of([85255, 90011, 10001, 7, None]))
    one = ["zipcode is a level of only 1 training row"]
    assert find_rare_levels(inputs, preprocessor) == [[], one, ["zipcode is a level of only 2 training rows"], [], one]
    assert inputs.row_warnings[4] == ["zipcode is missing: read as a level of its own"]


@pytest.mark.parametrize(("num_frequent", "num_warned"), [(6, 6), (5, 0)])
def test_a_column_of_mostly_rare_levels_gives_no_warning(num_frequent, num_warned):
    table = pd.DataFrame({"plot": [*"abcde", "f", *["g"] * num_frequent]})
    fitted = MixedDataPreprocessor(Schema(categorical=["plot"])).fit(table)
    warned = [text for row in find_rare_levels(fitted.transform(table), fitted) for text in row]
    assert warned == ["plot is a level of only 1 training row"] * num_warned


# In predictions.


class Flat(RowRegressor, BaseEstimator):
    """Predicts 100,000 for every row, and knows how far off that is."""

    modalities = "tabular"

    def __init__(self, noise_of_rare: float) -> None:
        self.noise_of_rare = noise_of_rare

    def fit(self, table: pd.DataFrame) -> Flat:
        self.preprocessor_ = MixedDataPreprocessor(SCHEMA).fit(table)
        self.target_transformer_ = TargetTransformer("log").fit(np.geomspace(1e4, 1e6, len(table)))
        inputs = self.preprocessor_.transform(table)
        is_rare = inputs["level_counts"].min(axis=1) <= 3
        noise = np.where(is_rare, self.noise_of_rare, 0.1) * np.random.default_rng(0).normal(size=len(table))
        rarity = measure_rarity(inputs, seen=True)[:, None]
        prediction, pattern = np.full(len(table), 1e5), ["all"] * len(table)
        self.calibrator_ = IntervalCalibrator("log").fit(
            1e5 * np.exp(noise), prediction, difficulty=rarity, pattern=pattern
        )
        return self

    def describe_rows(self, table: pd.DataFrame) -> tuple[Any, np.ndarray, np.ndarray]:
        inputs = self.preprocessor_.transform(table)
        scaled = self.target_transformer_.transform(np.full(len(table), 1e5))
        return inputs, scaled, measure_rarity(inputs)[:, None]


def market() -> pd.DataFrame:
    """Ten zipcodes of 60 rows, and 120 of one to three."""
    zipcodes = [z for z in range(10_000, 10_010) for _ in range(60)]
    zipcodes += [z for z in range(20_000, 20_120) for _ in range(1 + z % 3)]
    return pd.DataFrame({"area": 1.0, "kind": "flat", "zipcode": zipcodes})


@pytest.mark.parametrize(("noise_of_rare", "low", "high"), [(0.4, 2.0, 6.0), (0.1, 0.8, 1.25)])
def test_intervals_of_rare_levels_are_wider_where_their_errors_are_larger(noise_of_rare, low, high):
    model = Flat(noise_of_rare).fit(market())
    rows = model.predict_rows(rows_of([10_000, 20_001, 99_999]), coverage=0.9)
    frequent, rare, unseen = np.log(rows["upper"] / rows["lower"])
    assert low < rare / frequent < high
    assert low < unseen / frequent < high


def test_predictions_tell_the_rows_of_the_rarest_level_and_warn_of_few():
    rows = Flat(0.1).fit(market()).predict_rows(rows_of([10_000, 20_000, 99_999, None]).set_axis([3, 1, 4, 5]))
    assert list(rows) == ["prediction", "images_used", "warnings", "level_rows"]
    assert rows["level_rows"].dtype == "Int64"
    assert rows["level_rows"].tolist() == [60, 3, 0, 0]
    assert rows["warnings"].tolist()[:2] == ["", "zipcode is a level of only 3 training rows"]
    assert [text.count("zipcode is") for text in rows["warnings"]] == [0, 1, 1, 1]


def test_of_a_table_without_levels_nothing_is_told():
    model = Flat(0.1).fit(market())
    model.preprocessor_ = MixedDataPreprocessor(Schema(numeric=["area"])).fit(market())
    rows = model.predict_rows(rows_of([1, 2]))
    assert list(rows) == ["prediction", "images_used", "warnings"]
    assert rows["warnings"].tolist() == ["", ""]
