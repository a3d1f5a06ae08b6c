"""What a row has: its pattern, hiding a modality, and that what is not there does not reach a prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NO_PHOTOS, NO_TABLE, NUM_ROWS, SCHEMA, fit, make_regressor, network_of
from reliability import Case, documented
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor, out_of_fold
from mixed_data.estimator.out_of_fold import inner_splits, predict_out_of_fold, predict_patterns
from mixed_data.estimator.settings import group_rows
from mixed_data.prediction.missing_patterns import PATTERNS, PHOTO_PATTERN, hide, name_patterns
from mixed_data.preprocessing import Inputs
from mixed_data.schema import Schema


@pytest.fixture(scope="module")
def some(sales: pd.DataFrame) -> pd.DataFrame:
    """Twelve rows; of each three, one is complete but for a cell and a photo, one has no photo, one no cell at all."""
    table = sales[:12].astype({"zipcode": object})
    table.loc[0::3, ["kind", "back"]] = None
    table.loc[1::3, list(NO_PHOTOS)] = None
    table.loc[2::3, list(NO_TABLE)] = None
    table.loc[11, list(NO_PHOTOS)] = None
    return table


EXPECTED = ["all", "no photos", "no table"] * 3 + ["all", "no photos", "nothing"]


def without_price(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="price")


# Patterns


@pytest.mark.parametrize(
    ("modalities", "expected"),
    [
        ("both", EXPECTED),
        ("image", ["all", "no photos", "all"] * 3 + ["all", "no photos", "no photos"]),
        ("tabular", ["all"] * 12),
    ],
)
def test_a_pattern_says_which_of_the_modalities_that_are_read_is_not_there_at_all(
    quick_regressor: MixedDataRegressor, some: pd.DataFrame, modalities: str, expected: list[str]
) -> None:
    assert name_patterns(quick_regressor.read_rows(some), modalities).tolist() == expected


def test_a_regressor_on_photos_alone_knows_two_of_the_patterns() -> None:
    assert PHOTO_PATTERN == {"all": "all", "no photos": "no photos", "no table": "all", "nothing": "no photos"}
    assert list(PATTERNS) == list(PHOTO_PATTERN)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_hiding_gives_the_arrays_of_rows_that_lack_it_up_to_what_is_imputed(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame, pattern: str
) -> None:
    inputs = quick_regressor.read_rows(sales)
    before = {name: array.copy() for name, array in inputs.items()}
    hidden = hide(inputs, pattern)
    lacking = {
        **(NO_PHOTOS if "image" in PATTERNS[pattern] else {}),
        **(NO_TABLE if "tabular" in PATTERNS[pattern] else {}),
    }
    expected = quick_regressor.read_rows(sales.assign(**lacking))
    assert list(hidden) == list(expected)
    for name, array in expected.items():
        assert hidden[name].dtype == array.dtype
        if name != "tabular":
            np.testing.assert_array_equal(hidden[name], array)
        np.testing.assert_array_equal(inputs[name], before[name])
    assert set(name_patterns(hidden, "both")) == {pattern}
    assert hidden.row_warnings == inputs.row_warnings


# Predictions


HIDDEN = [
    Case("rows that have everything", "predicted from photos and columns", expected="all"),
    Case("rows without any photo", "predicted from their columns and a learned vector", expected="no photos"),
    Case("rows without any cell", "predicted from their photos and a learned vector", expected="no table"),
    Case("rows without photos and cells", "predicted alike, from two learned vectors", expected="nothing"),
]


@documented("Rows that lack something", HIDDEN)
def test_hiding_a_modality_equals_a_table_in_which_it_is_missing(
    fitted_regressor: MixedDataRegressor, sales: pd.DataFrame, case: Case
) -> None:
    pattern = case.expected
    photos, cells = ("image" in PATTERNS[pattern], "tabular" in PATTERNS[pattern])
    table = sales.assign(**(NO_PHOTOS if photos else {}), **(NO_TABLE if cells else {}))
    hidden = hide(fitted_regressor.read_rows(sales), pattern)
    scaled, _ = fitted_regressor.describe_inputs(hidden)
    expected = fitted_regressor.target_transformer_.inverse_transform(scaled)
    prediction = fitted_regressor.predict(table)
    np.testing.assert_array_equal(prediction, expected)
    assert np.all(np.isfinite(prediction))
    assert len(np.unique(prediction)) == (1 if pattern == "nothing" else NUM_ROWS)


def test_what_stands_in_the_arrays_of_a_table_that_is_masked_does_not_matter(
    fitted_regressor: MixedDataRegressor, some: pd.DataFrame
) -> None:
    inputs = fitted_regressor.read_rows(some)
    masked = ~inputs["tabular_mask"][:, 0]
    assert masked.tolist() == [name in ("no table", "nothing") for name in EXPECTED]
    other = Inputs({**inputs, "tabular": np.where(masked[:, None], np.float32(1e3), inputs["tabular"])}, [[]] * 12)
    prediction = fitted_regressor.predict_members(inputs)
    np.testing.assert_array_equal(fitted_regressor.predict_members(other), prediction)
    seen = Inputs({**other, "tabular_mask": np.ones((12, 1), bool)}, [[]] * 12)
    changed = fitted_regressor.predict_members(seen) != prediction
    np.testing.assert_array_equal(changed[:, 0], masked)


def test_a_row_without_cells_is_predicted_by_its_photos_and_not_as_the_middle_of_the_training_rows(
    fitted_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    rows = sales.assign(**NO_TABLE)
    prediction = fitted_regressor.predict_rows(rows)
    assert (
        prediction["prediction"][sales["bright"]].median() > 1.3 * prediction["prediction"][~sales["bright"]].median()
    )
    assert prediction["images_used"].tolist() == [2] * NUM_ROWS
    imputed = Inputs({**fitted_regressor.read_rows(rows), "tabular_mask": np.ones((NUM_ROWS, 1), bool)})
    assert not np.any(fitted_regressor.predict_members(imputed)[:, 0] == fitted_regressor.describe_rows(rows)[1])


# Out of fold


@pytest.mark.parametrize("modalities", ["both", "image", "tabular"])
def test_every_row_is_predicted_once_with_each_pattern_that_it_can_have(
    some: pd.DataFrame, without_training: list[dict[str, Any]], modalities: str
) -> None:
    regressor = fit(make_regressor(modalities=modalities, validation_fraction=0), some)
    inputs = regressor.read_rows(some)
    predicted = predict_patterns(regressor, inputs)
    asked = {pattern: frame["row"].tolist() for pattern, frame in predicted.groupby("pattern")}
    every, with_photos = list(range(12)), [0, 2, 3, 5, 6, 8, 9]
    with_cells = [row for row in every if row % 3 != 2]
    of_both = {"all": [0, 3, 6, 9], "no photos": with_cells, "no table": with_photos, "nothing": every}
    assert (
        asked
        == {"both": of_both, "image": {"all": with_photos, "no photos": every}, "tabular": {"all": every}}[modalities]
    )
    for pattern, frame in predicted.groupby("pattern"):
        lacking = hide(inputs, pattern).take(frame["row"].to_numpy())
        scaled = regressor.predict_members(lacking)
        np.testing.assert_array_equal(frame["level"], scaled.mean(axis=1))
        np.testing.assert_allclose(frame["spread"], np.log(scaled.std(axis=1) + 0.02))
        expected = regressor.target_transformer_.inverse_transform(scaled.mean(axis=1))
        np.testing.assert_array_equal(frame["prediction"], expected)


def test_out_of_fold_predictions_are_those_of_a_model_fitted_on_the_other_rows(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(out_of_fold, "NUM_FOLDS", 2)
    rows = pd.concat([sales[:20], sales[:20].assign(area=sales["area"] + 1)], ignore_index=True)  # all photos twice
    target = rows["price"].to_numpy()
    regressor = make_regressor(validation_fraction=0, intervals=True, modalities="tabular", members=2)
    schema = SCHEMA.without_images()
    splits = inner_splits(group_rows(without_price(rows), target, SCHEMA), random_state=5)
    for training_rows, held_out_rows in splits:
        assert sorted([*training_rows, *held_out_rows]) == list(range(40))
        assert set((held_out_rows + 20) % 40) == set(held_out_rows)
    predicted = predict_out_of_fold(regressor, without_price(rows), target, schema, splits)
    assert sorted(predicted["row"]) == list(range(40))
    assert not hasattr(regressor, "model_")
    assert len(without_training) == 2
    alone = clone(regressor).set_params(intervals=False)
    for training_rows, held_out_rows in splits:
        alone.fit(rows.iloc[training_rows], target[training_rows])
        found = predicted.set_index("row")["prediction"].loc[held_out_rows]
        np.testing.assert_allclose(found, alone.predict(rows.iloc[held_out_rows]), rtol=1e-6)


def test_there_are_no_more_folds_than_groups(sales: pd.DataFrame) -> None:
    schema = Schema(target="price", numeric=("area",), group="kind")
    splits = inner_splits(group_rows(without_price(sales), sales["price"].to_numpy(), schema), random_state=0)
    assert [sales["kind"].iloc[rows].nunique() for _, rows in splits] == [1, 1]


# The network


@pytest.mark.parametrize(("modalities", "reads"), [("both", True), ("tabular", False), ("image", False)])
def test_only_a_network_of_both_modalities_knows_rows_without_a_table(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], modalities: str, reads: bool
) -> None:
    network = network_of(fit(make_regressor(modalities=modalities), sales[:20]))
    assert ("tabular_mask" in network.input) is reads
    assert ("tabular_or_missing" in {layer.name for layer in network.layers}) is reads
