"""The backbone that is learned from the photos themselves; NumPy is the oracle."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from network_helpers import run

from mixed_data.network.patch_backbone import build_patch_backbone
from mixed_data.network.pretrained_backbones import digest_backbone


def make_photos(num_photos: int = 12, height: int = 32, width: int = 32) -> np.ndarray:
    """Make photos of coarse blocks with a little noise, as real ones are smooth."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 230, (num_photos, -(-height // 8), -(-width // 8), 3)).repeat(8, 1).repeat(8, 2)
    return (blocks[:, :height, :width] + generator.integers(0, 20, (num_photos, height, width, 3))).astype("uint8")


def test_filters_whiten_the_patches() -> None:
    photos = make_photos()
    kernel, bias = build_patch_backbone(photos).get_layer("patch_filters").get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(photos / 127.5 - 1, (6, 6), axis=(1, 2))
    answers = np.einsum("nijcab,abcf->nijf", windows, kernel).reshape(-1, 48) + bias
    covariance = np.cov(answers.T)
    np.testing.assert_allclose(answers.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(covariance[:3, :3], np.eye(3), atol=0.1)  # the rest is damped as noise
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < 0.1


def test_vectors_say_where_there_is_what_and_equal_numpy() -> None:
    photos = make_photos()
    backbone = build_patch_backbone(photos)
    kernel, bias = backbone.get_layer("patch_filters").get_weights()
    padded = np.pad(photos / 127.5 - 1, [(0, 0), (2, 2), (2, 2), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (6, 6), axis=(1, 2))[:, ::2, ::2]
    answers = np.einsum("nijcab,abcf->nijf", windows, kernel) + bias
    answers = np.maximum(np.concatenate([answers, -answers], axis=-1) - 0.25, 0)
    cells = answers.reshape(12, 8, 2, 8, 2, 96).mean(axis=(2, 4))
    expected = np.sqrt((cells + cells[:, :, ::-1]) / 2)[:, :, :4].reshape(12, -1)
    np.testing.assert_allclose(run(backbone, photos), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(4, 9), (16, 16), (33, 21)])
def test_photos_of_any_size_are_taken(height: int, width: int) -> None:
    vectors = run(build_patch_backbone(make_photos(3, height, width)), make_photos(3, height, width))
    assert np.all(np.isfinite(vectors))
    assert np.ptp(vectors, axis=0).any()


@pytest.mark.parametrize(
    "photos", [make_photos(0), np.full((2, 32, 32, 3), 90, "uint8")], ids=["no photo", "one colour"]
)
def test_photos_that_teach_nothing_do_no_harm(photos: np.ndarray) -> None:
    assert np.all(np.isfinite(run(build_patch_backbone(photos), make_photos())))


def test_the_same_photos_teach_the_same_and_nothing_is_trained() -> None:
    one, other = build_patch_backbone(make_photos()), build_patch_backbone(make_photos())
    assert digest_backbone(one) == digest_backbone(other) != digest_backbone(build_patch_backbone(make_photos(5)))
    assert not one.trainable_weights
    assert isinstance(one, keras.Model)
