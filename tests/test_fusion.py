"""Fusion layers: one contract for every entry of FUSIONS, with NumPy oracles; see also test_fusion_weights.py.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through ``fit``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import (
    THREE,
    both_weighted,
    compile_model,
    make_arrays,
    make_model,
    positive,
    run,
    train,
    two_or_three,
)

from mixed_data.fusion import FUSIONS, Concat, Fusion

# One row per entry of FUSIONS: keyword arguments, and the same in NumPy for inputs a, b and for a, b, c.
ORACLES: dict[str, list[tuple[dict[str, Any], Callable[..., np.ndarray]]]] = {
    "concat": [
        ({}, lambda a, b: np.concatenate([a, b], axis=-1)),
        ({}, lambda a, b, c: np.concatenate([a, b, c], axis=-1)),
    ],
    "weighted_sum": [
        ({"alpha": 0.1}, lambda a, b: 0.1 * a + 0.9 * b),
        ({"alpha": THREE}, lambda a, b, c: 0.2 * a + 0.3 * b + 0.5 * c),
    ],
    "weighted_product": [
        ({"alpha": 0.3}, lambda a, b: positive(a) ** 0.3 * positive(b) ** 0.7),
        ({"alpha": THREE}, lambda a, b, c: positive(a) ** 0.2 * positive(b) ** 0.3 * positive(c) ** 0.5),
    ],
}
OPTIONS: list[dict[str, Any]] = [{}, {"units": 6}, {"normalize": True}, {"units": 6, "normalize": True}]
every_fusion = pytest.mark.parametrize("fusion", FUSIONS.values(), ids=list(FUSIONS))
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)


# The contract


def test_every_fusion_has_its_oracle_row() -> None:
    assert list(ORACLES) == list(FUSIONS)


@every_fusion
def test_fusion_is_registered_under_the_package_name(fusion: type[Fusion]) -> None:
    assert keras.saving.get_registered_name(fusion) == f"mixed_data>{fusion.__name__}"


@pytest.mark.parametrize("name", FUSIONS)
@two_or_three
def test_fusion_equals_numpy(name: str, num_inputs: int) -> None:
    kwargs, oracle = ORACLES[name][num_inputs - 2]
    arrays = make_arrays(num_inputs)
    np.testing.assert_allclose(run(FUSIONS[name](**kwargs), arrays), oracle(*arrays), rtol=2e-6, atol=1e-6)


@every_fusion
@every_option
def test_two_calls_give_the_same_answer_of_the_announced_shape(fusion: type[Fusion], options: dict[str, Any]) -> None:
    arrays = make_arrays(3)
    layer = fusion(**options)
    announced = layer.compute_output_shape([(None, 5)] * 3)
    first = run(layer, arrays)
    np.testing.assert_array_equal(run(layer, arrays), first)
    assert announced == (None, *first.shape[1:])
    assert layer.compute_output_shape([(16, 5)] * 3) == first.shape


@every_fusion
@every_option
@two_or_three
def test_one_step_changes_every_weight(fusion: type[Fusion], options: dict[str, Any], num_inputs: int) -> None:
    layer = fusion(**options)
    model = compile_model(make_model(layer, [5] * num_inputs, head=True), keras.optimizers.SGD(0.1))
    before = [np.array(weight) for weight in layer.get_weights()]
    expected = (2 * num_inputs if "units" in options else 0) + (fusion is not Concat)
    assert len(layer.trainable_weights) == len(before) == expected
    arrays = make_arrays(num_inputs)
    train(model, arrays, 10 + arrays[0][:, :1])
    for old, new, variable in zip(before, layer.get_weights(), layer.weights, strict=True):
        assert np.all(np.isfinite(new)), variable.path
        assert not np.array_equal(old, new), variable.path


@every_fusion
@every_option
def test_config_round_trip_keeps_every_argument(fusion: type[Fusion], options: dict[str, Any]) -> None:
    weighted: dict[str, Any] = {} if fusion is Concat else {"alpha": THREE, "learnable": True}
    layer = fusion(name="merge", **options, **weighted)
    again = fusion.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for key, value in {**options, **weighted}.items():
        assert getattr(again, key) == value


@every_fusion
@every_option
@two_or_three
def test_saved_model_loads_without_custom_objects_and_gives_the_same_answer(
    fusion: type[Fusion], options: dict[str, Any], num_inputs: int, tmp_path: Path
) -> None:
    model = make_model(fusion(**options), [5] * num_inputs, head=True)
    generator = np.random.default_rng(0)
    model.set_weights([generator.uniform(0.1, 0.9, weight.shape) for weight in model.get_weights()])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    arrays = make_arrays(num_inputs)
    np.testing.assert_array_equal(run(loaded, arrays), run(model, arrays))


@every_fusion
@every_option
def test_mixed_precision_computes_in_float16_and_keeps_weights_in_float32(
    fusion: type[Fusion], options: dict[str, Any]
) -> None:
    layer = fusion(dtype="mixed_float16", **options)
    arrays = make_arrays(2)
    output = run(layer, arrays)
    assert output.dtype == np.float16
    assert {weight.dtype for weight in layer.weights} <= {"float32"}
    wide = fusion(dtype="float32", **options)
    wide.build([(None, 5), (None, 5)])
    wide.set_weights(layer.get_weights())
    np.testing.assert_allclose(output, run(wide, arrays), rtol=5e-3, atol=5e-3)


@every_fusion
def test_inputs_may_have_more_axes(fusion: type[Fusion]) -> None:
    generator = np.random.default_rng(0)
    arrays = [generator.normal(size=(2, 3, 4)).astype("float32") for _ in range(2)]
    layer = fusion()
    assert run(layer, arrays).shape == layer.compute_output_shape([(2, None, 4), (2, 3, 4)])


@every_fusion
@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(None, 5)], "at least two inputs"),
        ((None, 5), "at least two inputs"),
        ([(None,), (None,)], r"shape \(n, \.\.\., features\)"),
        ([(None, 5), (None, None)], "known number of features"),
        ([(None, 5), (None, 3, 5)], "same number of axes"),
        ([(None, 2, 5), (None, 3, 5)], "agree in all axes but the last"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(fusion: type[Fusion], shapes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fusion().build(shapes)


@every_fusion
def test_one_tensor_or_another_width_than_built_for_is_refused(fusion: type[Fusion]) -> None:
    arrays = make_arrays(2)
    with pytest.raises(ValueError, match="at least two inputs"):
        fusion()(arrays[0])
    layer = fusion()
    layer(arrays)
    with pytest.raises(ValueError, match="incompatible"):
        layer([array[:, :4] for array in arrays])


@both_weighted
def test_unequal_widths_are_refused_by_name_and_projected_with_units(fusion: type[Fusion]) -> None:
    arrays = [np.ones((2, 5), "float32"), np.ones((2, 7), "float32")]
    with pytest.raises(ValueError, match=r"widths \[5, 7\]. Give units="):
        fusion()(arrays)
    assert run(fusion(units=3), arrays).shape == (2, 3)


@every_fusion
def test_units_below_one_are_refused(fusion: type[Fusion]) -> None:
    with pytest.raises(ValueError, match="units must be at least 1"):
        fusion(units=0)


# Projection and normalisation


def test_projections_are_dense_layers_of_their_own() -> None:
    a, b = make_arrays(2)
    layer = Concat(units=3)
    output = run(layer, [a, b])
    kernel_a, bias_a, kernel_b, bias_b = layer.get_weights()
    assert not np.array_equal(kernel_a, kernel_b)
    np.testing.assert_allclose(
        output, np.concatenate([a @ kernel_a + bias_a, b @ kernel_b + bias_b], -1), rtol=1e-5, atol=1e-6
    )


@every_fusion
def test_the_same_seed_makes_the_same_projections(fusion: type[Fusion]) -> None:
    arrays = make_arrays(2)
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        outputs.append(run(fusion(units=4), arrays))
    np.testing.assert_array_equal(outputs[0], outputs[1])


@every_fusion
def test_normalize_divides_each_row_by_its_root_mean_square(fusion: type[Fusion]) -> None:
    arrays = make_arrays(2)
    scaled = [array / np.sqrt(np.mean(array**2, axis=-1, keepdims=True)) for array in arrays]
    np.testing.assert_allclose(run(fusion(normalize=True), arrays), run(fusion(), scaled), rtol=1e-4, atol=1e-5)


@every_fusion
def test_normalize_makes_the_scale_of_a_branch_irrelevant(fusion: type[Fusion]) -> None:
    a, b = make_arrays(2)
    layer = fusion(normalize=True)
    np.testing.assert_allclose(run(layer, [1000 * a, b]), run(layer, [a, b]), rtol=1e-4, atol=1e-5)


@every_fusion
def test_normalize_in_mixed_precision_survives_numbers_whose_square_overflows(fusion: type[Fusion]) -> None:
    a, b = make_arrays(2)
    output = run(fusion(normalize=True, dtype="mixed_float16"), [10_000 * a, b])
    np.testing.assert_allclose(output, run(fusion(normalize=True), [a, b]), rtol=5e-3, atol=5e-3)


@every_fusion
def test_a_branch_of_zeros_stays_finite_through_a_normalized_step(fusion: type[Fusion]) -> None:
    layer = fusion(units=4, normalize=True)
    model = compile_model(make_model(layer, [5, 5], head=True), keras.optimizers.SGD(0.01))
    a, _ = make_arrays(2)
    train(model, [a, np.zeros_like(a)], a[:, :1], steps=2)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


@every_fusion
def test_normalize_refuses_a_branch_with_one_feature(fusion: type[Fusion]) -> None:
    with pytest.raises(ValueError, match="only its sign"):
        fusion(normalize=True).build([(None, 1), (None, 1)])
