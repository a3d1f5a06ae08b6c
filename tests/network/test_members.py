"""Layers whose every member has weights of its own; also run by ``make backends`` under JAX and PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import compile_model

from mixed_data.members import MemberDense, each_member

SHAPES = [(7, 3, 5), (7, 3, 2, 5), (2, 3, 4, 2, 5)]


def make_features(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def run(layer: keras.Layer, features: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(features))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("use_bias", [True, False])
def test_each_member_is_the_dense_layer_with_its_weights(shape: tuple[int, ...], use_bias: bool) -> None:
    features = make_features(shape)
    layer = MemberDense(4, activation="tanh", use_bias=use_bias, bias_initializer="normal")
    outputs = run(layer, features)
    assert outputs.shape == layer.compute_output_shape(shape) == (*shape[:-1], 4)
    for member in range(3):
        alone = keras.layers.Dense(4, activation="tanh", use_bias=use_bias)
        alone.build((*shape[:1], *shape[2:]))
        alone.set_weights([weight[member] for weight in layer.get_weights()])
        np.testing.assert_allclose(outputs[:, member], run(alone, features[:, member]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("initializer", ["glorot_uniform", "he_normal", "lecun_normal", "orthogonal"])
def test_each_kernel_starts_as_wide_as_that_of_a_dense_layer(initializer: str) -> None:
    layer = MemberDense(64, kernel_initializer=initializer)
    layer.build((None, 5, 64))
    alone = keras.layers.Dense(64, kernel_initializer=initializer)
    alone.build((None, 64))
    np.testing.assert_allclose(layer.get_weights()[0].std(axis=(1, 2)), alone.get_weights()[0].std(), rtol=0.1)


@pytest.mark.parametrize(
    "initializer",
    [
        "glorot_uniform",
        keras.initializers.GlorotUniform(seed=5),
        keras.initializers.RandomNormal(seed=-5),
        keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(5)),
    ],
    ids=["by name", "seed", "negative seed", "seed generator"],
)
def test_no_two_members_start_alike(initializer: Any) -> None:
    values = keras.ops.convert_to_numpy(each_member(keras.initializers.get(initializer))((6, 4, 4)))
    correlations = np.corrcoef(values.reshape(6, 16))
    assert np.abs(correlations - np.eye(6)).max() < 0.9


def test_the_same_seed_starts_the_same_members() -> None:
    kernels = []
    for initializer in (keras.initializers.HeNormal(seed=5), keras.initializers.HeNormal(seed=5)):
        layer = MemberDense(4, kernel_initializer=initializer)
        layer.build((None, 3, 5))
        kernels.append(layer.get_weights()[0])
    np.testing.assert_array_equal(kernels[0], kernels[1])
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        outputs.append(run(MemberDense(4), make_features((7, 3, 5))))
    np.testing.assert_array_equal(outputs[0], outputs[1])


def test_initializers_without_a_seed_are_used_as_they_are() -> None:
    values = each_member(keras.initializers.get("identity"))((2, 3, 3))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(values), np.stack([np.eye(3)] * 2))


def test_a_member_learns_from_its_own_output_only() -> None:
    features = make_features((7, 3, 5))
    layer = MemberDense(1)
    inputs = keras.Input((3, 5))
    model = compile_model(keras.Model(inputs, layer(inputs)), keras.optimizers.SGD(0.1))
    before = layer.get_weights()
    target = run(layer, features)
    target[:, 1] += 1
    model.train_on_batch(features, target)
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert not np.allclose(old[1], new[1], atol=1e-4)
        np.testing.assert_allclose(old[[0, 2]], new[[0, 2]], atol=1e-6)


def test_mixed_precision_computes_in_float16_and_keeps_weights_in_float32() -> None:
    layer = MemberDense(4, bias_initializer="normal", dtype="mixed_float16")
    features = make_features((7, 3, 5))
    outputs = run(layer, features)
    assert outputs.dtype == np.float16
    assert [weight.dtype for weight in layer.weights] == ["float32", "float32"]
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(outputs, np.einsum("nkf,kfu->nku", features, kernel) + bias, atol=5e-3)


def test_saved_model_loads_without_custom_objects_and_gives_the_same_answer(tmp_path: Path) -> None:
    inputs = keras.Input((3, 5))
    layer = MemberDense(4, activation="silu", use_bias=False, kernel_initializer=keras.initializers.HeNormal(seed=2))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    features = make_features((7, 3, 5))
    np.testing.assert_array_equal(run(loaded, features), run(model, features))
    assert loaded.layers[-1].get_config() == layer.get_config()


@pytest.mark.parametrize("shape", [(None, 5), (None, None, 5), (None, 3, None)])
def test_an_input_without_members_is_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ValueError, match=r"needs an input of shape \(n, members, \.\.\., features\)"):
        MemberDense(4).build(shape)


def test_another_number_of_members_than_built_for_is_refused() -> None:
    layer = MemberDense(4)
    layer.build((None, 3, 5))
    with pytest.raises(ValueError, match="expected axis 1 of input shape to have value 3"):
        layer(make_features((7, 2, 5)))


def test_units_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="units must be at least 1, got 0"):
        MemberDense(0)
