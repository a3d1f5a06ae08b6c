"""Boosted trees and kernel machines together: what they learn from, what each counts, and what a row is told."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, SCHEMA, FittedStack, little_work, make_stack
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.stacked_regressor import PHOTOS, StackedRegressor, _learn_weight
from mixed_data.intervals import IntervalCalibrator
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.prediction.rare_levels import measure_rarity
from mixed_data.schema import Schema
from mixed_data.split import find_groups

WEIGHTS = {"all": 0.25, "no photos": 0.75, "no table": 0.125, "nothing": 0.5}
KERNELS = {"all": "mixed", "no photos": "table", "no table": "photos"}


@pytest.fixture
def new_rows(sales: pd.DataFrame) -> pd.DataFrame:
    """Rows that were not in training, two of each pattern: one after the other, in the order of `PATTERNS`."""
    rows = sales[60:68].astype({"zipcode": object}).reset_index(drop=True)
    rows.loc[2:3, list(NO_PHOTOS)] = None
    rows.loc[4:5, list(NO_TABLE)] = None
    rows.loc[6:7, [*NO_PHOTOS, *NO_TABLE]] = None
    return rows


@pytest.fixture
def weighed(fitted_stack: FittedStack) -> StackedRegressor:
    """Give the stack with weights that differ by pattern."""
    stack = copy.copy(fitted_stack.stack)
    stack.weights_ = WEIGHTS
    return stack


def ask(stack: StackedRegressor, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What the trees and the kernel machine, or what stands in for them, say of `new_rows`, transformed."""
    found = stack.machines_.predict(stack.preprocessor_.transform_checked(rows, stack.embedder_))
    told = np.concatenate([found["photos"][:2], found["imputed"][2:4], found["photos"][4:6], found["imputed"][6:]])
    trees = stack.trees_.predict(rows.assign(**{PHOTOS: told}))
    kernel = [found["mixed"][:2], found["table"][2:4], found["photos"][4:6], np.zeros(2)]
    return np.concatenate([trees[:4], *kernel[2:]]), np.concatenate(kernel)


# The answer


def test_the_answer_is_the_weighted_sum_of_trees_and_kernel_machine_by_what_a_row_has(
    weighed: StackedRegressor, new_rows: pd.DataFrame
) -> None:
    trees, kernel = ask(weighed, new_rows)
    share = np.repeat(list(WEIGHTS.values()), 2)
    transformer = weighed.target_transformer_
    assert transformer.log_
    expected = transformer.inverse_transform(share * trees + (1 - share) * kernel)
    np.testing.assert_allclose(weighed.predict(new_rows), expected, rtol=1e-12)
    assert len(np.unique(expected)) == 7  # of two rows without anything, nothing is known
    np.testing.assert_allclose(expected[6:], transformer.inverse_transform([0.0, 0.0]))
    assert np.all(trees[:4] != kernel[:4])
    assert weighed.fusion_weights_ == {"trees": 0.25, "kernel": 0.75}


def test_trees_and_machines_have_learned_the_transformed_target(fitted_stack: FittedStack) -> None:
    stack, price = fitted_stack.stack, fitted_stack.table["price"]
    expected = (np.log(price) - np.log(price).mean()) / np.log(price).std(ddof=0)
    np.testing.assert_allclose(fitted_stack.scaled, expected)
    np.testing.assert_allclose(stack.target_transformer_.transform(price.to_numpy()), expected)
    rows = fitted_stack.table[10:]
    inputs = stack.preprocessor_.transform_checked(rows, stack.embedder_)
    assert inputs["images"].shape == (30, 2, 6)
    found = stack.machines_.predict(inputs)
    for predicted in (found["mixed"], found["photos"], stack.trees_.predict(rows.assign(**{PHOTOS: found["photos"]}))):
        assert np.corrcoef(predicted, expected[10:])[0, 1] > 0.5
    assert stack.feature_names_in_.tolist() == ["area", "kind", "zipcode", "front", "back"]
    assert stack.n_features_in_ == 5


