"""The regressor over a frozen backbone, here with random weights."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from estimator_helpers import NUM_ROWS, SCHEMA, fit, make_eye
from sklearn.base import clone

from mixed_data.estimator import MixedDataRegressor, network_fit, photo_backbones
from mixed_data.network import PrincipalComponents, pretrained_branch
from mixed_data.network.member_predictions import NUM_ROWS_PER_STEP
from mixed_data.preprocessing import MixedDataPreprocessor, stored_photos
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import StoredPhotos

NUM_MEMBERS = 3


def make_regressor(**options: Any) -> MixedDataRegressor:
    settings = {"image_branch": "pretrained", "image_weights": None, "members": NUM_MEMBERS, "epochs": 2, "units": 8}
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=32)
    return MixedDataRegressor(SCHEMA, preprocessor=preprocessor, **{**settings, **options})


@pytest.fixture(scope="module")
def regressor(sales: pd.DataFrame) -> MixedDataRegressor:
    """Give a fitted regressor; no test fits it again."""
    return fit(make_regressor(), sales)


def components_of(regressor: MixedDataRegressor) -> PrincipalComponents:
    (layer,) = [layer for layer in regressor.model_.layers if isinstance(layer, PrincipalComponents)]
    return layer


def assert_rows_are_independent(regressor: MixedDataRegressor, table: pd.DataFrame) -> None:
    together = regressor.predict(table)
    assert np.all(np.isfinite(together))
    assert len(np.unique(together)) == len(table)
    for row in (0, len(table) - 1):
        np.testing.assert_allclose(regressor.predict(table.iloc[[row]]), together[[row]], rtol=1e-6)
    order = np.random.default_rng(1).permutation(len(table))
    for size in (len(table), 2, 17):
        np.testing.assert_allclose(regressor.predict(table.iloc[order[:size]]), together[order[:size]], rtol=1e-6)


# Predictions


def test_the_answer_for_a_row_does_not_depend_on_the_other_rows(
    regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    assert NUM_ROWS > 2 * NUM_ROWS_PER_STEP
    assert_rows_are_independent(regressor, sales)


def test_the_prediction_is_the_mean_of_the_members_on_the_scale_of_the_target(
    regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    scaled = regressor.predict_members(regressor.read_rows(sales))
    assert scaled.shape == (NUM_ROWS, NUM_MEMBERS)
    assert scaled.dtype == np.float64
    assert np.all(scaled.std(axis=1) > 0)
    expected = regressor.target_transformer_.inverse_transform(scaled.mean(axis=1))
    np.testing.assert_array_equal(regressor.predict(sales), expected)


def test_fusion_weights_are_the_mean_over_the_members(regressor: MixedDataRegressor) -> None:
    weights = regressor.member_weights_
    assert weights.shape == (NUM_MEMBERS, 2)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert len(np.unique(weights[:, 0])) == NUM_MEMBERS
    assert regressor.fusion_weights_ == {"tabular": weights[:, 0].mean(), "image": weights[:, 1].mean()}


def test_rows_with_fewer_photos_or_none_are_predicted(
    regressor: MixedDataRegressor, sales: pd.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    rows = sales[:3].copy()
    rows.loc[1, "back"] = str(tmp_path / "broken.jpg")
    rows.loc[2, ["front", "back"]] = [None, str(tmp_path / "nowhere.jpg")]
    result, before = regressor.predict_rows(rows), regressor.predict(sales[:3])
    assert result["images_used"].tolist() == [2, 1, 0]
    assert [bool(text) for text in result["warnings"]] == [False, True, True]
    assert result["prediction"][0] == before[0]
    assert np.all(result["prediction"][1:] != before[1:])
    assert np.all(np.isfinite(result["prediction"]))


def test_the_network_reads_components_that_were_learned_from_vectors_of_the_photos(
    regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    inputs = regressor.read_rows(sales)
    assert inputs["images"].shape == (NUM_ROWS, 2, 1856)
    assert isinstance(regressor.embedder_, PhotoEmbedder)
    components = components_of(regressor)
    assert components.num_components == network_fit.NUM_COMPONENTS == 64
    assert tuple(components.blocks) == regressor.embedder_.block_sizes == (576, 1280)
    expected = PrincipalComponents(64, (576, 1280))
    expected.adapt(inputs["images"], inputs["image_mask"])
    for weight, same in zip(components.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def test_components_are_learned_from_the_training_rows_only(
    sales: pd.DataFrame, without_training: list[dict[str, Any]]
) -> None:
    regressor = fit(make_regressor(validation_fraction=0.25), sales)
    rows = without_training[0]["training_rows"]
    assert len(rows) == NUM_ROWS * 3 // 4
    inputs = regressor.read_rows(sales)
    expected = PrincipalComponents(64, (576, 1280))
    expected.adapt(inputs["images"][rows], inputs["image_mask"][rows])
    np.testing.assert_array_equal(components_of(regressor).get_weights()[0], expected.get_weights()[0])
    projected = components_of(regressor).project(inputs["images"], inputs["image_mask"])
    np.testing.assert_array_equal(without_training[0]["inputs"]["images"], projected)


def test_components_are_learned_from_some_of_very_many_training_rows(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network_fit, "NUM_ROWS_OF_COMPONENTS", 10)
    regressor = fit(make_regressor(), sales)
    inputs, some = regressor.read_rows(sales), np.linspace(0, NUM_ROWS - 1, 10).astype(int)
    expected = PrincipalComponents(64, (576, 1280))
    expected.adapt(inputs["images"][some], inputs["image_mask"][some])
    np.testing.assert_array_equal(components_of(regressor).get_weights()[0], expected.get_weights()[0])


def test_components_of_many_rows_stay_on_disk(
    sales: pd.DataFrame,
    without_training: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    num_bytes = NUM_ROWS * 2 * 64 * 4
    monkeypatch.setattr(pretrained_branch, "_NUM_ROWS_AT_ONCE", 50)
    for most in (num_bytes, num_bytes - 1):
        monkeypatch.setattr(stored_photos, "STORED_ABOVE_BYTES", most)
        fit(make_regressor(), sales)
    monkeypatch.setattr(network_fit, "TemporaryRecords", lambda _: Path("no folder/no file").read_bytes())
    fit(make_regressor(), sales)
    found = [call["inputs"]["images"] for call in without_training]
    assert list(map(type, found)) == [np.ndarray, StoredPhotos, np.ndarray]
    assert found[1].shape == found[0].shape
    for images in map(np.asarray, found):
        np.testing.assert_array_equal(images, found[0])
    assert "Components of photos cannot be kept on disk" in caplog.text


def test_image_only_networks_read_vectors_too(sales: pd.DataFrame, without_training: list[dict[str, Any]]) -> None:
    regressor = fit(make_regressor(modalities="image"), sales)
    assert list(regressor.feature_names_in_) == ["front", "back"]
    assert regressor.fusion_weights_ == {}
    assert set(regressor.model_.input) == {"images", "image_mask"}
    assert len(np.unique(regressor.predict(sales[["front", "back"]]))) == NUM_ROWS


# Seeds, clones, options


def test_the_same_seed_gives_the_same_bits_and_leaves_the_global_state_alone(
    regressor: MixedDataRegressor, sales: pd.DataFrame
) -> None:
    again = clone(regressor)
    assert not hasattr(again, "model_")
    assert again.get_params()["image_weights"] is None
    photo_backbones.load_backbone.cache_clear()  # as in another process
    random.seed(5)
    state = random.getstate()
    fit(again, sales)
    assert random.getstate() == state
    assert again.embedder_.digest == regressor.embedder_.digest
    np.testing.assert_array_equal(again.predict(sales), regressor.predict(sales))
    assert again.history_ == regressor.history_


def test_without_a_preprocessor_photos_are_read_at_the_size_that_suits(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def build(name: str, weights: str | None, size: tuple[int, int], *, flip_average: bool) -> keras.Model:
        asked.append((name, weights, size, flip_average))
        return make_eye(size)

    monkeypatch.setattr(photo_backbones, "build_backbone", build)
    photo_backbones.load_backbone.cache_clear()
    regressor = MixedDataRegressor(
        SCHEMA, image_branch="pretrained", backbone="Eye", image_weights=Path("eye.weights.h5")
    )
    fit(regressor, sales[:20])
    photo_backbones.load_backbone.cache_clear()
    assert asked == [("Eye", "eye.weights.h5", (320, 320), True)]
    assert regressor.preprocessor_.resize == "stretch"
    assert regressor.model_.output_shape == (None, 8)
    assert regressor.predict(sales[:2]).shape == (2,)


def test_a_table_only_network_asks_for_no_weights(
    sales: pd.DataFrame, without_training: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo_backbones, "build_backbone", lambda *_, **__: pytest.fail("a backbone was built"))
    regressor = fit(make_regressor(modalities="tabular", image_weights="imagenet"), sales)
    assert regressor.embedder_ is None
    assert regressor.predict(sales[:2]).shape == (2,)


def test_what_cannot_be_had_is_refused(sales: pd.DataFrame, tmp_path: Path) -> None:
    for options, message in (
        (
            {"backbone": "LeNet"},
            "backbone: expected a .keras or .onnx file, or a model of keras.applications, .*'LeNet'",
        ),
        ({"image_weights": str(tmp_path / "no.weights.h5")}, "give image_weights the path of"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(make_regressor(**options), sales[:8])
