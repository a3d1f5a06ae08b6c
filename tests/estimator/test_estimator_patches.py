"""The regressor with eyes that it learned from the photos of its training rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from estimator_helpers import fit, make_regressor

import mixed_data
from mixed_data.estimator import MixedDataRegressor
from mixed_data.network.patch_backbone import build_patch_backbone
from mixed_data.network.pretrained_backbones import digest_backbone


@pytest.fixture(scope="module")
def regressor(sales: pd.DataFrame) -> MixedDataRegressor:
    return fit(make_regressor(image_branch="patches", members=2, epochs=12, batch_size=16, learning_rate=0.01), sales)


def test_it_learns_what_only_photos_show_without_a_target(regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    swapped = sales.assign(front=sales["front"].to_numpy()[np.argsort(~sales["bright"], kind="stable")[::-1]])
    differs = (
        sales["bright"].to_numpy() != sales["bright"].to_numpy()[np.argsort(~sales["bright"], kind="stable")[::-1]]
    )
    gain = np.log(regressor.predict(swapped) / regressor.predict(sales))[differs]
    darker = sales["bright"].to_numpy()[differs]
    assert gain[darker].mean() < -0.2 < 0.2 < gain[~darker].mean()


def test_its_eyes_are_learned_from_training_rows_only(regressor: MixedDataRegressor, sales: pd.DataFrame) -> None:
    photos = regressor.preprocessor_.transform(sales)["images"]
    assert regressor.embedder_.backbones[0].digest != digest_backbone(
        build_patch_backbone(photos.reshape(-1, 16, 16, 3))
    )
    dearer = fit(make_regressor(image_branch="patches", members=2, epochs=1), sales.assign(price=sales["price"][::-1]))
    assert regressor.embedder_.backbones[0].digest == dearer.embedder_.backbones[0].digest


def test_a_bundle_brings_the_eyes_along(regressor: MixedDataRegressor, sales: pd.DataFrame, tmp_path: Path) -> None:
    regressor.save(tmp_path / "bundle")
    loaded = mixed_data.load(tmp_path / "bundle")
    rows = sales[:6].assign(front=[None, *sales["front"][1:6]])
    np.testing.assert_allclose(loaded.predict(rows), regressor.predict(rows), rtol=1e-6)
