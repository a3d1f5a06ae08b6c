"""How the weights of WeightedSum and WeightedProduct start, are bounded, learn and come back.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through ``fit``.
"""

from __future__ import annotations

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

from mixed_data.fusion import WeightedProduct, WeightedSum

# The seed answer's example


def make_seed_models() -> tuple[keras.Model, keras.Model]:
    models = []
    for width, hidden in ((5, 100), (7, 70)):
        inputs = keras.Input((width,))
        models.append(keras.Model(inputs, keras.layers.Dense(10)(keras.layers.Dense(hidden)(inputs))))
    return models[0], models[1]


@pytest.mark.parametrize(("layer", "count"), [(WeightedSum(0.1), 2880), (WeightedSum(), 2881)])
def test_seed_example_has_the_stated_number_of_parameters(layer: WeightedSum, count: int) -> None:
    first, second = make_seed_models()
    model = keras.Model([first.input, second.input], layer([first.output, second.output]))
    assert model.count_params() == count
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == count


def test_fixed_weighted_sum_equals_numpy_exactly_in_float32() -> None:
    a, b = make_arrays(2, rows=1000)
    layer = WeightedSum(0.1)
    assert np.array_equal(run(layer, [a, b]), np.float32(0.1) * a + np.float32(0.9) * b)
    assert layer.count_params() == 0


# The weights


def test_learning_starts_at_equal_weights_or_at_alpha() -> None:
    for arguments, num_inputs, expected in (
        ({}, 2, [0.5, 0.5]),
        ({}, 4, [0.25] * 4),
        ({"alpha": 0.1, "learnable": True}, 2, [0.1, 0.9]),
        ({"alpha": (0.1, 0.9), "learnable": True}, 2, [0.1, 0.9]),
        ({"alpha": np.array(THREE), "learnable": True}, 3, THREE),
    ):
        layer = WeightedSum(**arguments)
        layer(make_arrays(num_inputs))
        assert len(layer.trainable_weights) == 1
        np.testing.assert_allclose(layer.fusion_weights(), expected, rtol=1e-6)


