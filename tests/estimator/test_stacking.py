"""A network and trees together: what they learn from, what each counts, and what a row is told."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, SCHEMA, FittedStack, little_work, make_regressor
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from mixed_data.estimator.stacked_regressor import PHOTOS, StackedRegressor
from mixed_data.intervals import IntervalCalibrator
from mixed_data.prediction.missing_patterns import PATTERNS
from mixed_data.schema import Schema
from mixed_data.split import find_groups

WEIGHTS = {"all": (0.25, 0.5), "no photos": (0.0, 0.75), "no table": (1.5, 0.125), "nothing": (0.3, 0.2)}


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
    """Give the stack with weights that differ by pattern; both members count in most."""
    stack = copy.copy(fitted_stack.stack)
    stack.weights_ = WEIGHTS
    return stack


def ask(stack: StackedRegressor, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """What network and trees, or what stands in for them, say of `new_rows` on the transformed scale."""
    seen = stack.photos_.predict(rows)
    trees = stack.trees_.predict(rows.assign(**{PHOTOS: seen}))
    return stack.network_.predict(rows), np.concatenate([trees[:4], seen[4:]])


# The answer


def test_the_answer_is_the_weighted_sum_of_network_and_trees_by_what_a_row_has(
    weighed: StackedRegressor, new_rows: pd.DataFrame
) -> None:
    network, trees = ask(weighed, new_rows)
    of_rows = np.repeat(list(WEIGHTS.values()), 2, axis=0)
    level = of_rows[:, 0] * network + of_rows[:, 1] * trees
    transformer = weighed.target_transformer_
    assert transformer.log_
    np.testing.assert_allclose(weighed.predict(new_rows), transformer.inverse_transform(level), rtol=1e-12)
    assert len(np.unique(network)) == 7  # of two rows without anything, nothing is known
    assert np.all(np.isfinite(level))


def test_both_networks_and_the_trees_have_learned_the_transformed_target(fitted_stack: FittedStack) -> None:
    stack, price = fitted_stack.stack, fitted_stack.table["price"]
    expected = (np.log(price) - np.log(price).mean()) / np.log(price).std(ddof=0)
    np.testing.assert_allclose(fitted_stack.scaled, expected)
    np.testing.assert_allclose(stack.target_transformer_.transform(price.to_numpy()), expected)
    for network, modalities in ((stack.network_, "both"), (stack.photos_, "image")):
        assert network.modalities == modalities
        assert not network.target_transformer_.log_
        assert network.preprocessor_.schema.target == "price"
    assert stack.feature_names_in_.tolist() == ["area", "kind", "zipcode", "front", "back"]
    assert stack.fusion_weights_ == stack.network_.fusion_weights_
    np.testing.assert_array_equal(stack.member_weights_, stack.network_.member_weights_)


def test_a_row_is_predicted_alike_whatever_comes_with_it(weighed: StackedRegressor, new_rows: pd.DataFrame) -> None:
    together = weighed.predict_rows(new_rows, coverage=0.8)
    for rows in ([0], [3], [4, 7, 4], [7, 6, 5, 4, 3, 2, 1, 0]):
        pd.testing.assert_frame_equal(weighed.predict_rows(new_rows.iloc[rows], coverage=0.8), together.iloc[rows])
    assert together["images_used"].tolist() == [2, 2, 0, 0, 2, 2, 0, 0]
    assert [bool(text) for text in together["warnings"]] == [False] * 2 + [True] * 6


# What it learns from


def test_the_weights_are_what_non_negative_least_squares_gives_on_the_out_of_fold_predictions(
    fitted_stack: FittedStack,
) -> None:
    predicted, weights = fitted_stack.predicted, fitted_stack.stack.weights_
    assert sorted(weights) == sorted(PATTERNS)
    without_photos, without_table, every = {4, 5}, {6, 7}, set(range(40))
    asked = {
        "all": every - without_photos - without_table,
        "no photos": every - without_table,
        "no table": every - without_photos,
        "nothing": every,
    }
    for pattern, rows in predicted.groupby("pattern"):
        assert sorted(rows["row"]) == sorted(asked[pattern])
        expected, _ = nnls(rows[["network", "trees"]].to_numpy(), fitted_stack.scaled[rows["row"]])
        np.testing.assert_allclose(weights[pattern], expected, rtol=1e-6, atol=1e-9)
    assert min(weights["all"]) > 0
    assert len(set(weights.values())) == 4


def test_no_model_that_predicts_a_row_out_of_fold_has_seen_its_group(fitted_stack: FittedStack) -> None:
    groups = find_groups(fitted_stack.table, SCHEMA)
    assert groups[8] == groups[9]
    (network, photos) = (arguments for arguments, _ in fitted_stack.out_of_fold)
    assert [arguments[0].modalities for arguments in (network, photos)] == ["both", "image"]
    assert network[4] is photos[4]
    assert len(network[4]) == 2
    held_out = []
    for training_rows, held_out_rows in network[4]:
        assert not set(groups[training_rows]) & set(groups[held_out_rows])
        held_out.extend(held_out_rows)
    assert sorted(held_out) == list(range(40))
    for X, target in ((arguments[1], arguments[2]) for arguments, _ in fitted_stack.out_of_fold):
        pd.testing.assert_frame_equal(X, fitted_stack.table)
        np.testing.assert_array_equal(target, fitted_stack.scaled)


def test_each_row_and_pattern_has_the_predictions_of_both_networks_for_it(fitted_stack: FittedStack) -> None:
    (_, by_network), (_, by_photos) = fitted_stack.out_of_fold
    of_photos = {"all": "all", "no photos": "no photos", "no table": "all", "nothing": "no photos"}
    found = {
        name: frame.set_index(["row", "pattern"])["prediction"]
        for name, frame in (("network", by_network), ("photos", by_photos))
    }
    assert len(fitted_stack.predicted) == len(by_network)
    for line in fitted_stack.predicted.to_dict("records"):
        assert line["network"] == found["network"][line["row"], line["pattern"]]
        assert line[PHOTOS] == found["photos"][line["row"], of_photos[line["pattern"]]]


def told(fitted_stack: FittedStack) -> pd.DataFrame:
    """Training rows with what the photos predict out of fold for each as it is."""
    (_, (_, by_photos)) = fitted_stack.out_of_fold
    as_it_is = by_photos[(by_photos["pattern"] == "no photos") == by_photos["row"].isin([4, 5])].set_index("row")
    return fitted_stack.table.assign(**{PHOTOS: as_it_is["prediction"]})


def test_the_trees_learn_what_the_photos_predict_out_of_fold(fitted_stack: FittedStack, new_rows: pd.DataFrame) -> None:
    with little_work():
        expected = fitted_stack.stack.make_trees().fit(told(fitted_stack), fitted_stack.scaled)
    asked = new_rows.assign(**{PHOTOS: np.linspace(-1, 1, 8)})
    np.testing.assert_array_equal(fitted_stack.stack.trees_.predict(asked), expected.predict(asked))
    assert [trees.random_state for trees in expected.trees_] == [3, 4]
    assert fitted_stack.stack.make_trees().num_fits == 5


def test_trees_predict_each_pattern_out_of_fold_by_what_a_row_of_it_would_be_told(fitted_stack: FittedStack) -> None:
    rows, predicted = told(fitted_stack), fitted_stack.predicted
    for training_rows, held_out_rows in fitted_stack.out_of_fold[0][0][4]:
        with little_work():
            trees = fitted_stack.stack.make_trees().fit(rows.iloc[training_rows], fitted_stack.scaled[training_rows])
        for pattern, lines in predicted[predicted["row"].isin(held_out_rows)].groupby("pattern"):
            asked = fitted_stack.table.iloc[lines["row"]].assign(**{PHOTOS: lines[PHOTOS].to_numpy()})
            expected = lines[PHOTOS] if "tabular" in PATTERNS[pattern] else trees.predict(asked)
            np.testing.assert_array_equal(lines["trees"], expected)


# Intervals


def test_each_pattern_has_intervals_of_its_own_by_level_spread_and_disagreement(
    fitted_stack: FittedStack, new_rows: pd.DataFrame
) -> None:
    stack = fitted_stack.stack
    network, trees = ask(stack, new_rows)
    of_rows = np.repeat([stack.weights_[pattern] for pattern in PATTERNS], 2, axis=0)
    members = stack.network_.predict_members(stack.network_.read_rows(new_rows))
    difficulty = np.column_stack(
        [
            of_rows[:, 0] * network + of_rows[:, 1] * trees,
            np.log(members.std(axis=1) + 0.02),
            np.log(np.abs(network - trees) + 0.02),
        ]
    )
    patterns = np.repeat(np.array(list(PATTERNS), dtype=object), 2)
    expected = stack.calibrator_.predict(stack.predict(new_rows), difficulty=difficulty, pattern=patterns, coverage=0.8)
    np.testing.assert_allclose(stack.predict_interval(new_rows, 0.8), np.column_stack(expected), rtol=1e-9)
    numbers = {name: len(pattern.scores) for name, pattern in stack.calibrator_.patterns_.items()}
    assert (
        numbers
        == fitted_stack.predicted["pattern"].value_counts().to_dict()
        == {
            "all": 36,
            "no photos": 38,
            "no table": 38,
            "nothing": 40,
        }
    )


def test_the_intervals_are_calibrated_on_the_weighed_out_of_fold_predictions(fitted_stack: FittedStack) -> None:
    stack, lines = fitted_stack.stack, fitted_stack.predicted
    members = lines[["network", "trees"]].to_numpy()
    level = np.sum(members * [stack.weights_[pattern] for pattern in lines["pattern"]], axis=1)
    disagreement = np.log(np.abs(members[:, 0] - members[:, 1]) + 0.02)
    expected = IntervalCalibrator("log", random_state=3).fit(
        fitted_stack.table["price"].to_numpy()[lines["row"]],
        stack.target_transformer_.inverse_transform(level),
        difficulty=np.column_stack([level, lines["spread"], disagreement]),
        pattern=lines["pattern"].to_numpy(dtype=object),
    )
    assert list(stack.calibrator_.patterns_) == list(expected.patterns_)
    for name, learned in stack.calibrator_.patterns_.items():
        np.testing.assert_allclose(learned.scores, expected.patterns_[name].scores, rtol=1e-6)
        assert learned.intercept == pytest.approx(expected.patterns_[name].intercept, rel=1e-6)


# Settings and mistakes


def test_it_is_cloned_with_its_network_and_gives_the_same_again(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    stack = StackedRegressor(make_regressor(validation_fraction=0), random_state=1)
    predictions = []
    with little_work():
        for regressor in (stack, clone(stack)):
            predictions.append(regressor.fit(sales[:16], sales["price"][:16]).predict(sales[24:32]))
        assert len(without_training) == 2 * (2 * 2 + 2)
    np.testing.assert_array_equal(*predictions)
    assert stack.calibrator_ is None
    assert stack.network.schema is SCHEMA
    assert not hasattr(stack.network, "model_")
    with pytest.raises(ValueError, match="intervals=False"):
        stack.predict_interval(sales[:2])


@pytest.mark.parametrize("schema", [None, SCHEMA.without_images(), SCHEMA.only_images()])
def test_without_columns_and_photos_there_is_nothing_to_stack(sales: pd.DataFrame, schema: Schema | None) -> None:
    network = make_regressor().set_params(schema=schema)
    with pytest.raises(ValueError, match="columns and photos"):
        StackedRegressor(network).fit(sales, sales["price"])


def test_a_network_of_one_modality_is_refused(sales: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="needs a network of both modalities, got 'tabular'"):
        StackedRegressor(make_regressor(modalities="tabular")).fit(sales, sales["price"])


def test_without_one_row_that_has_both_there_is_nothing_to_learn_weights_from(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    with little_work(), pytest.raises(ValueError, match="rows that have both cells and photos, got none"):
        StackedRegressor(make_regressor()).fit(sales[:12].assign(**NO_PHOTOS), sales["price"][:12])


def test_bad_rows_and_targets_are_refused_before_anything_is_fitted(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    price = sales["price"]
    for X, y, message in (
        (sales.to_numpy(), price, "expected a pandas DataFrame"),
        (sales, price[:-1], r"one target per row, \(72,\), got shape \(71,\)"),
        (sales, price.where(sales.index != 3), "row 3"),
        (sales.drop(columns=["area", "back"]), price, "area"),
    ):
        with pytest.raises(ValueError, match=message):
            StackedRegressor(make_regressor()).fit(X, y)
    assert without_training == []


def test_an_unfitted_stack_says_so(sales: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError):
        StackedRegressor(make_regressor()).predict(sales)
