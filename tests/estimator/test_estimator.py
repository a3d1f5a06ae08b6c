"""The regressor: what it learns, what a prediction depends on, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NUM_ROWS, SCHEMA, fit, make_regressor, network_of
from sklearn.exceptions import NotFittedError

from mixed_data.estimator import MixedDataRegressor
from mixed_data.network.member_predictions import NUM_ROWS_PER_STEP
from mixed_data.prediction import predicted_rows
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema, SchemaError

# What it learns


def test_it_learns_what_only_the_photos_say(fitted_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    """Take each row with the bright and the dark photos of other rows: the prices differ by exp(0.8) = 2.2."""
    bright = sales.assign(front=np.resize(sales["front"][sales["bright"]], NUM_ROWS))
    dark = sales.assign(front=np.resize(sales["front"][~sales["bright"]], NUM_ROWS))
    ratio = fitted_regressor.predict(bright) / fitted_regressor.predict(dark)
    assert np.median(ratio) == pytest.approx(np.exp(0.8), rel=0.25)
    assert np.min(ratio) > 1.3


def test_it_learns_what_only_the_table_says(fitted_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    ratio = fitted_regressor.predict(sales.assign(area=130.0)) / fitted_regressor.predict(sales.assign(area=70.0))
    assert np.median(ratio) == pytest.approx(np.e, rel=0.25)
    assert np.min(ratio) > 1.5


def test_score_is_the_coefficient_of_determination(fitted_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    residual = np.sum((fitted_regressor.predict(sales) - sales["price"]) ** 2)
    expected = 1 - residual / np.sum((sales["price"] - sales["price"].mean()) ** 2)
    assert fitted_regressor.score(sales, sales["price"]) == pytest.approx(expected)
    assert expected > 0.8


def test_fitted_attributes_say_what_was_learned(fitted_regressor: MixedDataRegressor) -> None:
    assert list(fitted_regressor.feature_names_in_) == ["area", "kind", "zipcode", "front", "back"]
    assert fitted_regressor.n_features_in_ == 5
    assert set(fitted_regressor.history_) == {"loss", "val_loss"}
    assert len(fitted_regressor.history_["loss"]) == 20
    (weights,) = network_of(fitted_regressor).get_layer("fusion").fusion_weights()
    assert fitted_regressor.fusion_weights_ == {"tabular": weights[0], "image": weights[1]}
    assert sum(weights) == pytest.approx(1)
    assert weights[0] != weights[1]
    np.testing.assert_array_equal(fitted_regressor.member_weights_, [weights])
    assert fitted_regressor.embedder_ is None
    assert fitted_regressor.calibrator_ is None
    assert fitted_regressor.target_transformer_.log_


# What a prediction depends on: that row, but for rounding


def test_the_answer_for_a_row_does_not_depend_on_the_other_rows(
    fitted_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    together = fitted_regressor.predict(sales)
    assert len(np.unique(together)) == NUM_ROWS > 2 * NUM_ROWS_PER_STEP
    for row in (0, 1, NUM_ROWS_PER_STEP, NUM_ROWS - 1):
        np.testing.assert_allclose(fitted_regressor.predict(sales.iloc[[row]]), together[[row]], rtol=1e-6)
    order = np.random.default_rng(1).permutation(NUM_ROWS)
    for size in (NUM_ROWS, NUM_ROWS_PER_STEP + 1, NUM_ROWS_PER_STEP, 2):
        some = order[:size]
        np.testing.assert_allclose(fitted_regressor.predict(sales.iloc[some]), together[some], rtol=1e-6)


def test_the_answer_is_the_same_when_a_large_table_is_read_in_parts(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = quick_regressor.predict_rows(sales)
    monkeypatch.setattr(predicted_rows, "NUM_ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(quick_regressor.predict_rows(sales), together)


def test_the_parts_of_a_large_table_are_of_equal_size(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    describe = MixedDataRegressor.describe_rows
    monkeypatch.setattr(
        MixedDataRegressor, "describe_rows", lambda self, rows: describe(self, sizes.append(len(rows)) or rows)
    )
    monkeypatch.setattr(predicted_rows, "NUM_ROWS_AT_ONCE", 20)
    quick_regressor.predict(sales[:41])
    assert sizes == [14, 14, 13]


def test_a_loaded_bundle_predicts_the_same_to_the_last_bit(
    fitted_regressor: MixedDataRegressor, sales: pd.DataFrame, tmp_path: Path
) -> None:
    fitted_regressor.save(tmp_path / "bundle")
    loaded = MixedDataRegressor.load(tmp_path / "bundle")
    np.testing.assert_array_equal(loaded.predict(sales), fitted_regressor.predict(sales))
    np.testing.assert_array_equal(loaded.predict(sales[3:4]), fitted_regressor.predict(sales[3:4]))
    assert loaded.model_.jit_compile is fitted_regressor.model_.jit_compile is False


def test_columns_are_found_by_name_and_others_ignored(quick_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    other = sales[["back", "zipcode", "front", "kind", "area"]].assign(price_per_area=1.0)
    np.testing.assert_array_equal(quick_regressor.predict(other), quick_regressor.predict(sales))


def test_index_of_the_table_is_kept_and_otherwise_ignored(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    names = [f"house {row}" for row in range(NUM_ROWS)]
    rows = quick_regressor.predict_rows(sales.set_axis(names, axis="index"))
    assert rows.index.tolist() == names
    np.testing.assert_array_equal(rows["prediction"], quick_regressor.predict(sales))
    np.testing.assert_array_equal(
        quick_regressor.predict(sales.set_axis([0] * NUM_ROWS, axis="index")), rows["prediction"]
    )


@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "object", "category"])
def test_zipcode_means_the_same_in_every_dtype(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame, dtype: str
) -> None:
    np.testing.assert_array_equal(
        quick_regressor.predict(sales.astype({"zipcode": dtype})), quick_regressor.predict(sales)
    )
    with_text = sales.assign(zipcode=" " + sales["zipcode"].astype(str))
    np.testing.assert_array_equal(quick_regressor.predict(with_text), quick_regressor.predict(sales))


def test_empty_table_is_refused(quick_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="the table has no rows"):
        quick_regressor.predict(sales[:0])


def test_predict_rows_says_what_each_row_was_made_from(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    rows = sales[:5].astype({"zipcode": object})
    rows.loc[1, "front"] = str(tmp_path / "nowhere.jpg")
    rows.loc[2, ["front", "back"]] = [None, str(broken)]
    rows.loc[3, "area"] = np.nan
    rows.loc[4, "zipcode"] = "10115"
    result = quick_regressor.predict_rows(rows)
    assert result["images_used"].tolist() == [2, 1, 0, 2, 2]
    assert result["images_used"].dtype == "int64"
    assert result["prediction"].dtype == "float64"
    assert np.all(np.isfinite(result["prediction"]))
    assert [bool(text) for text in result["warnings"]] == [False, True, True, True, True]
    assert "front: " in result["warnings"][1]
    assert "nowhere.jpg" in result["warnings"][1]
    assert result["warnings"][2].count("; ") == 1
    assert "area" in result["warnings"][3]
    assert "10115" in result["warnings"][4]
    np.testing.assert_allclose(result["prediction"][[0]], quick_regressor.predict(sales[:1]), rtol=1e-6)


# Seeds and refits


def test_the_same_seed_gives_the_same_predictions_and_a_refit_forgets(
    quick_regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    other = fit(make_regressor(random_state=1, epochs=1), sales[: NUM_ROWS // 2])
    assert not np.any(np.isclose(other.predict(sales), quick_regressor.predict(sales), rtol=1e-6))
    np.random.seed(7)  # noqa: NPY002 - must not matter
    fit(other.set_params(random_state=0, epochs=2), sales)
    np.testing.assert_array_equal(other.predict(sales), quick_regressor.predict(sales))
    assert other.history_ == quick_regressor.history_


def test_fit_and_predict_leave_alone_what_they_are_given_and_the_global_random_state(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    before = sales.copy(deep=True)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    regressor = fit(make_regressor(modalities="image"), sales)
    regressor.predict(sales)
    pd.testing.assert_frame_equal(sales, before)
    assert regressor.schema is regressor.preprocessor.schema is SCHEMA
    assert not hasattr(regressor.preprocessor, "images_")
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


# Rows set aside, and the schema (seen without training)


def test_rows_set_aside_for_early_stopping_share_nothing_with_training_rows(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    doubled = pd.concat([sales, sales.assign(area=sales["area"] + 1)], ignore_index=True)  # all photos twice
    fit(make_regressor(validation_fraction=0.25), doubled)
    training_rows, validation_rows = (without_training[0][name] for name in ("training_rows", "validation_rows"))
    assert sorted([*training_rows, *validation_rows]) == list(range(2 * NUM_ROWS))
    assert not set(training_rows % NUM_ROWS) & set(validation_rows % NUM_ROWS)
    assert len(validation_rows) == 2 * NUM_ROWS / 4


def test_nothing_is_learned_from_the_rows_set_aside(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = fit(make_regressor(), sales)
    training_rows = without_training[0]["training_rows"]
    expected = MixedDataPreprocessor(SCHEMA, image_size=16).fit(sales.iloc[training_rows])
    assert regressor.preprocessor_.get_state() == expected.get_state()
    target = without_training[0]["target"][training_rows]
    np.testing.assert_allclose([target.mean(), target.std()], [0, 1], atol=1e-12)


def test_without_a_validation_fraction_all_rows_are_trained_on(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    fit(make_regressor(validation_fraction=0), sales)
    assert without_training[0]["training_rows"].tolist() == list(range(NUM_ROWS))
    assert len(without_training[0]["validation_rows"]) == 0


@pytest.mark.parametrize("modalities", ["tabular", "image"])
def test_unimodal_regressor_reads_its_own_columns_only(sales: pd.DataFrame, modalities: str) -> None:
    regressor = fit(make_regressor(modalities=modalities, epochs=1), sales)
    columns = {"tabular": ["area", "kind", "zipcode"], "image": ["front", "back"]}[modalities]
    assert list(regressor.feature_names_in_) == columns
    assert regressor.fusion_weights_ == {}
    rows = regressor.predict_rows(sales[columns])
    np.testing.assert_array_equal(rows["prediction"], regressor.predict(sales))
    assert rows["images_used"].tolist() == [0 if modalities == "tabular" else 2] * NUM_ROWS


def test_the_target_column_need_not_be_in_the_table(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    with_target = fit(make_regressor(), sales)
    without_target = make_regressor().fit(sales.drop(columns="price"), sales["price"].to_numpy())
    np.testing.assert_array_equal(with_target.predict(sales), without_target.predict(sales))
    np.testing.assert_array_equal(*(call["validation_rows"] for call in without_training))


@pytest.mark.parametrize("drop", [[], ["price"]])
def test_without_a_schema_it_is_inferred(
    sales: pd.DataFrame, drop: list[str], without_training: list[dict[str, Any]]
) -> None:
    regressor = MixedDataRegressor(units=8).fit(sales.drop(columns=drop), sales["price"].reset_index(drop=True))
    schema = Schema.infer(sales, target="price")
    assert regressor.preprocessor_.schema == schema
    assert schema.images == ("front", "back")
    assert regressor.schema is None
    assert regressor.preprocessor is None


def test_a_column_named_like_a_target_is_a_feature_of_a_target_of_another_name(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    rent = (sales["area"] * 3.0).rename("rent")
    assert "price" in MixedDataRegressor(units=8).fit(sales, rent).feature_names_in_
    assert "price" in MixedDataRegressor(units=8).fit(sales, rent.to_numpy()).feature_names_in_
    assert "price" not in MixedDataRegressor(units=8).fit(sales, sales["price"]).feature_names_in_


def test_a_column_that_equals_the_target_under_another_name_is_refused(sales: pd.DataFrame) -> None:
    for y in (sales["price"].to_numpy(), sales["price"].rename("rent"), list(sales["price"])):
        with pytest.raises(SchemaError, match="column 'price' of X equals y; take it out of X"):
            MixedDataRegressor(units=8).fit(sales, y)


# Errors


def test_a_missing_column_is_named(quick_regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="area"):
        quick_regressor.predict(sales.drop(columns="area"))
    with pytest.raises(SchemaError) as caught:
        fit(make_regressor(), sales.drop(columns=["kind", "back"]))
    assert len(caught.value.problems) == 2


def test_an_unfitted_regressor_says_so(sales: pd.DataFrame, tmp_path: Path) -> None:
    for use in (MixedDataRegressor().predict, MixedDataRegressor().predict_rows, MixedDataRegressor().save):
        with pytest.raises(NotFittedError):
            use(sales)
    for name in ("fusion_weights_", "member_weights_"):
        with pytest.raises(NotFittedError):
            getattr(MixedDataRegressor(), name)


def test_bad_arguments_are_refused(sales: pd.DataFrame) -> None:
    price = sales["price"]
    for X, y, message in (
        (sales.to_numpy(), price, "expected a pandas DataFrame"),
        (sales, price[:-1], r"one target per row, \(72,\), got shape \(71,\)"),
        (sales, np.stack([price, price], axis=1), r"got shape \(72, 2\)"),
        (sales, price.where(sales.index != 3), "row 3, column 'price'"),
    ):
        with pytest.raises(ValueError, match=message):
            make_regressor().fit(X, y)
    for options, message in (
        ({"modalities": "photos"}, r"modalities: expected one of \['both', 'image', 'tabular'\], got 'photos'"),
        ({"fusion": "max"}, "fusion: expected one of"),
        ({"image_branch": "vgg"}, "image_branch: expected one of"),
        ({"target_transform": "sqrt"}, "sqrt"),
        ({"validation_fraction": 1.5}, "1.5"),
        ({"epochs": 0, "batch_size": -3}, "batch_size must be 1 or more; epochs must be 1 or more, or None; got"),
        ({"epochs": "3"}, r"epochs must be a whole number, got '3' \(str\)"),
        ({"epochs": 1.5, "units": 4.0}, r"units must be a whole number, got 4.0 \(float\); epochs must be a whole"),
        ({"random_state": None}, "random_state must be a whole number, got None"),
        ({"random_state": np.random.RandomState(0)}, "random_state must be a whole number, got RandomState"),
        ({"flip_average": "no"}, r"flip_average must be True or False, got 'no' \(str\)"),
        ({"dropout": None}, "dropout must be a number, got None"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"image_dropout": 1.0}, r"image_dropout must be in \[0, 1\)"),
        ({"modality_dropout": -0.1}, r"modality_dropout must be in \[0, 1\)"),
        ({"members": 0}, "members must be 1 or more, or None"),
        ({"weight_decay": -1.0, "patience": -1}, "patience must be 0 or more; weight_decay must be 0 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(make_regressor(**options), sales)
    for schema, shown in (({"target": "price"}, r"\{'target': 'price'\} \(dict\)"), ("schema.json", "'schema.json'")):
        with pytest.raises(ValueError, match=f"schema must be a Schema, got {shown}"):
            MixedDataRegressor(schema).fit(sales, price)
