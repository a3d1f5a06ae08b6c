"""The regressor: what it learns, what a prediction depends on, and how it behaves in scikit-learn's tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import StackingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from mixed_data import estimator
from mixed_data.estimator import NUM_ROWS_PER_STEP, MixedDataRegressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema, SchemaError

SCHEMA = Schema(target="price", numeric=("area",), categorical=("kind",), codes=("zipcode",), images=("front", "back"))
NUM_ROWS = 72


def make_regressor(**options: Any) -> MixedDataRegressor:
    """Make a small, quick network."""
    settings = {"units": 8, "epochs": 2, "batch_size": 16, "validation_fraction": 0.15, **options}
    return MixedDataRegressor(SCHEMA, preprocessor=MixedDataPreprocessor(SCHEMA, image_size=16), **settings)


def fit(regressor: MixedDataRegressor, table: pd.DataFrame) -> MixedDataRegressor:
    return regressor.fit(table, table["price"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Rows whose log price is what the area says, plus what only the brightness of the front says."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    area = generator.uniform(50, 150, NUM_ROWS).round(1)
    bright = generator.random(NUM_ROWS) < 0.5
    rows = {
        "area": area,
        "kind": generator.choice(["house", "flat"], NUM_ROWS),
        "zipcode": generator.choice([85255, 85266, 90011], NUM_ROWS),
        "front": [draw_photo(folder / f"{row}_front.jpg", generator, bright[row]) for row in range(NUM_ROWS)],
        "back": [draw_photo(folder / f"{row}_back.jpg", generator, bright=None) for row in range(NUM_ROWS)],
        "price": 1e5 * np.exp((area - 100) / 60 + 0.8 * bright),
        "bright": bright,
    }
    return pd.DataFrame(rows)


def draw_photo(path: Path, generator: np.random.Generator, bright: bool | None) -> str:
    base = generator.choice([40, 190]) if bright is None else 190 if bright else 40
    pixels = base + generator.integers(-30, 30, (20, 24, 3))
    Image.fromarray(pixels.astype("uint8")).save(path)
    return str(path)


@pytest.fixture(scope="module")
def fitted(table: pd.DataFrame) -> MixedDataRegressor:
    """A network that has learned what there is to learn; no test fits it again."""
    settings = {"epochs": 20, "patience": 20, "learning_rate": 0.02, "dropout": 0.0, "image_dropout": 0.0}
    return fit(make_regressor(target_transform="log", **settings), table)


@pytest.fixture(scope="module")
def quick(table: pd.DataFrame) -> MixedDataRegressor:
    """A network after two epochs; no test fits it again."""
    return fit(make_regressor(), table)


# What it learns


def test_it_learns_what_only_the_photos_say(fitted: MixedDataRegressor, table: pd.DataFrame) -> None:
    """Take each row with the bright and the dark photos of other rows: the prices differ by exp(0.8) = 2.2."""
    bright = table.assign(front=np.resize(table["front"][table["bright"]], NUM_ROWS))
    dark = table.assign(front=np.resize(table["front"][~table["bright"]], NUM_ROWS))
    ratio = fitted.predict(bright) / fitted.predict(dark)
    assert np.median(ratio) == pytest.approx(np.exp(0.8), rel=0.25)
    assert np.min(ratio) > 1.3


def test_it_learns_what_only_the_table_says(fitted: MixedDataRegressor, table: pd.DataFrame) -> None:
    ratio = fitted.predict(table.assign(area=130.0)) / fitted.predict(table.assign(area=70.0))
    assert np.median(ratio) == pytest.approx(np.e, rel=0.25)
    assert np.min(ratio) > 1.5


def test_score_is_the_coefficient_of_determination(fitted: MixedDataRegressor, table: pd.DataFrame) -> None:
    residual = np.sum((fitted.predict(table) - table["price"]) ** 2)
    expected = 1 - residual / np.sum((table["price"] - table["price"].mean()) ** 2)
    assert fitted.score(table, table["price"]) == pytest.approx(expected)
    assert expected > 0.8


def test_fitted_attributes_say_what_was_learned(fitted: MixedDataRegressor) -> None:
    assert list(fitted.feature_names_in_) == ["area", "kind", "zipcode", "front", "back"]
    assert fitted.n_features_in_ == 5
    assert set(fitted.history_) == {"loss", "val_loss"}
    assert len(fitted.history_["loss"]) == 20
    weights = fitted.model_.get_layer("fusion").fusion_weights()
    assert fitted.fusion_weights_ == {"tabular": weights[0], "image": weights[1]}
    assert sum(weights) == pytest.approx(1)
    assert weights[0] != weights[1]
    assert fitted.target_transformer_.log_


# What a prediction depends on: that row, to the last bit


def test_the_answer_for_a_row_does_not_depend_on_the_other_rows(
    fitted: MixedDataRegressor, table: pd.DataFrame
) -> None:
    together = fitted.predict(table)
    assert len(np.unique(together)) == NUM_ROWS > 2 * NUM_ROWS_PER_STEP
    for row in (0, 1, NUM_ROWS_PER_STEP, NUM_ROWS - 1):
        np.testing.assert_array_equal(fitted.predict(table.iloc[[row]]), together[[row]])
    order = np.random.default_rng(1).permutation(NUM_ROWS)
    for size in (NUM_ROWS, NUM_ROWS_PER_STEP + 1, NUM_ROWS_PER_STEP, 2):
        np.testing.assert_array_equal(fitted.predict(table.iloc[order[:size]]), together[order[:size]])


def test_the_answer_is_the_same_when_a_large_table_is_read_in_parts(
    quick: MixedDataRegressor, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = quick.predict_rows(table)
    monkeypatch.setattr(estimator, "NUM_ROWS_AT_ONCE", 7)
    pd.testing.assert_frame_equal(quick.predict_rows(table), together)


def test_a_loaded_bundle_predicts_the_same_to_the_last_bit(
    fitted: MixedDataRegressor, table: pd.DataFrame, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "bundle")
    loaded = MixedDataRegressor.load(tmp_path / "bundle")
    np.testing.assert_array_equal(loaded.predict(table), fitted.predict(table))
    np.testing.assert_array_equal(loaded.predict(table[3:4]), fitted.predict(table[3:4]))
    assert loaded.model_.jit_compile is fitted.model_.jit_compile is False


def test_columns_are_found_by_name_and_others_ignored(quick: MixedDataRegressor, table: pd.DataFrame) -> None:
    other = table[["back", "zipcode", "front", "kind", "area"]].assign(price_per_area=1.0)
    np.testing.assert_array_equal(quick.predict(other), quick.predict(table))


def test_index_of_the_table_is_kept_and_otherwise_ignored(quick: MixedDataRegressor, table: pd.DataFrame) -> None:
    names = [f"house {row}" for row in range(NUM_ROWS)]
    rows = quick.predict_rows(table.set_axis(names, axis="index"))
    assert rows.index.tolist() == names
    np.testing.assert_array_equal(rows["prediction"], quick.predict(table))
    np.testing.assert_array_equal(quick.predict(table.set_axis([0] * NUM_ROWS, axis="index")), rows["prediction"])


@pytest.mark.parametrize("dtype", ["int64", "float64", "str", "object", "category"])
def test_zipcode_means_the_same_in_every_dtype(quick: MixedDataRegressor, table: pd.DataFrame, dtype: str) -> None:
    np.testing.assert_array_equal(quick.predict(table.astype({"zipcode": dtype})), quick.predict(table))
    with_text = table.assign(zipcode=" " + table["zipcode"].astype(str))
    np.testing.assert_array_equal(quick.predict(with_text), quick.predict(table))


def test_empty_table_is_refused(quick: MixedDataRegressor, table: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="the table has no rows"):
        quick.predict(table[:0])


def test_predict_rows_says_what_each_row_was_made_from(
    quick: MixedDataRegressor, table: pd.DataFrame, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    rows = table[:5].astype({"zipcode": object})
    rows.loc[1, "front"] = str(tmp_path / "nowhere.jpg")
    rows.loc[2, ["front", "back"]] = [None, str(broken)]
    rows.loc[3, "area"] = np.nan
    rows.loc[4, "zipcode"] = "10115"
    result = quick.predict_rows(rows)
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
    np.testing.assert_array_equal(result["prediction"][[0]], quick.predict(table[:1]))


# Seeds and refits


def test_the_same_seed_gives_the_same_predictions_and_a_refit_forgets(
    quick: MixedDataRegressor, table: pd.DataFrame
) -> None:
    other = fit(make_regressor(random_state=1), table[: NUM_ROWS // 2])
    assert not np.any(np.isclose(other.predict(table), quick.predict(table), rtol=1e-6))
    np.random.seed(7)  # noqa: NPY002 - must not matter
    fit(other.set_params(random_state=0), table)
    np.testing.assert_array_equal(other.predict(table), quick.predict(table))
    assert other.history_ == quick.history_


def test_fit_and_predict_leave_alone_what_they_are_given_and_the_global_random_state(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    before = table.copy(deep=True)
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    regressor = fit(make_regressor(modalities="image"), table)
    regressor.predict(table)
    pd.testing.assert_frame_equal(table, before)
    assert regressor.schema is regressor.preprocessor.schema is SCHEMA
    assert not hasattr(regressor.preprocessor, "images_")
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002


# Rows set aside, and the schema (seen without training)


@pytest.fixture
def without_training(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Leave networks as they are built, and return the arguments of `train`, one dict per fit."""
    calls: list[dict[str, Any]] = []

    def remember(model: object, inputs: object, target: object, **arguments: Any) -> dict[str, list[float]]:
        calls.append({"inputs": inputs, "target": target, **arguments})
        return {"loss": [], "val_loss": []}

    monkeypatch.setattr(estimator, "train", remember)
    return calls


