"""The network: modalities, parameters counted by hand, the linear path, and every fusion of the registry.

Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mixed_data.fusion import FUSIONS
from mixed_data.model import INPUT_NAMES, MODALITIES, build_model

Arrays = dict[str, np.ndarray]
NUM_FEATURES, IMAGE_SHAPE, UNITS, NUM_ROWS = 5, (2, 16, 16, 3), 6, 8
# Parameters of a fusion of two vectors of 6, and of the head behind it.
NUM_HEAD = (6 * 6 + 6) + (6 + 1)
NUM_FUSION_AND_HEAD = {"concat": NUM_HEAD + 6 * 6, "weighted_sum": 1 + NUM_HEAD, "weighted_product": 1 + NUM_HEAD}
every_modality = pytest.mark.parametrize("modalities", MODALITIES)


def make_model(**options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    return build_model(**{"num_features": NUM_FEATURES, "image_shape": IMAGE_SHAPE, "units": UNITS, **options})


def make_arrays(modalities: str = "both") -> Arrays:
    generator = np.random.default_rng(1)
    arrays = {
        "tabular": generator.normal(size=(NUM_ROWS, NUM_FEATURES)).astype("float32"),
        "images": generator.integers(0, 256, (NUM_ROWS, *IMAGE_SHAPE), dtype="uint8"),
        "image_mask": generator.random((NUM_ROWS, IMAGE_SHAPE[0])) < 0.7,
    }
    return {name: arrays[name] for name in INPUT_NAMES[modalities]}


def run(model: keras.Model, arrays: Arrays) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(arrays, training=False))


@pytest.fixture(scope="module", params=FUSIONS)
def fused(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    """Give the name of a fusion and a network with it; tests leave its weights alone."""
    model = make_model(fusion=request.param)
    generator = np.random.default_rng(2)
    for weight in model.trainable_weights:
        if len(weight.shape) < 4:
            weight.assign(generator.uniform(0.1, 0.4, weight.shape))
    return request.param, model


@pytest.fixture
def mixed_precision() -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


def test_every_fusion_has_its_row() -> None:
    assert list(NUM_FUSION_AND_HEAD) == list(FUSIONS)


@every_modality
def test_network_of_a_modality_takes_its_inputs_and_gives_one_number_per_row(modalities: str) -> None:
    model = make_model(modalities=modalities)
    assert tuple(model.input) == INPUT_NAMES[modalities]
    assert {name: (tensor.dtype, tensor.shape) for name, tensor in model.input.items()} == {
        name: value
        for name, value in {
            "tabular": ("float32", (None, 5)),
            "images": ("uint8", (None, 2, 16, 16, 3)),
            "image_mask": ("bool", (None, 2)),
        }.items()
        if name in INPUT_NAMES[modalities]
    }
    prediction = run(model, make_arrays(modalities))
    assert prediction.shape == (NUM_ROWS, 1)
    assert prediction.dtype == np.float32
    assert len(np.unique(prediction)) > 1


def count(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_network_has_the_parameters_of_its_branches_and_those_counted_by_hand(fused: tuple[str, keras.Model]) -> None:
    num_tabular = count(make_model(modalities="tabular")) - NUM_HEAD - 5  # 5 of the linear path
    num_image = count(make_model(modalities="image")) - NUM_HEAD
    assert num_tabular == (5 * 12 + 12) + (12 * 6 + 6)
    assert num_image == count(keras.Model(*branch_of(fused[1])))
    assert count(fused[1]) == num_tabular + num_image + NUM_FUSION_AND_HEAD[fused[0]] + 5


def branch_of(model: keras.Model) -> tuple[list[Any], Any]:
    return [model.input["images"], model.input["image_mask"]], model.get_layer("masked_mean").output


@every_modality
def test_unimodal_network_needs_nothing_of_the_other_modality(modalities: str) -> None:
    if modalities != "image":
        with pytest.raises(ValueError, match=f"modalities='{modalities}' needs at least one numeric"):
            make_model(modalities=modalities, num_features=0)
    if modalities != "tabular":
        with pytest.raises(ValueError, match=f"modalities='{modalities}' needs at least one image column"):
            make_model(modalities=modalities, image_shape=(0, 16, 16, 3))
    assert make_model(modalities="image", num_features=0).output_shape == (None, 1)
    assert make_model(modalities="tabular", image_shape=(0, 16, 16, 3)).output_shape == (None, 1)


def test_every_fusion_predicts_the_same_after_save_and_load_without_custom_objects(
    fused: tuple[str, keras.Model], tmp_path: Path
) -> None:
    _, model = fused
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    arrays = make_arrays()
    prediction = run(model, arrays)
    np.testing.assert_array_equal(run(loaded, arrays), prediction)
    assert np.all(np.isfinite(prediction))
    assert len(np.unique(prediction)) == NUM_ROWS


def test_fusion_merges_the_branches_and_head_and_linear_path_are_added(fused: tuple[str, keras.Model]) -> None:
    _, model = fused
    arrays = make_arrays()
    layers = [model.get_layer(name) for name in ("mlp_output", "masked_mean", "fusion")]
    parts = keras.Model(model.input, [layer.output for layer in layers])(arrays, training=False)
    tabular, image, merged = map(keras.ops.convert_to_numpy, parts)
    np.testing.assert_allclose(merged, keras.ops.convert_to_numpy(layers[-1]([tabular, image])), rtol=1e-5)
    hidden_kernel, hidden_bias = model.get_layer("head_hidden").get_weights()
    hidden = merged @ hidden_kernel + hidden_bias
    kernel, bias = model.get_layer("head").get_weights()
    (linear,) = model.get_layer("linear").get_weights()
    expected = hidden / (1 + np.exp(-hidden)) @ kernel + bias + arrays["tabular"] @ linear
    np.testing.assert_allclose(run(model, arrays), expected, rtol=1e-4, atol=1e-5)


def test_the_first_weight_of_the_fusion_is_that_of_the_table() -> None:
    model, arrays = make_model(), make_arrays()
    black = {**arrays, "images": np.zeros_like(arrays["images"])}
    model.get_layer("fusion").set_weights([np.float32(1.0)])
    np.testing.assert_array_equal(run(model, black), run(model, arrays))
    model.get_layer("fusion").set_weights([np.float32(0.0)])
    other_rows = {**arrays, "tabular": arrays["tabular"][::-1]}
    np.testing.assert_array_equal(run(model, other_rows), run(model, arrays))
    assert not np.array_equal(run(model, black), run(model, arrays))


def test_normalize_makes_the_scale_of_a_branch_irrelevant() -> None:
    model, arrays = make_model(normalize=True), make_arrays()
    arrays["image_mask"][:] = False
    vector = np.arange(1.0, 7.0)
    model.get_layer("masked_mean").set_weights([vector])
    before = run(model, arrays)
    model.get_layer("masked_mean").set_weights([1000 * vector])
    np.testing.assert_allclose(run(model, arrays), before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("modalities", ["both", "tabular"])
def test_the_linear_path_starts_at_zero_and_adds_to_the_prediction(modalities: str) -> None:
    model, arrays = make_model(modalities=modalities), make_arrays(modalities)
    linear = model.get_layer("linear")
    assert linear.bias is None
    np.testing.assert_array_equal(linear.get_weights()[0], np.zeros((NUM_FEATURES, 1)))
    before = run(model, arrays)
    kernel = np.arange(1.0, 6.0)[:, None]
    linear.set_weights([kernel])
    np.testing.assert_allclose(run(model, arrays) - before, arrays["tabular"] @ kernel, rtol=1e-4, atol=1e-4)


def test_dropout_of_each_branch_is_its_own() -> None:
    model = make_model(dropout=0.1, image_dropout=0.4)
    assert model.get_layer("mlp_dropout").rate == 0.1
    assert model.get_layer("cnn_dropout").rate == 0.4


def test_the_same_seed_builds_the_same_network() -> None:
    for first, second in zip(make_model().get_weights(), make_model().get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@every_modality
@pytest.mark.usefixtures("mixed_precision")
def test_mixed_precision_computes_in_float16_and_predicts_in_float32(modalities: str) -> None:
    model, arrays = make_model(modalities=modalities), make_arrays(modalities)
    branch = model.get_layer("cnn_output" if modalities == "image" else "mlp_output")
    assert branch.compute_dtype == "float16"
    keras.config.set_dtype_policy("float32")
    prediction = run(model, arrays)
    assert prediction.dtype == np.float32
    np.testing.assert_allclose(prediction, run(make_model(modalities=modalities), arrays), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "sum"}, r"fusion: expected one of \['concat', .*'weighted_sum'\], got 'sum'"),
        ({"tabular_branch": "MLP"}, r"tabular_branch: expected one of \[.*'mlp'.*\], got 'MLP'"),
        ({"image_branch": ""}, r"image_branch: expected one of \[.*'cnn'.*\], got ''"),
        ({"modalities": "table"}, r"modalities: expected one of \['both', 'tabular', 'image'\], got 'table'"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_model(**options)