def test_a_row_is_predicted_alike_whatever_comes_with_it(weighed: StackedRegressor, new_rows: pd.DataFrame) -> None:
    together = weighed.predict_rows(new_rows, coverage=0.8)
    for rows in ([0], [3], [4, 7, 4], [7, 6, 5, 4, 3, 2, 1, 0]):
        found = weighed.predict_rows(new_rows.iloc[rows], coverage=0.8)
        pd.testing.assert_frame_equal(found, together.iloc[rows], check_exact=True)
    assert together["images_used"].tolist() == [2, 2, 0, 0, 2, 2, 0, 0]
    assert [bool(text) for text in together["warnings"]] == [False] * 2 + [True] * 6


# What it learns from


def test_no_model_that_predicts_a_row_held_out_has_seen_its_group(fitted_stack: FittedStack) -> None:
    groups = find_groups(fitted_stack.table, SCHEMA)
    assert groups[8] == groups[9]
    np.testing.assert_array_equal(fitted_stack.asked["groups"], groups)
    splits = fitted_stack.asked["splits"]
    assert len(splits) == 2
    for training_rows, held_out_rows in splits:
        assert not set(groups[training_rows]) & set(groups[held_out_rows])
    assert sorted(np.concatenate([rows for _, rows in splits])) == list(range(40))
    assert (fitted_stack.asked["blocks"], fitted_stack.asked["random_state"]) == ((3, 3), 3)


def tell(fitted_stack: FittedStack) -> pd.DataFrame:
    """Training rows with what the photos of each predict held out; of those without, what its columns let expect."""
    held_out = fitted_stack.held_out
    without = np.isin(np.arange(40), [4, 5])
    return fitted_stack.table.assign(**{PHOTOS: np.where(without, held_out["imputed"], held_out["photos"])})


def test_the_trees_learn_what_the_photos_predict_held_out(fitted_stack: FittedStack, new_rows: pd.DataFrame) -> None:
    with little_work():
        expected = fitted_stack.stack._make_trees(SCHEMA).fit(tell(fitted_stack), fitted_stack.scaled)
    assert (expected.num_fits, expected.random_state, expected.extra) == (2, 3, (PHOTOS,))
    asked = new_rows.assign(**{PHOTOS: np.linspace(-1, 1, 8)})
    np.testing.assert_array_equal(fitted_stack.stack.trees_.predict(asked), expected.predict(asked))
    assert np.ptp(expected.predict(new_rows.iloc[[0] * 8].assign(**{PHOTOS: np.linspace(-1, 1, 8)}))) > 0


def test_each_row_is_predicted_held_out_as_it_is_and_as_if_more_were_missing(fitted_stack: FittedStack) -> None:
    predicted, held_out = fitted_stack.predicted, fitted_stack.held_out
    without_photos, without_table, every = {4, 5}, {6, 7}, set(range(40))
    asked = {
        "all": every - without_photos - without_table,
        "no photos": every - without_table,
        "no table": every - without_photos,
        "nothing": every,
    }
    told = tell(fitted_stack)
    imputed = fitted_stack.table.assign(**{PHOTOS: held_out["imputed"]})
    trees = {name: np.empty(40) for name in ("all", "no photos")}
    with little_work():
        for training_rows, rows in fitted_stack.asked["splits"]:
            fit = fitted_stack.stack._make_trees(SCHEMA)
            fit.fit(told.iloc[training_rows], fitted_stack.scaled[training_rows])
            trees["all"][rows] = fit.predict(told.iloc[rows])
            trees["no photos"][rows] = fit.predict(imputed.iloc[rows])
    assert sorted(predicted["pattern"].unique()) == sorted(PATTERNS)
    for pattern, lines in predicted.groupby("pattern"):
        assert sorted(lines["row"]) == sorted(asked[pattern])
        kernel = np.zeros(40) if pattern == "nothing" else held_out[KERNELS[pattern]]
        np.testing.assert_array_equal(lines["kernel"], kernel[lines["row"]])
        np.testing.assert_array_equal(lines["trees"], trees.get(pattern, kernel)[lines["row"]])
    assert np.mean(trees["all"] != trees["no photos"]) > 0.5