def test_rows_set_aside_for_early_stopping_share_nothing_with_training_rows(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    doubled = pd.concat([table, table.assign(area=table["area"] + 1)], ignore_index=True)  # all photos twice
    fit(make_regressor(validation_fraction=0.25), doubled)
    training_rows, validation_rows = (without_training[0][name] for name in ("training_rows", "validation_rows"))
    assert sorted([*training_rows, *validation_rows]) == list(range(2 * NUM_ROWS))
    assert not set(training_rows % NUM_ROWS) & set(validation_rows % NUM_ROWS)
    assert len(validation_rows) == 2 * NUM_ROWS / 4


def test_nothing_is_learned_from_the_rows_set_aside(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = fit(make_regressor(), table)
    training_rows = without_training[0]["training_rows"]
    expected = MixedDataPreprocessor(SCHEMA, image_size=16).fit(table.iloc[training_rows])
    assert regressor.preprocessor_.get_state() == expected.get_state()
    target = without_training[0]["target"][training_rows]
    np.testing.assert_allclose([target.mean(), target.std()], [0, 1], atol=1e-12)


def test_without_a_validation_fraction_all_rows_are_trained_on(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    fit(make_regressor(validation_fraction=0), table)
    assert without_training[0]["training_rows"].tolist() == list(range(NUM_ROWS))
    assert len(without_training[0]["validation_rows"]) == 0


def test_few_rows_are_all_trained_on_and_get_more_image_dropout(
    table: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = []
    for few in (NUM_ROWS + 1, NUM_ROWS):
        monkeypatch.setattr(estimator, "FEW_ROWS", few)
        regressor = fit(make_regressor(validation_fraction=None), table)
        rates.append(regressor.model_.get_layer("cnn_dropout").rate)
    assert [len(call["validation_rows"]) for call in without_training] == [0, 8]
    assert rates == [0.8, 0.6]


def test_options_reach_the_training(table: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    options = {"epochs": 3, "batch_size": 5, "learning_rate": 0.2, "weight_decay": 0.3, "loss": "mse", "patience": 4}
    fit(make_regressor(**options, random_state=6), table)
    assert {name: without_training[0][name] for name in options} == options
    assert without_training[0]["random_state"] == 6


@pytest.mark.parametrize("modalities", ["tabular", "image"])
def test_unimodal_regressor_reads_its_own_columns_only(table: pd.DataFrame, modalities: str) -> None:
    regressor = fit(make_regressor(modalities=modalities, epochs=1), table)
    columns = {"tabular": ["area", "kind", "zipcode"], "image": ["front", "back"]}[modalities]
    assert list(regressor.feature_names_in_) == columns
    assert regressor.fusion_weights_ == {}
    rows = regressor.predict_rows(table[columns])
    np.testing.assert_array_equal(rows["prediction"], regressor.predict(table))
    assert rows["images_used"].tolist() == [0 if modalities == "tabular" else 2] * NUM_ROWS


def test_the_target_column_need_not_be_in_the_table(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    with_target = fit(make_regressor(), table)
    without_target = make_regressor().fit(table.drop(columns="price"), table["price"].to_numpy())
    np.testing.assert_array_equal(with_target.predict(table), without_target.predict(table))
    np.testing.assert_array_equal(*(call["validation_rows"] for call in without_training))


@pytest.mark.parametrize("drop", [[], ["price"]])
def test_without_a_schema_it_is_inferred(
    table: pd.DataFrame, drop: list[str], without_training: list[dict[str, Any]]
) -> None:
    regressor = MixedDataRegressor(units=8).fit(table.drop(columns=drop), table["price"].reset_index(drop=True))
    schema = Schema.infer(table, target="price")
    assert regressor.preprocessor_.schema == schema
    assert schema.images == ("front", "back")
    assert regressor.schema is None
    assert regressor.preprocessor is None


def test_a_column_named_like_a_target_is_no_feature_of_a_target_of_another_name(
    table: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = MixedDataRegressor(units=8).fit(table, np.log(table["price"]).rename("log_price"))
    assert "price" not in regressor.feature_names_in_


# Errors


def test_a_missing_column_is_named(quick: MixedDataRegressor, table: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="area"):
        quick.predict(table.drop(columns="area"))
    with pytest.raises(SchemaError) as caught:
        fit(make_regressor(), table.drop(columns=["kind", "back"]))
    assert len(caught.value.problems) == 2


def test_an_unfitted_regressor_says_so(table: pd.DataFrame, tmp_path: Path) -> None:
    for use in (MixedDataRegressor().predict, MixedDataRegressor().predict_rows, MixedDataRegressor().save):
        with pytest.raises(NotFittedError):
            use(table)
    with pytest.raises(NotFittedError):
        _ = MixedDataRegressor().fusion_weights_


def test_bad_arguments_are_refused(table: pd.DataFrame) -> None:
    price = table["price"]
    for X, y, message in (
        (table.to_numpy(), price, "expected a pandas DataFrame"),
        (table, price[:-1], r"one target per row, \(72,\), got shape \(71,\)"),
        (table, np.stack([price, price], axis=1), r"got shape \(72, 2\)"),
        (table, price.where(table.index != 3), "row 3, column 'price'"),
    ):
        with pytest.raises(ValueError, match=message):
            make_regressor().fit(X, y)
    for options, message in (
        ({"modalities": "photos"}, r"modalities: expected one of \['both', 'tabular', 'image'\], got 'photos'"),
        ({"fusion": "max"}, "fusion: expected one of"),
        ({"image_branch": "vgg"}, "image_branch: expected one of"),
        ({"target_transform": "sqrt"}, "sqrt"),
        ({"validation_fraction": 1.5}, "1.5"),
        ({"epochs": 0, "batch_size": -3}, "epochs must be 1 or more; batch_size must be 1 or more; got"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"image_dropout": 1.0}, r"image_dropout must be in \[0, 1\)"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(make_regressor(**options), table)


# scikit-learn


def test_clone_has_the_same_parameters_and_is_not_fitted(quick: MixedDataRegressor) -> None:
    copy = clone(quick)
    assert not hasattr(copy, "model_")
    parameters = {name: value for name, value in quick.get_params().items() if name != "preprocessor"}
    assert {name: copy.get_params()[name] for name in parameters} == parameters
    copy.set_params(preprocessor__image_size=8, units=3)
    assert quick.preprocessor.image_size == 16


def test_cross_val_score_scores_each_fold(table: pd.DataFrame) -> None:
    regressor = make_regressor(modalities="tabular", epochs=1)
    scores = cross_val_score(regressor, table, table["price"], cv=KFold(2), error_score="raise")
    assert scores.shape == (2,)
    assert np.all(np.isfinite(scores))


def test_grid_search_reaches_the_preprocessor(table: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    grid = {"preprocessor__image_size": [8, 12]}
    search = GridSearchCV(make_regressor(), grid, cv=KFold(2), error_score="raise").fit(table, table["price"])
    size = search.best_params_["preprocessor__image_size"]
    assert search.best_estimator_.model_.input["images"].shape == (None, 2, size, size, 3)
    assert np.ptp(search.cv_results_["mean_test_score"]) > 0


def test_stacking_combines_it_with_others(table: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    estimators = [("mixed", make_regressor()), ("median", DummyRegressor(strategy="median"))]
    stack = StackingRegressor(estimators, LinearRegression(), cv=KFold(2)).fit(table, table["price"])
    alone = stack.named_estimators_["mixed"].predict(table)
    weights = stack.final_estimator_
    np.testing.assert_allclose(
        stack.predict(table),
        weights.intercept_ + alone * weights.coef_[0] + table["price"].median() * weights.coef_[1],
    )


def test_permutation_importance_finds_the_columns_that_matter(fitted: MixedDataRegressor, table: pd.DataFrame) -> None:
    importance = permutation_importance(fitted, table, table["price"], n_repeats=2, random_state=0)
    mean = dict(zip(table.columns, importance.importances_mean, strict=True))
    assert min(mean["area"], mean["front"]) > 0.3
    assert max(mean["kind"], mean["zipcode"], mean["back"]) < 0.15
    assert mean["price"] == mean["bright"] == 0
