"""Keras masks through fusion layers: kept as `keras.layers.Average` and `Concatenate` keep them.

Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import make_inputs, make_layer, run
from keras import ops
from reliability import Case, documented

from mixed_data.fusion import FUSIONS, Fusion
from mixed_data.members import MemberDense
from mixed_data.network import ViewEmbedding

LISTS = [name for name, fusion in FUSIONS.items() if not fusion.takes_views]
# Steps of two sequences; 0 is padding.
STEPS = [np.array([[1, 2, 0, 0, 0], [3, 0, 4, 0, 5]]), np.array([[1, 2, 3, 0, 0], [0, 0, 2, 0, 1]])]


class MaskSeen(keras.layers.Layer):
    """Gives the Keras mask of what it gets, as 0 and 1; -1 where there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        nothing = ops.zeros_like(inputs[..., 0])
        return nothing - 1 if mask is None else nothing + ops.cast(mask, nothing.dtype)


def embed(masked: tuple[bool, bool] = (True, True), shape: tuple[int, ...] = (5,)) -> tuple[Any, list[Any]]:
    """Symbols of two sequences and their embeddings, with a mask or without one."""
    symbols = [keras.Input(shape, dtype="int32") for _ in masked]
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Embedding(9, 4, mask_zero=zero) for zero in masked]
    return symbols, [layer(symbol) for layer, symbol in zip(layers, symbols, strict=True)]


def see_mask(layer: keras.Layer, masked: tuple[bool, bool], steps: list[np.ndarray]) -> np.ndarray:
    symbols, embeddings = embed(masked, steps[0].shape[1:])
    return run(keras.Model(symbols, MaskSeen()(layer(embeddings))), steps)


def merging_layer(name: str) -> keras.Layer:
    return keras.layers.Concatenate() if name == "concat" else keras.layers.Average()


MASKED = [
    Case(f"padded sequences into {FUSIONS[name].__name__}", "the padding stays masked, as in Keras' own layers", name)
    for name in LISTS
]


@documented("Fusion layers", MASKED)
@pytest.mark.parametrize("options", [{}, {"units": 6, "normalize": True}], ids=str)
def test_padding_is_left_out_behind_a_fusion(case: Case, options: dict[str, Any]) -> None:
    symbols, embeddings = embed()
    merged = FUSIONS[case.given](**options)(embeddings)
    mean = keras.layers.GlobalAveragePooling1D()(merged)
    values, means = (keras.ops.convert_to_numpy(x) for x in keras.Model(symbols, [merged, mean])(STEPS))
    there = (STEPS[0] > 0) | (STEPS[1] > 0)
    expected = [row[mask].mean(axis=0) for row, mask in zip(values, there, strict=True)]
    np.testing.assert_allclose(means, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("masked", [(True, True), (True, False), (False, True), (False, False)], ids=str)
def test_the_mask_is_that_of_the_merging_layer_of_keras(name: str, masked: tuple[bool, bool]) -> None:
    expected = see_mask(merging_layer(name), masked, STEPS)
    np.testing.assert_array_equal(see_mask(FUSIONS[name](), masked, STEPS), expected)
    assert set(np.unique(expected)) == ({0, 1} if all(masked) else {1} if name == "concat" and any(masked) else {-1})


@pytest.mark.parametrize("name", LISTS)
def test_members_keep_the_mask(name: str) -> None:
    steps = [np.stack([each, each[:, ::-1]], axis=1) for each in STEPS]
    expected = see_mask(merging_layer(name), (True, True), steps)
    np.testing.assert_array_equal(see_mask(FUSIONS[name](units=4, members=2), (True, True), steps), expected)


@pytest.mark.parametrize("make", [lambda: MemberDense(3), ViewEmbedding], ids=["MemberDense", "ViewEmbedding"])
def test_layers_of_the_branches_keep_the_mask(make: Any) -> None:
    symbol = keras.Input((2, 5), dtype="int32")
    seen = MaskSeen()(make()(keras.layers.Embedding(9, 4, mask_zero=True)(symbol)))
    steps = np.stack(STEPS, axis=1)
    np.testing.assert_array_equal(run(keras.Model(symbol, seen), steps), steps > 0)


def test_a_view_that_keras_masks_counts_as_missing() -> None:
    table, views, present = make_inputs("attention")
    views[:, 0], views[:, 1:] = 0, np.abs(views[:, 1:]) + 1
    layer: Fusion = make_layer("attention", [table, views, present], units=4)
    symbols = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in (table, views, present)]
    masked = keras.layers.Masking(0.0)(symbols[1])
    model = keras.Model(symbols, layer([symbols[0], masked, symbols[2]]))
    without_first = present & [False, True, True]
    np.testing.assert_array_equal(run(model, [table, views, present]), run(layer, [table, views, without_first]))


def test_the_result_of_attention_is_masked_as_the_table_is() -> None:
    table, views, present = make_inputs("attention")
    table[3] = 0
    symbols = [keras.Input(array.shape[1:], dtype=array.dtype.name) for array in (table, views, present)]
    merged = FUSIONS["attention"]()([keras.layers.Masking(0.0)(symbols[0]), *symbols[1:]])
    seen = run(keras.Model(symbols, MaskSeen()(merged)), [table, views, present])
    np.testing.assert_array_equal(seen, np.arange(len(table)) != 3)
