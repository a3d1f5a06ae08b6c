"""Mean targets of levels, hand-worked, and the trees on them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from mixed_data.boosting import LevelMeans, make_boosting, make_features
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.schema import Schema

CODES = Schema(codes=["zipcode"])


def make_table(num_rows: int = 60, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "area": random.uniform(50, 300, num_rows),
            "zipcode": random.choice(["85255", "85266", "90001", "90210"], num_rows),
            "heating": random.choice(["gas", "oil", None], num_rows),
        }
    )
    place = table["zipcode"].map({"85255": 0.0, "85266": 0.2, "90001": 1.0, "90210": 2.0}).to_numpy()
    return table, np.log(table["area"].to_numpy()) + place


def test_a_level_leans_on_the_level_above_it_by_the_smoothing():
    table = pd.DataFrame({"zipcode": ["85255", "85255", "85266", "90001"]})
    means = LevelMeans(CODES, code_prefixes=(2,), smoothing=2.0).fit(table, [1.0, 3.0, 5.0, 7.0])
    of_85 = (1 + 3 + 5 + 2 * 4.0) / (3 + 2)  # the mean of all is 4
    of_85255 = (1 + 3 + 2 * of_85) / (2 + 2)
    np.testing.assert_allclose(means.transform(pd.DataFrame({"zipcode": [85255]})), [[of_85, of_85255]])


def test_an_unseen_code_is_what_its_prefix_is_and_an_unseen_prefix_the_mean_of_all():
    table = pd.DataFrame({"zipcode": ["85255", "85255", "85266", "90001"]})
    means = LevelMeans(CODES, code_prefixes=(2,), smoothing=2.0).fit(table, [1.0, 3.0, 5.0, 7.0])
    of_85 = (1 + 3 + 5 + 2 * 4.0) / (3 + 2)
    encoded = means.transform(pd.DataFrame({"zipcode": ["85299", "10001"]}))
    np.testing.assert_allclose(encoded, [[of_85, of_85], [4.0, 4.0]])


def test_a_training_row_gets_the_means_of_the_other_folds():
    table, target = make_table()
    means = LevelMeans(CODES, random_state=3)
    encoded = means.fit_transform(table, target)
    for others, fold in KFold(5, shuffle=True, random_state=3).split(target):
        expected = LevelMeans(CODES).fit(table.iloc[others], target[others]).transform(table.iloc[fold])
        np.testing.assert_allclose(encoded[fold], expected)
    np.testing.assert_allclose(means.transform(table), LevelMeans(CODES).fit(table, target).transform(table))


def test_a_rows_own_target_does_not_reach_its_own_encoding():
    table, target = make_table()
    changed = target.copy()
    changed[7] += 100.0
    before, after = (LevelMeans(CODES).fit_transform(table, values)[7] for values in (target, changed))
    np.testing.assert_array_equal(before, after)


def test_with_numbers_there_is_a_second_set_for_what_a_ridge_leaves():
    table, target = make_table()
    schema = Schema(numeric=["area"], codes=["zipcode"])
    numeric = TabularPreprocessor(Schema(numeric=["area"]))
    numbers = clone(numeric).fit_transform(table)
    left = target - RidgeCV((0.1, 1.0, 10.0, 100.0)).fit(numbers, target).predict(numbers)
    encoded = LevelMeans(schema, numeric=numeric).fit(table, target).transform(table)
    expected = [LevelMeans(CODES).fit(table, values).transform(table) for values in (target, left)]
    np.testing.assert_allclose(encoded, np.column_stack(expected))


def test_a_missing_cell_is_a_level_of_its_own():
    table = pd.DataFrame({"heating": ["gas", "gas", None, None]})
    means = LevelMeans(Schema(categorical=["heating"]), smoothing=0.0).fit(table, [1.0, 1.0, 5.0, 7.0])
    np.testing.assert_allclose(means.transform(table)[:, 0], [1, 1, 6, 6])


@pytest.mark.parametrize("num_rows", [1, 3, 4])
def test_fewer_rows_than_folds_are_encoded_all_the_same(num_rows):
    table, target = make_table(num_rows)
    assert np.isfinite(LevelMeans(CODES).fit_transform(table, target)).all()


def test_the_features_leave_out_what_the_schema_does_not_have():
    table, target = make_table()
    table["price"] = target
    for schema, width in (
        (Schema(numeric=["area"]), 1),
        (Schema(categorical=["heating"]), 1),
        (CODES, 4),  # two prefixes, the code, and its place in the order
        (Schema(numeric=["area"], categorical=["heating"], codes=["zipcode"]), 1 + 2 * 4 + 1),
    ):
        features = make_features(schema, TabularPreprocessor(schema)).fit(table, target)
        assert features.transform(table).shape == (60, width)


def test_trees_learn_the_places_that_the_means_tell():
    table, target = make_table(200)
    schema = Schema(numeric=["area"], codes=["zipcode"])
    features = make_features(schema, TabularPreprocessor(schema))
    trees = make_boosting().fit(features.fit_transform(table, target), target)
    new, truth = make_table(100, seed=1)
    error = np.abs(trees.predict(features.transform(new)) - truth)
    assert error.mean() < 0.15 * np.abs(truth - target.mean()).mean()
