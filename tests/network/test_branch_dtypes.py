"""The layers of the branches on inputs of any dtype; also run by ``make backends`` under JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from mixed_data.members import MemberDense
from mixed_data.network import MaskedMean, ModalityDropout, OrMissing, PrincipalComponents, ViewEmbedding
from mixed_data.network.photo_augmentation import MirrorAndShift

MASK = np.array([[True, True], [True, False], [False, False]])
# Each layer, the shape of what it is given, and whether the mask of the views comes with it.
LAYERS: dict[str, tuple[Callable[[], keras.Layer], tuple[int, ...], bool]] = {
    "MemberDense": (lambda: MemberDense(4), (3, 2, 5), False),
    "MemberDense of one member": (lambda: MemberDense(4), (3, 1, 5), False),
    "ViewEmbedding": (ViewEmbedding, (3, 2, 5), False),
    "OrMissing": (OrMissing, (3, 5), True),
    "MaskedMean": (MaskedMean, (3, 2, 5), True),
    "PrincipalComponents": (lambda: PrincipalComponents(2), (3, 2, 5), True),
}
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "float16"]
if keras.backend.backend() != "jax":  # which has no 64 bits unless asked before it starts
    DTYPES += ["int64", "float64"]
every_dtype = pytest.mark.parametrize("dtype", DTYPES)


def make_numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, shape).astype(dtype)


def call_both_ways(layer: keras.Layer, inputs: Any, *, training: bool = False) -> Any:
    """Call a layer on arrays, and check that a model of it announces and gives the same dtypes."""
    outputs = layer(inputs, training=training) if training else layer(inputs)
    symbols = keras.tree.map_structure(lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name), inputs)
    announced = layer(symbols)
    given = keras.Model(symbols, announced)(inputs, training=training)
    dtypes = [
        [keras.backend.standardize_dtype(tensor.dtype) for tensor in keras.tree.flatten(tensors)]
        for tensors in (outputs, announced, given)
    ]
    assert dtypes[0] == dtypes[1] == dtypes[2]
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


@every_dtype
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_computes_any_dtype_as_float32(name: str, dtype: str) -> None:
    make, shape, has_mask = LAYERS[name]
    layer, numbers = make(), make_numbers(shape, dtype)
    inputs, floats = ([array, MASK] if has_mask else array for array in (numbers, numbers.astype("float32")))
    layer(floats)
    generator = np.random.default_rng(1)
    layer.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in layer.get_weights()])
    output = call_both_ways(layer, inputs)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, keras.ops.convert_to_numpy(layer(floats)))


@every_dtype
@pytest.mark.parametrize("training", [False, True])
def test_modality_dropout_makes_bool_masks_of_any_dtype(dtype: str, *, training: bool) -> None:
    masks = call_both_ways(
        ModalityDropout(0.5, seed=0), [MASK.astype(dtype), MASK[:, :1].astype(dtype)], training=training
    )
    assert [mask.dtype for mask in masks] == [np.bool_, np.bool_]
    if not training:
        np.testing.assert_array_equal(masks[0], MASK)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32"])
@pytest.mark.parametrize("training", [False, True])
def test_augmented_photos_keep_their_dtype(dtype: str, *, training: bool) -> None:
    photos = make_numbers((2, 8, 8, 3), dtype)
    changed = call_both_ways(MirrorAndShift(seed=0), photos, training=training)
    assert changed.dtype == photos.dtype
    assert np.isin(changed, photos).all()
