"""Branches: one contract for every entry of the registries, and NumPy oracles.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through a training step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from network_helpers import Arrays, copy_member, precision, randomize, read, run, silu, train_step

from mixed_data.network import IMAGE_BRANCHES, OrMissing, mlp

UNITS, NUM_FEATURES, NUM_ROWS = 6, 5, 7
# Three views, as pixels for "cnn", as vectors for the others.
IMAGE_SHAPES = {"cnn": (3, 18, 16, 3), "patches": (3, 40), "pretrained": (3, 40)}

# One row per entry of the registries: trainable parameters that the members share, and those of each, with these sizes.
NUM_PARAMETERS = {
    "mlp": (0, (5 * 12 + 12) + (12 * 6 + 6)),
    "cnn": (
        (4 * 4 * 3 * 32 + 32) + (2 * 2 * 32 * 64 + 64) + (2 * 2 * 64 * 64 + 64),
        sum(
            [
                (2 * 1 * 64 * 24 + 24),  # dense layer over the 2 x 1 grid that is left of 18 x 16 pixels
                2 * 3 * 24,  # scale and shift of three views
                (24 * 6 + 6),  # output
                6,  # the vector for "no photo"
            ]
        ),
    ),
    **dict.fromkeys(("patches", "pretrained"), (0, (3 * (40 + 1) * 256 + 256) + (256 * 6 + 6) + 6)),
}
every_branch = pytest.mark.parametrize("name", ["mlp", *IMAGE_BRANCHES])
every_image_branch = pytest.mark.parametrize("name", IMAGE_BRANCHES)
one_or_three = pytest.mark.parametrize("members", [1, 3])
pooled_or_not = pytest.mark.parametrize("options", [{}, {"pooled": False}], ids=["pooled", "views"])


def make_model(
    name: str,
    *,
    members: int = 3,
    dropout: float = 0.5,
    image_shape: tuple[int, ...] | None = None,
    **options: Any,
) -> keras.Model:
    """Build a branch as a model whose weights are all random, none zero or one."""
    keras.utils.set_random_seed(0)
    if name == "mlp":
        inputs = {"tabular": keras.Input((members, NUM_FEATURES), name="tabular")}
        output = mlp(inputs["tabular"], units=UNITS, dropout=dropout)  # it has no views to pool
    else:
        shape = image_shape or IMAGE_SHAPES[name]
        axis, dtype = (1, "uint8") if len(shape) == 4 else (members, "float32")
        inputs = {
            "images": keras.Input((axis, *shape), dtype=dtype, name="images"),
            "image_mask": keras.Input((members, shape[0]), dtype="bool", name="image_mask"),
        }
        output = IMAGE_BRANCHES[name](*inputs.values(), units=UNITS, dropout=dropout, **options)
    model = keras.Model(inputs, output)
    randomize(model)
    return model


def make_arrays(name: str, *, members: int = 3, image_shape: tuple[int, ...] | None = None) -> Arrays:
    """Make rows, others for every member; the first has all photos, the last has none."""
    generator = np.random.default_rng(1)
    if name == "mlp":
        return {"tabular": generator.normal(size=(NUM_ROWS, members, NUM_FEATURES)).astype("float32")}
    shape = image_shape or IMAGE_SHAPES[name]
    mask = generator.random((NUM_ROWS, members, shape[0])) < 0.6
    mask[..., 0] |= ~mask.any(axis=-1)
    mask[0], mask[-1] = True, False
    return {"images": make_images((NUM_ROWS, 1 if len(shape) == 4 else members, *shape), generator), "image_mask": mask}


def make_images(shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if len(shape) == 6:
        return generator.integers(0, 256, shape, dtype="uint8")
    return generator.normal(size=shape).astype("float32")


def take(arrays: Arrays, rows: np.ndarray | slice) -> Arrays:
    return {name: array[rows] for name, array in arrays.items()}


def missing_of(model: keras.Model) -> np.ndarray:
    """The learned vector for "no photo" of every member."""
    (layer,) = [layer for layer in model.layers if isinstance(layer, OrMissing)]
    return layer.get_weights()[0]


# The contract


def test_every_branch_has_its_row() -> None:
    assert list(NUM_PARAMETERS) == ["mlp", *IMAGE_BRANCHES]
    assert list(IMAGE_SHAPES) == list(IMAGE_BRANCHES)


@one_or_three
@every_branch
def test_branch_gives_one_vector_per_row_and_member(name: str, members: int) -> None:
    model = make_model(name, members=members)
    output = run(model, make_arrays(name, members=members))
    assert model.output_shape == (None, members, UNITS)
    assert output.shape == (NUM_ROWS, members, UNITS)
    assert output.dtype == np.float32
    assert np.all(np.isfinite(output))
    for member in range(members):
        assert len(np.unique(output[:, member], axis=0)) == NUM_ROWS


@one_or_three
@every_branch
def test_branch_has_as_many_parameters_as_counted_by_hand(name: str, members: int) -> None:
    shared, of_each = NUM_PARAMETERS[name]
    model = make_model(name, members=members)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == shared + members * of_each
    assert not model.non_trainable_weights


@pooled_or_not
@every_branch
def test_a_member_is_what_it_would_be_alone(name: str, options: dict[str, Any]) -> None:
    packed, arrays = make_model(name, **options), make_arrays(name)
    outputs = run(packed, arrays)
    alone = make_model(name, members=1, **options)
    for member in range(3):
        copy_member(packed, alone, member)
        own = {key: array[:, member : member + 1] if array.shape[1] == 3 else array for key, array in arrays.items()}
        np.testing.assert_allclose(run(alone, own)[:, 0], outputs[:, member], rtol=1e-5, atol=1e-5)


@every_branch
def test_one_step_changes_every_variable(name: str) -> None:
    model = make_model(name, dropout=0.0)
    before = [read(weight) for weight in model.trainable_weights]
    train_step(model, make_arrays(name), np.full((NUM_ROWS, 3, UNITS), 10.0))
    for old, variable in zip(before, model.trainable_weights, strict=True):
        new = read(variable)
        assert np.all(np.isfinite(new)), variable.path
        if "conv" in variable.path:  # shared by the members
            assert not np.array_equal(new, old), variable.path
        else:
            for member in range(3):
                assert not np.array_equal(new[member], old[member]), variable.path


@one_or_three
@every_branch
def test_the_answer_for_a_row_does_not_depend_on_the_other_rows(name: str, members: int) -> None:
    model, arrays = make_model(name, members=members), make_arrays(name, members=members)
    together = run(model, arrays)
    order = np.random.default_rng(2).permutation(NUM_ROWS)
    np.testing.assert_allclose(run(model, take(arrays, order)), together[order], rtol=1e-5, atol=1e-5)
    for row in (0, 3, NUM_ROWS - 1):
        alone = run(model, take(arrays, slice(row, row + 1)))
        np.testing.assert_allclose(alone, together[row : row + 1], rtol=1e-5, atol=1e-5)


@every_branch
def test_randomness_acts_in_training_only_and_on_every_member_by_itself(name: str) -> None:
    model = make_model(name, members=3)
    arrays = {key: array[:, :1].repeat(array.shape[1], axis=1) for key, array in make_arrays(name).items()}
    alone = make_model(name, members=1)
    for member in range(3):  # make all members alike
        copy_member(model, alone, 0)
        model.set_weights([_put(a, b, member) for a, b in zip(model.get_weights(), alone.get_weights(), strict=True)])
    np.testing.assert_array_equal(run(model, arrays), run(model, arrays))
    np.testing.assert_allclose(run(model, arrays).std(axis=1), 0, atol=1e-5)
    outputs = run(model, arrays, training=True)
    assert not np.allclose(outputs, run(model, arrays, training=True))
    assert np.all(outputs[0].std(axis=0) > 1e-3)


def _put(packed: np.ndarray, lone: np.ndarray, member: int) -> np.ndarray:
    if packed.shape != lone.shape:
        packed[member] = lone[0]
    return packed


@every_image_branch
def test_photos_vary_in_training_even_without_dropout_but_as_patches(name: str) -> None:
    model, arrays = make_model(name, dropout=0.0), make_arrays(name)
    first, second = (run(model, arrays, training=True) for _ in range(2))
    expected = arrays["image_mask"].any(axis=-1) & (name != "patches")
    np.testing.assert_array_equal(np.any(first != second, axis=-1), expected)


@pooled_or_not
@every_branch
def test_saved_branch_loads_without_custom_objects_and_gives_the_same_answer(
    name: str, options: dict[str, Any], tmp_path: Path
) -> None:
    model, arrays = make_model(name, **options), make_arrays(name)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(run(loaded, arrays), run(model, arrays))


@one_or_three
@every_branch
def test_mixed_precision_computes_in_float16_and_keeps_weights_in_float32(name: str, members: int) -> None:
    with precision("mixed_float16"):
        half, arrays = make_model(name, members=members), make_arrays(name, members=members)
    whole = make_model(name, members=members)
    output = run(half, arrays)
    assert output.dtype == np.float16
    assert {weight.dtype for weight in half.trainable_weights} == {"float32"}
    np.testing.assert_allclose(output, run(whole, arrays), rtol=0.02, atol=0.02)


# Image branches


@pooled_or_not
@every_image_branch
def test_what_stands_in_the_place_of_a_masked_photo_changes_nothing(name: str, options: dict[str, Any]) -> None:
    model, arrays = make_model(name, **options), make_arrays(name)
    arrays["image_mask"][:] = arrays["image_mask"][:, :1]
    noise = make_images(arrays["images"].shape, np.random.default_rng(3))
    present = arrays["image_mask"][:, : arrays["images"].shape[1]]
    is_there = present.reshape(*present.shape, *[1] * (arrays["images"].ndim - 3))

    def answer(images: np.ndarray) -> np.ndarray:
        """Of the views that are there, if the branch gives them one by one."""
        output = run(model, {**arrays, "images": images})
        return output if not options else np.where(arrays["image_mask"][..., None], output, 0)

    before = answer(arrays["images"])
    np.testing.assert_array_equal(answer(np.where(is_there, arrays["images"], noise)), before)
    changed = np.any(answer(np.where(is_there, noise, arrays["images"])) != before, axis=-1)
    np.testing.assert_array_equal(changed, arrays["image_mask"] if options else arrays["image_mask"].any(axis=-1))


@every_image_branch
def test_a_row_without_photos_gets_the_learned_vector_of_each_member(name: str) -> None:
    model, arrays = make_model(name), make_arrays(name)
    missing = missing_of(model)
    assert missing.shape == (3, UNITS)
    np.testing.assert_array_equal(run(model, arrays)[-1], missing)
    arrays["image_mask"][:] = False
    np.testing.assert_array_equal(run(model, arrays), np.broadcast_to(missing, (NUM_ROWS, 3, UNITS)))


@pooled_or_not
@every_image_branch
def test_a_photo_means_something_else_in_another_view(name: str, options: dict[str, Any]) -> None:
    model, arrays = make_model(name, **options), make_arrays(name)
    arrays["image_mask"][:] = True
    swapped = run(model, {**arrays, "images": arrays["images"][:, :, [1, 0, 2]]})
    if options:
        swapped = swapped[:, :, [1, 0, 2]]
    differs = np.any(np.abs(run(model, arrays) - swapped) > 1e-3, axis=-1)
    if options:
        assert np.all(differs[:, :, :2])
        assert not np.any(differs[:, :, 2])
    else:
        assert np.all(differs)


@pytest.mark.parametrize(
    ("name", "image_shape"),
    [("cnn", (1, 8, 8, 3)), ("cnn", (2, 33, 21, 3)), ("pretrained", (1, 2)), ("pretrained", (5, 64))],
)
def test_any_number_of_views_and_any_size_is_taken(name: str, image_shape: tuple[int, ...]) -> None:
    for options, shape in (({}, (UNITS,)), ({"pooled": False}, (image_shape[0], UNITS))):
        model = make_model(name, image_shape=image_shape, **options)
        output = run(model, make_arrays(name, image_shape=image_shape))
        assert output.shape == (NUM_ROWS, 3, *shape)
        assert np.all(np.isfinite(output))


# NumPy oracles, member by member


def test_mlp_equals_numpy() -> None:
    model, arrays = make_model("mlp"), make_arrays("mlp")
    outputs = run(model, arrays)
    for member in range(3):
        kernel, bias, output_kernel, output_bias = (weight[member] for weight in model.get_weights())
        hidden = silu(arrays["tabular"][:, member] @ kernel + bias)
        expected = silu(hidden @ output_kernel + output_bias)
        np.testing.assert_allclose(outputs[:, member], expected, rtol=1e-5, atol=1e-6)


def convolve(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Convolve ``(n, H, W, c)`` with "same" padding, whose odd pixel is at the end."""
    size = kernel.shape[0]
    missing = [stride * (-(-side // stride) - 1) + size - side for side in x.shape[1:3]]
    x = np.pad(x, [(0, 0), *((pixels // 2, pixels - pixels // 2) for pixels in missing), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(x, (size, size), axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijcab,abcf->nijf", windows, kernel)


def test_cnn_equals_numpy() -> None:
    model, arrays = make_model("cnn"), make_arrays("cnn")
    x = arrays["images"].reshape(-1, *IMAGE_SHAPES["cnn"][1:]) / 127.5 - 1
    for index, stride in enumerate([4, 2, 2]):
        kernel, bias = model.get_layer(f"cnn_conv{index}").get_weights()
        x = np.maximum(convolve(x, kernel, stride) + bias, 0)
    x = x.reshape(NUM_ROWS, 3, -1)
    views, outputs = run(unpooled_twin("cnn", model), arrays), run(model, arrays)
    for member in range(3):
        hidden, embedding, output = (
            [weight[member] for weight in model.get_layer(layer).get_weights()]
            for layer in ("cnn_hidden", "view_embedding", "cnn_output")
        )
        features = (x @ hidden[0] + hidden[1]) * embedding[0] + embedding[1]
        vectors = silu(np.maximum(features, 0) @ output[0] + output[1])
        np.testing.assert_allclose(views[:, member], vectors, rtol=1e-4, atol=1e-5)
        masks, missing = arrays["image_mask"][:, member], missing_of(model)[member]
        expected = [v[mask].mean(axis=0) if mask.any() else missing for v, mask in zip(vectors, masks, strict=True)]
        np.testing.assert_allclose(outputs[:, member], expected, rtol=1e-4, atol=1e-5)


def unpooled_twin(name: str, model: keras.Model) -> keras.Model:
    """The branch without the layer that pools, with the same weights."""
    twin = make_model(name, pooled=False)
    twin.set_weights(model.get_weights()[: len(twin.weights)])
    return twin


def test_pretrained_equals_numpy() -> None:
    model, arrays = make_model("pretrained"), make_arrays("pretrained")
    outputs = run(model, arrays)
    for member in range(3):
        mask = arrays["image_mask"][:, member]
        seen = np.where(mask[..., None], arrays["images"][:, member], 0).reshape(NUM_ROWS, -1)
        kernel, bias, output_kernel, output_bias, missing = (weight[member] for weight in model.get_weights())
        hidden = silu(np.concatenate([seen, mask], axis=1) @ kernel + bias)
        expected = np.where(mask.any(axis=1, keepdims=True), silu(hidden @ output_kernel + output_bias), missing)
        np.testing.assert_allclose(outputs[:, member], expected, rtol=1e-4, atol=1e-5)


def test_pretrained_without_pooling_equals_numpy() -> None:
    model, arrays = make_model("pretrained", pooled=False), make_arrays("pretrained")
    outputs = run(model, arrays)
    for member in range(3):
        kernel, bias, scale, shift, output_kernel, output_bias = (weight[member] for weight in model.get_weights())
        hidden = silu((arrays["images"][:, member] @ kernel + bias) * scale + shift)
        expected = silu(hidden @ output_kernel + output_bias)
        present = arrays["image_mask"][:, member]
        np.testing.assert_allclose(outputs[:, member][present], expected[present], rtol=1e-4, atol=1e-5)
