"""A `.keras` file of the user's as a backbone: vectors by hand, and files that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers, ops
from network_helpers import run
from reliability import Case, documented

from mixed_data.network.keras_file_backbone import read_keras_file
from mixed_data.network.pretrained_backbones import KerasBackbone

SIDE = 16


def photos_input(size: int | None = SIDE, **options: str) -> keras.KerasTensor:
    return keras.Input((size, size, 3), **options)


def make_convolutions(*, with_middle: bool = True) -> keras.Model:
    photos = photos_input()
    middle = layers.Conv2D(4, 3, strides=4, padding="same", name="first")(photos)
    if not with_middle:
        return keras.Model(photos, middle)
    return keras.Model(photos, layers.Conv2D(6, 3, strides=2, padding="same", name="last")(middle))


def make_tokens(num_prefix: int) -> keras.Model:
    photos = photos_input()
    patches = layers.Reshape((16, 5))(layers.Conv2D(5, 4, strides=4)(photos))
    if num_prefix:
        first = layers.Reshape((num_prefix, 5))(layers.Dense(5 * num_prefix)(layers.Flatten()(patches)))
        patches = layers.Concatenate(axis=1)([first, patches])
    return keras.Model(photos, patches)


def make_vector() -> keras.Model:
    photos = photos_input()
    return keras.Model(photos, layers.Dense(7)(layers.Flatten()(photos)))


def read(model: keras.Model, folder: Path, *, scaling: str = "unit", flip_average: bool = False) -> KerasBackbone:
    model.save(folder / "eye.keras")
    return read_keras_file(folder / "eye.keras", scaling=scaling, flip_average=flip_average)


def draw_pixels() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (4, SIDE, SIDE, 3), dtype="uint8")


def signed_root(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.sqrt(np.abs(values))


def test_of_a_map_two_layers_are_kept_as_of_models_that_keras_brings(tmp_path: Path) -> None:
    model = make_convolutions()
    backbone = read(model, tmp_path)
    assert (backbone.block_sizes, backbone.size) == ((4, 6), (SIDE, SIDE))
    both = keras.Model(model.input, [model.get_layer("first").output, model.output])
    expected = np.hstack([signed_root(seen.mean(axis=(1, 2))) for seen in run(both, draw_pixels() / 255)])
    np.testing.assert_allclose(backbone.compute(draw_pixels()), expected, rtol=1e-4, atol=1e-5)


def test_without_a_layer_of_twice_the_resolution_the_last_one_is_kept(tmp_path: Path) -> None:
    model = make_convolutions(with_middle=False)
    backbone = read(model, tmp_path, scaling="tf", flip_average=True)
    assert backbone.block_sizes == (4,)
    sides = [run(model, side / 127.5 - 1).mean(axis=(1, 2)) for side in (draw_pixels(), draw_pixels()[:, :, ::-1])]
    expected = signed_root((sides[0] + sides[1]) / 2)
    np.testing.assert_allclose(backbone.compute(draw_pixels()), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("num_prefix", [0, 1, 5])
def test_of_tokens_the_class_token_and_the_mean_of_the_patches_are_kept(num_prefix: int, tmp_path: Path) -> None:
    model = make_tokens(num_prefix)
    backbone = read(model, tmp_path, scaling="torch")
    assert backbone.block_sizes == ((5, 5) if num_prefix else (5,))
    tokens = run(model, (draw_pixels() / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    expected = tokens[:, num_prefix:].mean(axis=1)
    expected = np.hstack([tokens[:, 0], expected]) if num_prefix else expected
    np.testing.assert_allclose(backbone.compute(draw_pixels()), expected, rtol=1e-3, atol=1e-4)


def test_a_vector_stays_as_it_is(tmp_path: Path) -> None:
    model = make_vector()
    found = read(model, tmp_path, scaling="raw").compute(draw_pixels())
    np.testing.assert_allclose(found, run(model, draw_pixels().astype("float32")), rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("make", [make_convolutions, make_vector, lambda: make_tokens(5)])
def test_what_is_written_for_a_bundle_is_read_again(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    backbone = read(make(), tmp_path, scaling="clip", flip_average=True)
    backbone.write(tmp_path / "backbone_0.keras")
    again = KerasBackbone.read(tmp_path / "backbone_0.keras")
    assert (again.digest, again.block_sizes) == (backbone.digest, backbone.block_sizes)
    np.testing.assert_array_equal(again.compute(draw_pixels()), backbone.compute(draw_pixels()))


def test_a_digest_changes_with_scaling_and_mirror_image(tmp_path: Path) -> None:
    model = make_vector()
    options = ({}, {"scaling": "tf"}, {"scaling": "torch"}, {"flip_average": True})
    assert len({read(model, tmp_path, **option).digest for option in options}) == 4


# Files that cannot be used


def make_compiled() -> keras.Model:
    model = make_vector()
    model.compile("adam", "mse")
    return model


def make_foreign() -> keras.Model:
    photos = photos_input()
    tokens = layers.Reshape((16, 48))(photos)
    return keras.Model(photos, layers.MultiHeadAttention(1, 4)(tokens, tokens))


def make_two_outputs() -> keras.Model:
    photos = photos_input()
    return keras.Model(photos, [layers.Flatten()(photos), layers.GlobalAveragePooling2D()(photos)])


def make_grey() -> keras.Model:
    photos = keras.Input((SIDE, SIDE, 1))
    return keras.Model(photos, layers.Flatten()(photos))


def make_integers() -> keras.Model:
    photos = photos_input(dtype="uint8")
    return keras.Model(photos, layers.Flatten()(layers.Rescaling(1 / 255)(photos)))


def make_any_size() -> keras.Model:
    photos = photos_input(None)
    return keras.Model(photos, layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(photos)))


def make_five_axes() -> keras.Model:
    photos = photos_input()
    return keras.Model(photos, ops.expand_dims(photos, 1))


REMEDY = r"save keras.Model\(model.inputs, model.outputs\), not compiled"
WRONG = [
    Case("a Keras file of a compiled model", "refused", make_compiled, f"is compiled; {REMEDY}"),
    Case("a Keras file with layers of no known network", "refused", make_foreign, f"MultiHeadAttention .*{REMEDY}"),
    Case("a Keras file with two outputs", "refused", make_two_outputs, "one input, the photos, and one output"),
    Case("a Keras file that reads grey photos", "refused", make_grey, r"\(n, height, width, 3\), got float32 .*16, 1"),
    Case("a Keras file that reads integers", "refused", make_integers, "photos as float32 .* got uint8"),
    Case("a Keras file without a size of the photos", "refused", make_any_size, f"more than .* numbers; {REMEDY}"),
    Case("a Keras file with an output of five axes", "refused", make_five_axes, "2, 3 or 4 axes"),
]


@documented("Networks that read photos", WRONG)
def test_a_keras_file_that_cannot_be_used_is_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=case.expected) as caught:
        read(case.given(), tmp_path)
    assert str(caught.value).startswith("eye.keras")


def test_tokens_that_are_no_grid_and_unknown_scalings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"eye\.keras: 34 tokens are no grid"):
        read(make_tokens(18), tmp_path)
    with pytest.raises(ValueError, match="expected a scaling of raw, unit, tf, torch, clip, got 'imagenet'"):
        read(make_vector(), tmp_path, scaling="imagenet")


def test_what_is_no_keras_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "eye.keras").write_text("no network")
    with pytest.raises(ValueError, match=r"eye\.keras is no network that Keras wrote"):
        read_keras_file(tmp_path / "eye.keras", scaling="raw", flip_average=True)
