"""Backbones: what a photo's vector is, and how backbones are told apart.

Random weights do for most of it; with ImageNet's, the preprocessing is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from network_helpers import photo_layout, read, run
from reliability import Case, documented

from mixed_data.network.pretrained_backbones import KerasBackbone, build_backbone, digest_backbone

SIZE = (32, 64)
BLOCK_SIZES = {"MobileNetV2": (576, 1280), "EfficientNetV2B0": (672, 1280), "ConvNeXtTiny": (384, 768)}
# Whose input is the last layer of twice the final resolution.
AFTER_MIDDLE = {
    "MobileNetV2": "block_13_pad",
    "EfficientNetV2B0": "block6a_dwconv2",
    "ConvNeXtTiny": "convnext_tiny_downsampling_block_2",
}


class Seen(NamedTuple):
    name: str
    model: keras.Model
    vectors: np.ndarray
    """Of `make_photos`."""


@pytest.fixture(scope="module", params=BLOCK_SIZES)
def seen(request: pytest.FixtureRequest) -> Seen:
    """Give a backbone with random weights; tests leave it frozen and its weights as they are."""
    model = make_backbone(request.param)
    return Seen(request.param, model, run(model, make_photos()))


@pytest.fixture
def mobilenet(small: keras.Model) -> Iterator[keras.Model]:
    """Give a backbone that tests may change."""
    weights = small.get_weights()
    yield small
    small.set_weights(weights)


@pytest.fixture(scope="module")
def small() -> keras.Model:
    return make_backbone()


def make_backbone(name: str = "MobileNetV2") -> keras.Model:
    keras.utils.set_random_seed(0)
    model = build_backbone(name, None, SIZE)
    for weight in model.weights:
        if "layer_scale" in weight.path:  # which starts so small that ConvNeXt's blocks would do nothing
            weight.assign(np.full(weight.shape, 0.5))
    return model


def make_photos() -> np.ndarray:
    """Two photos, then their mirror images, then one of them upside down."""
    photos = np.random.default_rng(1).integers(0, 256, (2, *SIZE, 3), dtype="uint8")
    photos[:, :10, :20] = 255  # something in a corner
    return np.concatenate([photos, mirror(photos), photos[:1, ::-1]])


def mirror(photos: np.ndarray) -> np.ndarray:
    return photos[:, :, ::-1].copy()


def vectors_by_hand(name: str, weights: list[np.ndarray] | Path, photos: np.ndarray) -> np.ndarray:
    """The mean over each photo and its mirror image of two layers, and the signed root of that."""
    application = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=(*SIZE, 3))
    application.set_weights(weights) if isinstance(weights, list) else application.load_weights(weights)
    middle = application.get_layer(AFTER_MIDDLE[name]).input
    assert middle.shape[1:3] == (SIZE[0] // 16, SIZE[1] // 16)
    layers = keras.Model(application.input, [middle, application.output])
    pixels = photos.astype("float32")
    if name == "MobileNetV2":
        pixels = pixels / 127.5 - 1
        np.testing.assert_allclose(keras.applications.mobilenet_v2.preprocess_input(photos + 0.0), pixels, atol=1e-5)
    straight, mirrored = run(layers, pixels), run(layers, mirror(pixels))
    means = [(one + other).mean(axis=(1, 2)) / 2 for one, other in zip(straight, mirrored, strict=True)]
    return np.concatenate([np.sign(mean) * np.sqrt(np.abs(mean)) for mean in means], axis=1)


# Vectors


def test_a_vector_is_as_wide_as_its_two_blocks(seen: Seen) -> None:
    assert KerasBackbone(seen.model).block_sizes == BLOCK_SIZES[seen.name]
    assert seen.model.output_shape == (None, sum(BLOCK_SIZES[seen.name]))
    assert seen.model.input_shape == (None, *SIZE, 3)
    assert seen.model.input.dtype == "uint8"
    assert seen.vectors.dtype == np.float32
    assert np.all(np.isfinite(seen.vectors))


def test_a_vector_is_the_signed_root_of_the_mean_of_two_layers(seen: Seen) -> None:
    expected = vectors_by_hand(seen.name, seen.model.get_weights(), make_photos()[:2])
    scale = np.abs(expected).max()
    np.testing.assert_allclose(seen.vectors[:2], expected, rtol=1e-3, atol=1e-3 * scale)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3 * scale


def test_a_photo_and_its_mirror_image_have_the_same_vector(seen: Seen) -> None:
    scale = np.abs(seen.vectors).max()
    np.testing.assert_allclose(seen.vectors[2:4], seen.vectors[:2], atol=1e-4 * scale)
    assert np.abs(seen.vectors[4] - seen.vectors[0]).max() > 1e-3 * scale  # upside down is something else


def test_a_backbone_is_frozen(seen: Seen) -> None:
    assert seen.model.trainable_weights == []


def test_a_saved_backbone_is_the_same(mobilenet: keras.Model, tmp_path: Path) -> None:
    mobilenet.save(tmp_path / "backbone.keras")
    loaded = keras.saving.load_model(tmp_path / "backbone.keras", safe_mode=True)
    assert digest_backbone(loaded) == digest_backbone(mobilenet)
    assert KerasBackbone(loaded).block_sizes == KerasBackbone(mobilenet).block_sizes == (576, 1280)


# Digests


def test_a_digest_changes_with_any_weight_and_only_with_what_is_computed(mobilenet: keras.Model) -> None:
    model = mobilenet
    digest = digest_backbone(model)
    for index in (0, 3, 130, 258, 259):  # kernel, statistics, kernel, statistics
        weight = model.weights[index]
        before = read(weight)
        changed = before.copy()
        changed.flat[-1] = np.nextafter(changed.flat[-1], np.inf)
        weight.assign(changed)
        assert digest_backbone(model) != digest, weight.path
        weight.assign(before)
    assert len(digest) == 64


def test_a_digest_does_not_change_with_what_keras_built_before(seen: Seen) -> None:
    keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Rescaling(2.0), keras.layers.LayerNormalization()])
    again = build_backbone(seen.name, None, SIZE)
    assert digest_backbone(again) != digest_backbone(seen.model)  # random weights
    again.set_weights(seen.model.get_weights())
    assert digest_backbone(again) == digest_backbone(seen.model)


def test_a_digest_changes_with_the_size_of_the_photos_and_with_the_structure(mobilenet: keras.Model) -> None:
    other = build_backbone("MobileNetV2", None, SIZE[::-1])
    other.set_weights(mobilenet.get_weights())
    doubled = keras.Model(mobilenet.input, mobilenet.output * 2)
    assert len({digest_backbone(model) for model in (mobilenet, other, doubled)}) == 3


# Errors


@pytest.mark.parametrize("name", ["mobilenetv2", "", "preprocess_input", "MobileNetV2 "])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=r"backbone: .* ConvNeXtTiny, .* MobileNetV2, .*; got ") as caught:
        build_backbone(name, None, SIZE)
    assert repr(name) in str(caught.value)
    assert "preprocess_input," not in str(caught.value)


def test_weights_that_cannot_be_read_or_do_not_fit_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.weights.h5").write_text("no weights")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save_weights(tmp_path / "other.weights.h5")
    for name in ("text.weights.h5", "other.weights.h5", "nowhere.weights.h5"):
        weights = tmp_path / name if name.startswith("text") else str(tmp_path / name)
        with pytest.raises(ValueError, match=r"(?s)the weights .* of MobileNetV2 for photos of 32 x 64") as caught:
            build_backbone("MobileNetV2", weights, SIZE)
        assert f"'{tmp_path / name}'" in str(caught.value)
        assert "give image_weights the path of a .weights.h5 file" in str(caught.value)


def test_a_download_that_fails_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**options: Any) -> None:
        raise Exception("URL fetch failure: no network")

    monkeypatch.setattr(keras.applications.mobilenet_v2, "MobileNetV2", fail)
    with pytest.raises(ValueError, match=r"'imagenet' of MobileNetV2 .* no network\. Without network, give"):
        build_backbone("MobileNetV2", "imagenet", SIZE)


@pytest.mark.parametrize(("size", "message"), [((16, 16), "16 x 16 pixels"), ((33, 64), "multiples of 32")])
def test_photos_of_a_size_that_does_not_do_are_refused(size: tuple[int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_backbone("MobileNetV2", None, size)


# With the weights of ImageNet


def test_vectors_of_imagenet_weights_are_those_computed_by_hand(mobilenet_weights: Path, tmp_path: Path) -> None:
    model = build_backbone("MobileNetV2", mobilenet_weights, SIZE)
    photos = make_photos()
    vectors = run(model, photos)
    np.testing.assert_allclose(vectors, vectors_by_hand("MobileNetV2", mobilenet_weights, photos), atol=1e-3)
    assert 0.1 < np.abs(vectors).mean() < 10
    model.save(tmp_path / "backbone.keras")
    loaded = keras.saving.load_model(tmp_path / "backbone.keras", safe_mode=True)
    np.testing.assert_array_equal(run(loaded, photos), vectors)


FIRST_CASES = [
    Case(f"image_data_format of channels_first: {name} as backbone", "the same vectors and digest", name)
    for name in ("MobileNetV2", "ResNet50")  # The second has channels that are not alike in scale.
]


@documented("Settings of Keras", FIRST_CASES)
def test_channels_first_changes_neither_vectors_nor_digest(case: Case) -> None:
    usual = make_backbone(case.given)
    vectors = run(usual, make_photos())
    with photo_layout("channels_first"):
        other = make_backbone(case.given)
        assert keras.config.image_data_format() == "channels_first"  # It is the caller's.
        np.testing.assert_array_equal(run(other, make_photos()), vectors)
        assert digest_backbone(other) == digest_backbone(usual)