@both_weighted
def test_fixed_weights_add_no_parameters_and_are_reported_exactly(fusion: type[WeightedSum]) -> None:
    layer = fusion(THREE)
    with pytest.raises(ValueError, match="call it on its inputs"):
        layer.fusion_weights()
    layer(make_arrays(3))
    assert not layer.weights
    np.testing.assert_array_equal(layer.fusion_weights(), THREE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": -0.1}, r"number in \[0, 1\].*got -0.1"),
        ({"alpha": 1.5}, r"number in \[0, 1\]"),
        ({"alpha": float("nan")}, r"number in \[0, 1\]"),
        ({"alpha": "half"}, "got 'half'"),
        ({"alpha": (0.5, 0.6)}, "sum to 1.1"),
        ({"alpha": (1.5, -0.5)}, r"number in \[0, 1\]"),
        ({"alpha": (1.0,)}, "at least two"),
        ({"alpha": ()}, "at least two"),
        ({"alpha": [[0.5, 0.5]]}, "at least two"),
        ({"learnable": False}, "alpha=0.5"),
    ],
)
@both_weighted
def test_bad_weights_are_refused(fusion: type[WeightedSum], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fusion(**arguments)


@pytest.mark.parametrize(("alpha", "num_inputs"), [(0.1, 3), (THREE, 2), ((0.5, 0.5), 3)])
@both_weighted
def test_weights_for_another_number_of_inputs_are_refused(
    fusion: type[WeightedSum], alpha: Any, num_inputs: int
) -> None:
    with pytest.raises(ValueError, match=f"got {num_inputs} inputs. Give a sequence of {num_inputs} weights"):
        fusion(alpha)(make_arrays(num_inputs))


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
@pytest.mark.parametrize("rate", [0.5, 10.0, 1e6])
@pytest.mark.parametrize("start", [0.0, 1.0])
def test_alpha_stays_inside_its_bounds_and_comes_back_when_the_data_say_so(
    optimizer: type[keras.optimizers.Optimizer], rate: float, start: float
) -> None:
    a, b = make_arrays(2)
    layer = WeightedSum(start, learnable=True)
    model = compile_model(make_model(layer, [a, b]), optimizer(rate))
    for target, expected in ((a, [1, 0]), (b, [0, 1]), (a, [1, 0])):
        for _ in range(30):
            train(model, [a, b], target)
            assert 0 <= layer.get_weights()[0] <= 1
        np.testing.assert_allclose(layer.fusion_weights(), expected, atol=0.02)


@both_weighted
def test_alpha_inside_the_bounds_is_found(fusion: type[WeightedSum]) -> None:
    a, b = make_arrays(2)
    target = run(fusion(0.3), [a, b])
    layer = fusion(1.0, learnable=True)
    model = compile_model(make_model(layer, [a, b]), keras.optimizers.SGD(0.3))
    train(model, [a, b], target, steps=60)
    np.testing.assert_allclose(layer.fusion_weights(), [0.3, 0.7], atol=0.01)


@pytest.mark.parametrize(("stored", "expected"), [(-0.5, [0, 1]), (1.5, [1, 0]), (1e8, [1, 0]), (-3e4, [0, 1])])
@both_weighted
def test_checkpoint_outside_the_bounds_gives_weights_inside_at_once(
    fusion: type[WeightedSum], stored: float, expected: list[int], tmp_path: Path
) -> None:
    arrays = make_arrays(2)
    layer = fusion()
    model = make_model(layer, arrays)
    layer.set_weights([np.float32(stored)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    inside = run(fusion(float(expected[0])), arrays)
    np.testing.assert_allclose(loaded.predict(arrays, verbose=0), inside, rtol=2e-6)
    np.testing.assert_array_equal(loaded.layers[-1].fusion_weights(), expected)
    target = run(fusion(0.5), arrays)
    train(compile_model(loaded, keras.optimizers.SGD(0.5)), arrays, target, steps=40)
    np.testing.assert_allclose(loaded.layers[-1].fusion_weights(), [0.5, 0.5], atol=0.02)


def test_alpha_comes_back_from_outside_the_bounds_where_a_training_loop_ignores_constraints() -> None:
    a, b = make_arrays(2)
    layer = WeightedSum()
    model = compile_model(make_model(layer, [a, b]), keras.optimizers.SGD(0.3))
    layer.trainable_weights[0].constraint = None
    for stored in (-0.5, 1.5):
        layer.set_weights([np.float32(stored)])
        train(model, [a, b], 0.3 * a + 0.7 * b, steps=60)
        np.testing.assert_allclose(layer.fusion_weights(), [0.3, 0.7], atol=0.01)


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD, keras.optimizers.Adam])
@pytest.mark.parametrize("start", [(1, 0, 0), (0, 0.5, 0.5)])
def test_three_weights_reach_every_corner_and_leave_it_again(
    optimizer: type[keras.optimizers.Optimizer], start: tuple[float, ...]
) -> None:
    arrays = make_arrays(3)
    layer = WeightedSum(start, learnable=True)
    model = compile_model(make_model(layer, arrays), optimizer(10.0))
    for winner in (0, 1, 2, 0):
        for _ in range(40):
            train(model, arrays, arrays[winner])
            (stored,) = layer.get_weights()
            assert np.all(stored >= 0)
            assert np.isclose(stored.sum(), 1)
        np.testing.assert_allclose(layer.fusion_weights(), np.eye(3)[winner], atol=0.02)


def test_stored_weights_outside_the_bounds_are_bounded_at_once_and_can_be_trained() -> None:
    arrays = make_arrays(3)
    layer = WeightedSum()
    model = compile_model(make_model(layer, arrays), keras.optimizers.Adam(0.5))
    layer.set_weights([np.array([500.0, 0.0, -500.0], "float32")])
    np.testing.assert_array_equal(layer.fusion_weights(), [1, 0, 0])
    train(model, arrays, arrays[2], steps=30)
    assert layer.fusion_weights()[2] > 0.9


def test_what_would_move_three_weights_alike_is_taken_from_their_gradient() -> None:
    arrays = [10 + array for array in make_arrays(3, rows=256)]
    layer = WeightedSum()
    model = compile_model(make_model(layer, arrays), keras.optimizers.SGD(0.01))
    layer.trainable_weights[0].constraint = None
    train(model, arrays, 10 + arrays[2], steps=20)  # twice as large as any weights that sum to 1 can make it
    (weights,) = layer.get_weights()
    assert np.isclose(weights.sum(), 1, atol=1e-5)
    assert weights[2] > 0.4


@both_weighted
@two_or_three
def test_mixed_precision_training_keeps_the_weights_inside(fusion: type[WeightedSum], num_inputs: int) -> None:
    layer = fusion(dtype="mixed_float16")
    arrays = make_arrays(num_inputs)
    model = compile_model(make_model(layer, arrays), keras.optimizers.Adam(10.0))
    train(model, arrays, arrays[0], steps=3)
    weights = layer.fusion_weights()
    assert np.isclose(weights.sum(), 1)
    assert np.all((weights >= 0) & (weights <= 1))


# Members


@both_weighted
@two_or_three
def test_members_start_alike_and_report_a_row_of_weights_each(fusion: type[WeightedSum], num_inputs: int) -> None:
    arrays = make_arrays(num_inputs, members=4)
    layer = fusion(members=4)
    layer(arrays)
    (weight,) = layer.weights
    assert (weight.name, tuple(weight.shape)) == ("alpha", (4,) if num_inputs == 2 else (4, 3))
    np.testing.assert_allclose(layer.fusion_weights(), np.full((4, num_inputs), 1 / num_inputs), rtol=1e-6)


@pytest.mark.parametrize("learnable", [False, True])
@both_weighted
def test_a_given_alpha_holds_for_all_members(fusion: type[WeightedSum], learnable: bool) -> None:
    for alpha, expected in ((0.1, [0.1, 0.9]), (THREE, THREE)):
        layer = fusion(alpha, learnable=learnable, members=4)
        layer(make_arrays(len(expected), members=4))
        assert len(layer.weights) == learnable
        np.testing.assert_allclose(layer.fusion_weights(), np.tile(expected, (4, 1)), rtol=1e-6)


@both_weighted
def test_each_member_finds_its_own_weight_and_stays_inside_its_bounds(fusion: type[WeightedSum]) -> None:
    a, b = make_arrays(2, rows=64, members=4)
    alphas = np.array([0.0, 0.3, 0.8, 1.0])
    target = np.stack([run(fusion(alpha), [a[:, k], b[:, k]]) for k, alpha in enumerate(alphas)], axis=1)
    layer = fusion(members=4)
    model = compile_model(make_model(layer, [a, b]), keras.optimizers.SGD(1.0))
    layer.set_weights([np.array([-0.5, 1.5, 0.5, 1e8], "float32")])
    np.testing.assert_array_equal(layer.fusion_weights()[:, 0], [0, 1, 0.5, 1])
    for _ in range(60):
        train(model, [a, b], target)
        assert np.all((layer.get_weights()[0] >= 0) & (layer.get_weights()[0] <= 1))
    np.testing.assert_allclose(layer.fusion_weights(), np.stack([alphas, 1 - alphas], axis=1), atol=0.02)


def test_three_weights_are_bounded_within_each_member() -> None:
    arrays = make_arrays(3, members=4)
    layer = WeightedSum(members=4)
    model = compile_model(make_model(layer, arrays), keras.optimizers.SGD(0.0))
    layer.set_weights([np.array([[500, 0, -500], [0, 0, 0], [0.7, -0.2, 0.6], [-900, -900, -900.5]], "float32")])
    expected = [[1, 0, 0], [1 / 3] * 3, [0.55, 0, 0.45], [0.5, 0.5, 0]]
    np.testing.assert_allclose(layer.fusion_weights(), expected, atol=1e-6)
    train(model, arrays, arrays[0])  # The constraint runs after the step; with a rate of zero it is all that does.
    np.testing.assert_allclose(layer.get_weights()[0], expected, atol=1e-6)


# The product


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_product_has_finite_values_and_gradients_from_minus_200_to_200(policy: str) -> None:
    values = np.array([-200, -100, -20, -15, -1, 0, 1, 15, 20, 100, 200], "float32")
    a, b = (grid.reshape(-1, 1) for grid in np.meshgrid(values, values))
    shift_a, shift_b = (keras.layers.Dense(1, kernel_initializer="ones", dtype=policy) for _ in range(2))
    inputs = [keras.Input((1,)), keras.Input((1,))]
    layer = WeightedProduct(0.3, learnable=True, dtype=policy)
    model = keras.Model(inputs, layer([shift_a(inputs[0]), shift_b(inputs[1])]))
    compile_model(model, keras.optimizers.SGD(1e-5))
    tolerance = 1e-5 if policy == "float32" else 2e-3
    expected = positive(a) ** 0.3 * positive(b) ** 0.7
    np.testing.assert_allclose(model.predict([a, b], verbose=0), expected, rtol=tolerance, atol=1e-7)
    before = model.get_weights()
    train(model, [a, b], 1.1 * expected)
    for old, new in zip(before, model.get_weights(), strict=True):
        assert np.all(np.isfinite(new))
        assert not np.array_equal(old, new)


def test_product_in_float16_holds_the_largest_and_smallest_float16_numbers() -> None:
    a = np.array([[60_000.0, -60_000.0, 60_000.0]])
    b = np.array([[60_000.0, -60_000.0, -60_000.0]])
    output = run(WeightedProduct(0.9, learnable=True, dtype="mixed_float16"), [a, b])
    np.testing.assert_allclose(output, [[60_000, 1e-6, 60_000**0.9 * 1e-6**0.1]], rtol=1e-3, atol=1e-7)
