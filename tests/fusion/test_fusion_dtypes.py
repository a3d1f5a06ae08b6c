"""Fusion layers compute in their compute dtype, whatever the dtype of each input; also run by ``make backends``."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import (
    ORACLES,
    Arrays,
    every_case,
    every_fusion,
    make_inputs,
    make_layer,
    make_model,
    run,
    weights_of,
)
from reliability import Case, documented

from mixed_data.fusion import FUSIONS, Fusion, WeightedProduct, WeightedSum

INTEGERS = ["bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES = [
    *(Case(f"inputs of {dtype}", "merged as floats are", (dtype, dtype)) for dtype in INTEGERS),
    *(Case(f"inputs of {dtype}", "merged", (dtype, dtype)) for dtype in ("float16", "float32", "float64")),
    Case("an input of int32 and one of float32", "merged as floats are", ("int32", "float32")),
    Case("an input of float64 and one of uint8", "merged as floats are", ("float64", "uint8")),
    Case("an input of bool and one of int64", "merged as floats are", ("bool", "int64")),
]
OPTIONS: list[dict[str, Any]] = [{}, {"units": 6, "members": 4}]


def is_view_mask(name: str, position: int) -> bool:
    return FUSIONS[name].takes_views and position == 2


def make_numbers(name: str, num_inputs: int, dtypes: tuple[str, str], members: int | None = None) -> Arrays:
    """Make whole numbers from 0 to 9, the first input in the first dtype and the others in the second."""
    if keras.backend.backend() == "torch" and "uint64" in dtypes:
        pytest.skip("PyTorch has no uint64")
    arrays = make_inputs(name, num_inputs, members)
    generator = np.random.default_rng(2)
    return [
        array if is_view_mask(name, position) else generator.integers(0, 10, array.shape).astype(dtypes[position > 0])
        for position, array in enumerate(arrays)
    ]


def widen(name: str, arrays: Arrays, dtype: str = "float32") -> Arrays:
    return [array if is_view_mask(name, i) else array.astype(dtype) for i, array in enumerate(arrays)]


@cache
def make_layer_once(name: str, num_inputs: int) -> Fusion:
    return make_layer(name, make_inputs(name, num_inputs), **ORACLES[name][num_inputs][0])


@documented("Fusion layers", DTYPES)
@every_case
def test_a_fusion_of_any_dtype_equals_numpy_in_the_compute_dtype(name: str, num_inputs: int, case: Case) -> None:
    layer, oracle = make_layer_once(name, num_inputs), ORACLES[name][num_inputs][1]
    arrays = make_numbers(name, num_inputs, case.given)
    output = run(layer, arrays)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, oracle(weights_of(layer), *widen(name, arrays, "float64")), rtol=1e-5, atol=1e-5)


@every_case
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtypes", [("int32", "int32"), ("uint8", "float32"), ("bool", "bool")], ids=str)
def test_a_model_with_inputs_of_integers_announces_and_gives_floats(
    name: str, num_inputs: int, options: dict[str, Any], dtypes: tuple[str, str]
) -> None:
    arrays = make_numbers(name, num_inputs, dtypes, options.get("members"))
    layer = make_layer(name, arrays, normalize=True, **options)
    model = make_model(layer, arrays)
    assert model.outputs[0].dtype == "float32"
    output = run(model, arrays)
    assert output.dtype == np.float32
    np.testing.assert_allclose(output, run(layer, widen(name, arrays)), rtol=1e-6)


@every_fusion
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_integers_are_computed_in_the_dtype_of_the_policy(name: str, policy: str) -> None:
    if policy == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 unless asked before it starts")
    arrays = make_numbers(name, min(ORACLES[name]), ("int32", "uint8"))
    layer = make_layer(name, arrays, units=4, normalize=True, dtype=policy)
    model = make_model(layer, arrays)
    expected = layer(widen(name, arrays))
    for output in (layer(arrays), model(arrays)):
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype == model.outputs[0].dtype
        floats, same = (keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")) for x in (output, expected))
        np.testing.assert_allclose(floats, same, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "float64"])
def test_the_mask_of_views_may_be_numbers_beside_a_table_and_views_of_integers(dtype: str) -> None:
    table, views, mask = make_numbers("attention", 3, ("int32", "uint8"))
    layer = make_layer("attention", [table, views, mask], units=4)
    expected = ORACLES["attention"][3][1](weights_of(layer), table, views, mask)
    numbers = [table, views, (7 * mask).astype(dtype)]
    np.testing.assert_allclose(run(layer, numbers), expected, rtol=1e-5, atol=1e-5)
    weights = keras.ops.convert_to_numpy(layer.attention_weights(numbers))
    np.testing.assert_allclose(weights.sum(axis=1), mask.any(axis=1), rtol=1e-6)


def test_two_pictures_are_mixed_by_hand() -> None:
    pictures = [np.array([[250, 10]], "uint8"), np.array([[150, 20]], "uint8")]  # Their sum passes 255.
    np.testing.assert_allclose(run(WeightedSum(alpha=0.1), pictures), [[160, 19]], rtol=1e-6)
    np.testing.assert_allclose(run(WeightedSum(), pictures), run(keras.layers.Average(), widen("late", pictures)))
    np.testing.assert_allclose(run(WeightedProduct(alpha=0.5), [np.array([[40]]), np.array([[90]])]), [[60]], rtol=1e-5)


@pytest.mark.parametrize("lists", [[[[100, 10]], [[200, 20]]], ([[100.0, 10]], np.array([[200, 20]]))], ids=str)
def test_lists_of_numbers_are_taken_as_arrays(lists: Any) -> None:
    np.testing.assert_allclose(run(WeightedSum(alpha=0.1), lists), [[190, 19]], rtol=1e-6)