def error_of(weight: float, trees: np.ndarray, kernel: np.ndarray, target: np.ndarray) -> float:
    return float(np.mean(np.abs(target - weight * trees - (1 - weight) * kernel)))


def test_the_weights_have_the_smallest_absolute_error_on_what_was_predicted_held_out(fitted_stack: FittedStack) -> None:
    weights = fitted_stack.stack.weights_
    assert sorted(weights) == sorted(PATTERNS)
    for pattern, lines in fitted_stack.predicted.groupby("pattern"):
        members = lines["trees"].to_numpy(), lines["kernel"].to_numpy(), fitted_stack.scaled[lines["row"]]
        errors = [error_of(weight, *members) for weight in np.linspace(0, 1, 1001)]
        assert error_of(weights[pattern], *members) <= min(errors) + 1e-12
    assert weights["no table"] == weights["nothing"] == 0.5
    assert 0.5 not in (weights["all"], weights["no photos"])


@pytest.mark.parametrize("num_rows", [1, 2, 3, 10, 31])
@pytest.mark.parametrize("seed", range(6))
def test_the_learned_weight_is_the_one_that_brute_force_finds(num_rows: int, seed: int) -> None:
    random = np.random.default_rng([seed, num_rows])
    target = random.normal(size=num_rows)
    trees = target + random.normal(0, (0.1, 1, 3)[seed % 3], num_rows)
    kernel = np.where(random.random(num_rows) < 0.2, trees, target + random.normal(0, 1, num_rows))
    target[0] *= 100
    weight = _learn_weight(trees, kernel, target)
    assert 0 <= weight <= 1
    errors = [error_of(each, trees, kernel, target) for each in np.linspace(0, 1, 2001)]
    assert error_of(weight, trees, kernel, target) <= min(errors) + 1e-12


def test_a_member_that_is_always_right_has_all_the_weight_and_two_alike_share_it() -> None:
    target = np.array([1.0, -2.0, 0.5])
    assert _learn_weight(target, target + [1, -2, 3], target) == 1.0
    assert _learn_weight(target + [1, -2, 3], target, target) == 0.0
    assert _learn_weight(target + 1, target + 2, target) == 1.0
    assert _learn_weight(target + 1, target - 1, target) == 0.5
    assert _learn_weight(target + 1, target + 1, target) == 0.5


# Intervals


def test_each_pattern_has_intervals_of_its_own_by_level_disagreement_and_rarity(
    fitted_stack: FittedStack, new_rows: pd.DataFrame
) -> None:
    stack = fitted_stack.stack
    trees, kernel = ask(stack, new_rows)
    share = np.repeat([stack.weights_[pattern] for pattern in PATTERNS], 2)
    rarity = measure_rarity(stack.preprocessor_.transform(new_rows, stack.embedder_))
    assert rarity[:4].min() > 0
    assert not rarity[4:].any()  # rows without cells have no level
    level, disagreement = share * trees + (1 - share) * kernel, np.log(np.abs(trees - kernel) + 0.02)
    difficulty = np.column_stack([level, disagreement, rarity])
    patterns = np.repeat(np.array(list(PATTERNS), dtype=object), 2)
    expected = stack.calibrator_.predict(stack.predict(new_rows), difficulty=difficulty, pattern=patterns, coverage=0.8)
    np.testing.assert_allclose(stack.predict_interval(new_rows, 0.8), np.column_stack(expected), rtol=1e-9)
    numbers = {name: len(pattern.scores) for name, pattern in stack.calibrator_.patterns_.items()}
    assert numbers == {"all": 36, "no photos": 38, "no table": 38, "nothing": 40}


