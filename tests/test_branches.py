"""Branches: one contract for every entry of the registries, and NumPy oracles.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through a training step.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from mixed_data.branches import IMAGE_BRANCHES, TABULAR_BRANCHES, MaskedMean, ViewEmbedding
from mixed_data.branches.augmentation import MirrorAndShift

Arrays = dict[str, np.ndarray]
UNITS, NUM_FEATURES, IMAGE_SHAPE = 6, 5, (3, 18, 16, 3)

# One row per entry of the registries: its trainable parameters with the sizes above.
NUM_PARAMETERS = {
    "mlp": (5 * 12 + 12) + (12 * 6 + 6),
    "cnn": sum(
        [
            (4 * 4 * 3 * 32 + 32) + (3 * 3 * 32 * 64 + 64) + (3 * 3 * 64 * 64 + 64),
            (2 * 1 * 64 * 24 + 24),  # dense layer over the 2 x 1 grid that is left of 18 x 16 pixels
            2 * 3 * 24,  # scale and shift of three views
            (24 * 6 + 6),  # output
            6,  # the vector for "no photo"
        ]
    ),
}
every_branch = pytest.mark.parametrize("name", [*TABULAR_BRANCHES, *IMAGE_BRANCHES])
every_image_branch = pytest.mark.parametrize("name", IMAGE_BRANCHES)
every_layer = pytest.mark.parametrize("layer", [MirrorAndShift(0.2, seed=3), ViewEmbedding(), MaskedMean()])


def make_model(name: str, *, dropout: float = 0.5, image_shape: tuple[int, ...] = IMAGE_SHAPE) -> keras.Model:
    """Build a branch as a model whose weights are all random, none zero or one."""
    keras.utils.set_random_seed(0)
    if name in TABULAR_BRANCHES:
        inputs = {"tabular": keras.Input((NUM_FEATURES,), name="tabular")}
        output = TABULAR_BRANCHES[name](inputs["tabular"], units=UNITS, dropout=dropout)
    else:
        inputs = {
            "images": keras.Input(image_shape, dtype="uint8", name="images"),
            "image_mask": keras.Input(image_shape[:1], dtype="bool", name="image_mask"),
        }
        output = IMAGE_BRANCHES[name](*inputs.values(), units=UNITS, dropout=dropout)
    model = keras.Model(inputs, output)
    generator = np.random.default_rng(0)
    for weight in model.trainable_weights:
        if len(weight.shape) < 3:
            weight.assign(generator.normal(0.2, 0.3, weight.shape))
    return model


def make_arrays(name: str, *, rows: int = 7, image_shape: tuple[int, ...] = IMAGE_SHAPE) -> Arrays:
    """Make rows of which the last has no photo."""
    generator = np.random.default_rng(1)
    if name in TABULAR_BRANCHES:
        return {"tabular": generator.normal(size=(rows, NUM_FEATURES)).astype("float32")}
    mask = generator.random((rows, image_shape[0])) < 0.6
    mask[0], mask[-1] = True, False
    return {"images": generator.integers(0, 256, (rows, *image_shape), dtype="uint8"), "image_mask": mask}


def run(model: keras.Layer, arrays: object, *, training: bool = False) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(arrays, training=training))


def read(variable: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable).copy()


def take(arrays: Arrays, rows: np.ndarray | slice) -> Arrays:
    return {name: array[rows] for name, array in arrays.items()}


def silu(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.exp(-x))


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


# The contract


def test_every_branch_has_its_row() -> None:
    assert list(NUM_PARAMETERS) == [*TABULAR_BRANCHES, *IMAGE_BRANCHES]


@every_branch
def test_branch_gives_one_vector_per_row(name: str) -> None:
    model = make_model(name)
    output = run(model, make_arrays(name))
    assert model.output_shape == (None, UNITS)
    assert output.shape == (7, UNITS)
    assert output.dtype == np.float32
    assert np.all(np.isfinite(output))
    assert len(np.unique(output, axis=0)) == 7


@every_branch
def test_branch_has_as_many_parameters_as_counted_by_hand(name: str) -> None:
    assert sum(int(np.prod(weight.shape)) for weight in make_model(name).trainable_weights) == NUM_PARAMETERS[name]


@every_branch
def test_one_step_changes_every_variable(name: str) -> None:
    model = make_model(name, dropout=0.0)
    model.compile(keras.optimizers.SGD(0.01), "mse", jit_compile=False)
    before = [read(weight) for weight in model.trainable_weights]
    model.train_on_batch(make_arrays(name), np.full((7, UNITS), 10.0))
    for old, variable in zip(before, model.trainable_weights, strict=True):
        new = read(variable)
        assert np.all(np.isfinite(new)), variable.path
        assert not np.array_equal(new, old), variable.path


@every_branch
def test_the_answer_for_a_row_does_not_depend_on_the_other_rows(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    together = run(model, arrays)
    order = np.random.default_rng(2).permutation(7)
    np.testing.assert_allclose(run(model, take(arrays, order)), together[order], rtol=1e-5, atol=1e-6)
    for row in range(7):
        alone = run(model, take(arrays, slice(row, row + 1)))
        np.testing.assert_allclose(alone, together[row : row + 1], rtol=1e-5, atol=1e-6)


@every_branch
def test_randomness_acts_in_training_only(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    np.testing.assert_array_equal(run(model, arrays), run(model, arrays))
    assert not np.allclose(run(model, arrays, training=True), run(model, arrays, training=True))


@every_image_branch
def test_photos_vary_in_training_even_without_dropout(name: str) -> None:
    model, arrays = make_model(name, dropout=0.0), make_arrays(name)
    first, second = (run(model, arrays, training=True) for _ in range(2))
    np.testing.assert_array_equal(np.any(first != second, axis=1), arrays["image_mask"].any(axis=1))


@every_branch
def test_saved_branch_loads_without_custom_objects_and_gives_the_same_answer(name: str, tmp_path: Path) -> None:
    model, arrays = make_model(name), make_arrays(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, arrays), run(model, arrays))


@every_branch
@pytest.mark.usefixtures("mixed_precision")
def test_mixed_precision_computes_in_float16_and_keeps_weights_in_float32(name: str) -> None:
    half, arrays = make_model(name), make_arrays(name)
    keras.config.set_dtype_policy("float32")
    whole = make_model(name)
    output = run(half, arrays)
    assert output.dtype == np.float16
    assert {weight.dtype for weight in half.trainable_weights} == {"float32"}
    np.testing.assert_allclose(output, run(whole, arrays), rtol=0.02, atol=0.02)


# Image branches


@every_image_branch
def test_the_pixels_of_a_masked_photo_change_nothing(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    noise = np.random.default_rng(3).integers(0, 256, arrays["images"].shape, dtype="uint8")
    is_there = arrays["image_mask"][:, :, None, None, None]
    other = {**arrays, "images": np.where(is_there, arrays["images"], noise)}
    np.testing.assert_array_equal(run(model, other), run(model, arrays))
    other["images"] = np.where(is_there, noise, arrays["images"])
    changed = np.any(run(model, other) != run(model, arrays), axis=1)
    np.testing.assert_array_equal(changed, arrays["image_mask"].any(axis=1))


@every_image_branch
def test_a_row_without_photos_gets_the_learned_vector(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    (missing,) = model.get_layer("masked_mean").get_weights()
    np.testing.assert_array_equal(run(model, arrays)[-1], missing)
    arrays["image_mask"][:] = False
    np.testing.assert_array_equal(run(model, arrays), np.broadcast_to(missing, (7, UNITS)))


@every_image_branch
def test_a_photo_means_something_else_in_another_view(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    arrays["image_mask"][:] = True
    swapped = {**arrays, "images": arrays["images"][:, [1, 0, 2]]}
    assert np.all(np.any(np.abs(run(model, arrays) - run(model, swapped)) > 1e-3, axis=1))


@every_image_branch
@pytest.mark.parametrize("image_shape", [(1, 8, 8, 3), (2, 33, 21, 3)])
def test_any_number_of_views_and_any_size_is_taken(name: str, image_shape: tuple[int, ...]) -> None:
    output = run(make_model(name, image_shape=image_shape), make_arrays(name, image_shape=image_shape))
    assert output.shape == (7, UNITS)
    assert np.all(np.isfinite(output))


# NumPy oracles


def test_mlp_equals_numpy() -> None:
    model, arrays = make_model("mlp"), make_arrays("mlp")
    kernel, bias, output_kernel, output_bias = model.get_weights()
    hidden = silu(arrays["tabular"] @ kernel + bias)
    np.testing.assert_allclose(run(model, arrays), silu(hidden @ output_kernel + output_bias), rtol=1e-5, atol=1e-6)


def convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Convolve ``(n, H, W, c)`` with "same" padding, whose odd pixel is at the end."""
    size = kernel.shape[0]
    missing = [stride * (-(-side // stride) - 1) + size - side for side in x.shape[1:3]]
    x = np.pad(x, [(0, 0), *((pixels // 2, pixels - pixels // 2) for pixels in missing), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcab,abcf->nijf", windows, kernel)


def test_cnn_equals_numpy() -> None:
    model, arrays = make_model("cnn"), make_arrays("cnn")
    x = arrays["images"].reshape(-1, *IMAGE_SHAPE[1:]) / 127.5 - 1
    for index, stride in enumerate([4, 2, 2]):
        kernel, bias = model.get_layer(f"cnn_conv{index}").get_weights()
        x = np.maximum(convolve(x, kernel, stride) + bias, 0)
    kernel, bias = model.get_layer("cnn_hidden").get_weights()
    features = (x.reshape(len(x), -1) @ kernel + bias).reshape(7, IMAGE_SHAPE[0], -1)
    scale, shift = model.get_layer("view_embedding").get_weights()
    kernel, bias = model.get_layer("cnn_output").get_weights()
    vectors = silu(np.maximum(features * scale + shift, 0) @ kernel + bias)
    (missing,) = model.get_layer("masked_mean").get_weights()
    expected = [
        views[mask].mean(axis=0) if mask.any() else missing
        for views, mask in zip(vectors, arrays["image_mask"], strict=True)
    ]
    np.testing.assert_allclose(run(model, arrays), expected, rtol=1e-4, atol=1e-5)


# Layers


def test_view_embedding_starts_differently_for_each_view_and_without_shift() -> None:
    layer = ViewEmbedding()
    layer.build((None, 3, 200))
    scale, shift = layer.get_weights()
    assert np.abs(np.corrcoef(scale) - np.eye(3)).max() < 0.3
    np.testing.assert_allclose([scale.mean(), scale.std()], [0, 1], atol=0.15)
    assert not shift.any()


def test_view_embedding_scales_and_shifts_each_view_by_its_own() -> None:
    features, scale, shift = np.random.default_rng(0).normal(size=(3, 3, 2)).astype("float32")
    layer = ViewEmbedding()
    layer.build((None, 3, 2))
    layer.set_weights([scale, shift])
    np.testing.assert_allclose(run(layer, features[None]), [features * scale + shift], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("mask_dtype", ["bool", "uint8", "float32"])
def test_masked_mean_averages_the_views_that_are_there(mask_dtype: str) -> None:
    features = np.array([[[1, 10], [2, 20], [6, 60]]] * 4, "float32")
    mask = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], mask_dtype)
    layer = MaskedMean()
    np.testing.assert_allclose(run(layer, [features, mask]), [[3, 30], [3.5, 35], [2, 20], [0, 0]])
    layer.set_weights([np.array([7.0, 8.0])])
    np.testing.assert_allclose(run(layer, [features, mask]), [[3, 30], [3.5, 35], [2, 20], [7, 8]])


def test_what_is_not_finite_in_a_masked_view_never_reaches_the_mean() -> None:
    features = np.array([[[1.0], [np.nan]], [[np.inf], [3.0]]], "float32")
    mask = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(run(MaskedMean(), [features, mask]), [[1.0], [3.0]])


def shift(photos: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move photos and repeat the pixels at their edge."""
    padded = np.pad(photos, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="edge")
    return padded[:, 2 - down : 2 - down + photos.shape[1], 2 - right : 2 - right + photos.shape[2]]


def test_augmentation_mirrors_each_photo_by_itself_and_shifts_all_photos_of_a_batch_alike() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (6, 10, 11, 3), dtype="uint8")
    layer = MirrorAndShift(0.2, seed=0)
    np.testing.assert_array_equal(run(layer, photos), photos)
    shifts, mirrors = [], []
    for _ in range(60):
        output = run(layer, photos, training=True)
        assert output.dtype == np.uint8
        for down, right in np.ndindex(5, 5):
            plain, mirrored = (shift(source, down - 2, right - 2) for source in (photos, photos[:, :, ::-1]))
            is_mirrored = np.all(output == mirrored, axis=(1, 2, 3))
            if np.all(is_mirrored | np.all(output == plain, axis=(1, 2, 3))):
                shifts.append((down - 2, right - 2))
                mirrors.append(is_mirrored)
    assert len(shifts) == 60
    for moves in zip(*shifts, strict=True):
        assert set(moves) == {-2, -1, 0, 1, 2}
    assert 0.4 < np.mean(mirrors) < 0.6
    assert len(np.unique(mirrors, axis=0)) > 30


def test_augmentation_repeats_with_its_seed_and_refuses_shifts_that_are_no_share() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (6, 10, 11, 3), dtype="uint8")
    first, second, other = (run(MirrorAndShift(seed=seed), photos, training=True) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    for max_shift in (-0.1, 1.0):
        with pytest.raises(ValueError, match="max_shift: expected a share"):
            MirrorAndShift(max_shift)


@every_layer
def test_layer_is_registered_and_has_a_config_that_makes_it_again(layer: keras.Layer) -> None:
    assert keras.saving.get_registered_name(type(layer)) == f"mixed_data>{type(layer).__name__}"
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_layers_announce_their_shape() -> None:
    assert MirrorAndShift().compute_output_shape((None, 8, 9, 3)) == (None, 8, 9, 3)
    assert ViewEmbedding().compute_output_shape((None, 4, 8)) == (None, 4, 8)
    assert MaskedMean().compute_output_shape([(None, 4, 8), (None, 4)]) == (None, 8)
