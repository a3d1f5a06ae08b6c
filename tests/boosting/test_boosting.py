"""Mean targets of levels, hand-worked, and the trees on them."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from mixed_data.boosting import BoostedTrees, CodeOrder, LevelMeans, make_boosting, make_features
from mixed_data.boosting.tree_features import TreeFeatures
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


def test_numbers_that_are_the_same_in_all_rows_leave_what_the_mean_leaves():
    table, target = make_table()
    schema = Schema(numeric=["area"], codes=["zipcode"])
    means = LevelMeans(schema, numeric=TabularPreprocessor(Schema(numeric=["area"])))
    encoded = means.fit(table.assign(area=7.0), target).transform(table)
    expected = [LevelMeans(CODES).fit(table, values).transform(table) for values in (target, target - target.mean())]
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


# The state of the features


ALL = Schema(numeric=["area"], categorical=["heating"], codes=["zipcode"])
SCHEMAS = [Schema(numeric=["area"]), Schema(categorical=["heating"]), CODES, ALL]


def through_json(state: Any) -> Any:
    return json.loads(json.dumps(state, allow_nan=False))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda schema: "-".join(schema.features))
@pytest.mark.parametrize("settings", [{}, {"code_prefixes": (1,)}, {"code_prefixes": (), "ratios": False}], ids=str)
def test_features_read_from_their_state_are_the_same_to_the_bit(schema: Schema, settings: dict[str, Any]) -> None:
    table, target = make_table()
    tabular = TabularPreprocessor(schema, **settings)
    features = make_features(schema, tabular, random_state=7)
    features.fit_transform(table, target)
    again, width = TreeFeatures(schema, tabular).restore(through_json(features.get_state()))
    new, _ = make_table(40, seed=1)
    new.loc[:3, ["zipcode", "heating"]] = [["99999", "coal"], ["85299", None], [None, "gas"], ["9021", "oil"]]
    expected = features.transform(new)
    np.testing.assert_array_equal(again.transform(new), expected)
    assert width == expected.shape[1]


def test_features_that_are_read_have_codes_with_leading_zeros_and_names_of_any_script() -> None:
    table = pd.DataFrame({"zipcode": ["02139", "02140", "10115"] * 3, "heating": ["Öl", "“gas”", None] * 3})
    schema = Schema(categorical=["heating"], codes=["zipcode"])
    features = make_features(schema, TabularPreprocessor(schema)).fit(table, np.arange(9.0))
    again, _ = TreeFeatures(schema, TabularPreprocessor(schema)).restore(through_json(features.get_state()))
    np.testing.assert_array_equal(again.transform(table), features.transform(table))


def change(state: Any, path: list[Any], value: Any) -> Any:
    """Return a state in which one place holds something else."""
    changed = through_json(state)
    place = changed
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["levelmeans"], None, "expected the parts"),
        (["codeorder"], [1], "'codeorder' must be an object or null"),
        (["other"], {}, "'other' is unknown"),
        (["tabularpreprocessor", "version"], 99, "expected version"),
        (["codeorder", "zipcode"], [85255], "'zipcode' must be a list of texts"),
        (["codeorder", "code"], [], "'code' is unknown"),
        (["levelmeans", "means"], {}, "'means' must be lists of objects"),
        (["levelmeans", "means"], [], "0 sets of means do not fit"),
        (["levelmeans", "means", 0], [], "expected chains of"),
        (["levelmeans", "means", 0, 0, "mean"], None, "'mean' must be a finite number"),
        (["levelmeans", "means", 1, 1, "levels"], [{}], "expected chains of"),
        (["levelmeans", "means", 1, 1, "levels", 2, "85255"], "1", "'85255' must be a finite number"),
        (["levelmeans", "means", 1, 1, "levels", 2, "85255"], True, "'85255' must be a finite number"),
    ],
    ids=str,
)
def test_a_state_that_is_not_of_these_features_is_refused_in_words(path: list[Any], value: Any, message: str) -> None:
    table, target = make_table()
    features = make_features(ALL, TabularPreprocessor(ALL)).fit(table, target)
    with pytest.raises(ValueError, match=message):
        TreeFeatures(ALL, TabularPreprocessor(ALL)).restore(change(features.get_state(), path, value))


def test_a_state_of_another_schema_is_refused() -> None:
    table, target = make_table()
    state = make_features(CODES, TabularPreprocessor(CODES)).fit(table, target).get_state()
    with pytest.raises(ValueError, match="expected the parts"):
        TreeFeatures(ALL, TabularPreprocessor(ALL)).restore(state)


def test_what_is_not_fitted_has_no_state() -> None:
    for unfitted in (LevelMeans(CODES), CodeOrder(CODES)):
        with pytest.raises(ValueError, match="not fitted"):
            unfitted.get_state()


# Trees beside columns that come as they are


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixed_data.boosting.unfitted_boosting.make_boosting", grow_few)


def grow_few(seed: int) -> HistGradientBoostingRegressor:
    return make_boosting(seed).set_params(max_iter=20)


def make_trees(**options: Any) -> BoostedTrees:
    return BoostedTrees(ALL, TabularPreprocessor(ALL), **options)


def test_boosted_trees_are_the_mean_of_fits_that_differ_in_their_seeds(few: None) -> None:
    table, target = make_table()
    told = table.assign(seen=np.sin(np.arange(60)), other=np.arange(60) % 7)
    trees = make_trees(extra=("other", "seen"), num_fits=3, random_state=4).fit(told, target)
    new, _ = make_table(20, seed=1)
    new = new.assign(seen=np.linspace(-1, 1, 20), other=3)
    predictions = []
    assert len(trees.trees_.baselines) == 3
    for seed in (4, 5, 6):
        features = make_features(ALL, TabularPreprocessor(ALL), seed)
        encoded = features.fit_transform(told, target)
        alone = grow_few(seed).fit(np.column_stack([told["other"], told["seen"], encoded]), target)
        predictions.append(alone.predict(np.column_stack([new["other"], new["seen"], features.transform(new)])))
    np.testing.assert_allclose(trees.predict(new), np.mean(predictions, axis=0), rtol=1e-12)
    assert len({prediction.tobytes() for prediction in predictions}) == 3


def test_boosted_trees_predict_each_row_by_itself_and_need_no_extra_columns(few: None) -> None:
    table, target = make_table()
    trees = make_trees(num_fits=1).fit(table, target)
    together = trees.predict(table)
    np.testing.assert_array_equal(trees.predict(table.iloc[[7, 3]]), together[[7, 3]])
    np.testing.assert_array_equal(trees.predict(pd.concat([table] * 40)), np.tile(together, 40))
    assert trees.predict(table[:0]).shape == (0,)
    np.testing.assert_array_equal(deepcopy(trees).fit(table, target).predict(table), together)
    with pytest.raises(ValueError, match="not fitted"):
        make_trees().predict(table)