def test_the_intervals_are_calibrated_on_the_weighed_held_out_predictions(fitted_stack: FittedStack) -> None:
    stack, lines = fitted_stack.stack, fitted_stack.predicted
    share = np.array([stack.weights_[pattern] for pattern in lines["pattern"]])
    level = share * lines["trees"] + (1 - share) * lines["kernel"]
    disagreement = np.log(np.abs(lines["trees"] - lines["kernel"]) + 0.02)
    table = fitted_stack.table
    fewest = np.minimum(*(table.groupby(name, dropna=False)["price"].transform("size") for name in ("kind", "zipcode")))
    rarity = np.where(lines["pattern"].isin(["all", "no photos"]), 1 / fewest.to_numpy()[lines["row"]], 0.0)
    expected = IntervalCalibrator("log", random_state=3).fit(
        fitted_stack.table["price"].to_numpy()[lines["row"]],
        stack.target_transformer_.inverse_transform(level.to_numpy()),
        difficulty=np.column_stack([level, disagreement, rarity]),
        pattern=lines["pattern"].to_numpy(dtype=object),
    )
    assert list(stack.calibrator_.patterns_) == list(expected.patterns_)
    for name, learned in stack.calibrator_.patterns_.items():
        np.testing.assert_allclose(learned.scores, expected.patterns_[name].scores, rtol=1e-6)


# As a scikit-learn regressor


def test_it_is_cloned_and_gives_the_same_again(sales: pd.DataFrame) -> None:
    stack = make_stack(random_state=1)
    predictions = []
    with little_work():
        for regressor in (stack, clone(stack)):
            predictions.append(regressor.fit(sales[:16], sales["price"][:16]).predict(sales[24:32]))
    np.testing.assert_array_equal(*predictions)
    assert np.ptp(predictions[0]) > 0
    assert stack.calibrator_ is None
    assert stack.schema is SCHEMA
    assert not hasattr(stack.preprocessor, "images_")
    with pytest.raises(ValueError, match="intervals=False"):
        stack.predict_interval(sales[:2])


def test_a_schema_is_inferred_where_none_is_given(sales: pd.DataFrame) -> None:
    with little_work():
        stack = StackedRegressor(image_weights=None, preprocessor=make_stack().preprocessor)
        stack.fit(sales[:16].drop(columns=["price", "bright"]), sales["price"][:16])
    assert stack.schema is None
    assert set(stack.preprocessor_.schema_.images) == {"front", "back"}
    assert np.isfinite(stack.predict(sales[16:20])).all()


@pytest.mark.parametrize("schema", [SCHEMA.without_images(), SCHEMA.only_images()])
def test_without_columns_and_photos_there_is_nothing_to_stack(sales: pd.DataFrame, schema: Schema) -> None:
    with pytest.raises(ValueError, match="columns and photos"):
        make_stack().set_params(schema=schema).fit(sales, sales["price"])


def test_without_one_row_that_has_both_there_is_nothing_to_learn_weights_from(sales: pd.DataFrame) -> None:
    rows = sales[:12].astype({"zipcode": object, "area": object})
    rows.loc[:5, list(NO_PHOTOS)] = None
    rows.loc[6:, list(NO_TABLE)] = None
    with little_work(), pytest.raises(ValueError, match="rows that have both cells and photos, got none"):
        make_stack().fit(rows, sales["price"][:12])


def test_bad_rows_and_targets_are_refused_before_anything_is_fitted(
    sales: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(MixedDataRegressor, "make_reading")
    price = sales["price"]
    for X, y, message in (
        (sales.to_numpy(), price, "expected a pandas DataFrame"),
        (sales, price[:-1], r"one target per row, \(72,\), got shape \(71,\)"),
        (sales, price.where(sales.index != 3), "row 3"),
        (sales.drop(columns=["area", "back"]), price, "area"),
    ):
        with pytest.raises(ValueError, match=message):
            make_stack().fit(X, y)


def test_an_unfitted_stack_says_so(sales: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError):
        make_stack().predict(sales)
    with pytest.raises(NotFittedError):
        _ = make_stack().fusion_weights_


@pytest.mark.parametrize("num_rows", [2, 3, 5])
def test_few_rows_are_enough(sales: pd.DataFrame, num_rows: int) -> None:
    with little_work():
        stack = make_stack(intervals=True).fit(sales[:num_rows], sales["price"][:num_rows])
    assert np.isfinite(stack.predict(sales[40:44])).all()


def test_a_constant_target_is_predicted(sales: pd.DataFrame) -> None:
    with little_work():
        stack = make_stack(intervals=True).fit(sales[:16], np.full(16, 250_000.0))
    np.testing.assert_allclose(stack.predict(sales[40:44]), 250_000.0)
