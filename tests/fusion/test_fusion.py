"""Fusion layers: one contract for every entry of FUSIONS, alone and with members.

What single fusions promise beside that stands in test_fusion_weights.py, test_fusion_attention.py and
test_fusion_layers.py. Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through ``fit``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import (
    ORACLES,
    THREE,
    alone_or_members,
    compile_model,
    every_case,
    every_fusion,
    make_arrays,
    make_inputs,
    make_layer,
    make_model,
    run,
    train,
    twin,
    weights_of,
)

from mixed_data.fusion import FUSIONS, Concat, Fusion, WeightedFusion

OPTIONS: list[dict[str, Any]] = [{}, {"units": 6}, {"normalize": True}, {"units": 6, "normalize": True}]
every_option = pytest.mark.parametrize("options", OPTIONS, ids=str)
every_list_fusion = pytest.mark.parametrize(
    "fusion", [fusion for fusion in FUSIONS.values() if not fusion.takes_views], ids=lambda fusion: fusion.__name__
)


# The contract


def test_every_fusion_has_its_oracle_row() -> None:
    assert list(ORACLES) == list(FUSIONS)


@every_fusion
def test_fusion_is_registered_under_the_package_name(name: str) -> None:
    fusion = FUSIONS[name]
    assert keras.saving.get_registered_name(fusion) == f"mixed_data>{fusion.__name__}"


@every_case
@alone_or_members
def test_fusion_equals_numpy(name: str, num_inputs: int, members: int | None) -> None:
    kwargs, oracle = ORACLES[name][num_inputs]
    arrays = make_inputs(name, num_inputs, members)
    layer = make_layer(name, arrays, members=members, **kwargs)
    if members is None:
        expected = oracle(weights_of(layer), *arrays)
    else:
        expected = np.stack(
            [oracle(weights_of(layer, k), *(array[:, k] for array in arrays)) for k in range(members)], axis=1
        )
    np.testing.assert_allclose(run(layer, arrays), expected, rtol=5e-6, atol=2e-6)


@every_case
@every_option
def test_members_are_as_many_layers_side_by_side(name: str, num_inputs: int, options: dict[str, Any]) -> None:
    arrays = make_inputs(name, num_inputs, members=4)
    layer = make_layer(name, arrays, members=4, **options)
    together = run(layer, arrays)
    for member in range(4):
        alone = FUSIONS[name](**options)
        own = [array[:, member] for array in arrays]
        alone.build([array.shape for array in own])
        alone.set_weights([weight[member] for weight in layer.get_weights()])
        np.testing.assert_allclose(together[:, member], run(alone, own), rtol=1e-5, atol=1e-5)


@every_fusion
@every_option
@alone_or_members
def test_two_calls_give_the_same_answer_of_the_announced_shape(
    name: str, options: dict[str, Any], members: int | None
) -> None:
    arrays = make_inputs(name, members=members)
    layer = FUSIONS[name](members=members, **options)
    announced = layer.compute_output_shape([(None, *array.shape[1:]) for array in arrays])
    first = run(layer, arrays)
    np.testing.assert_array_equal(run(layer, arrays), first)
    assert announced == (None, *first.shape[1:])
    assert layer.compute_output_shape([array.shape for array in arrays]) == first.shape
    assert layer.predicts == (first.shape[-1] == 1)


@every_case
@every_option
@alone_or_members
def test_training_changes_every_weight_of_every_member(
    name: str, num_inputs: int, options: dict[str, Any], members: int | None
) -> None:
    arrays = make_inputs(name, num_inputs, members)
    layer = FUSIONS[name](members=members, **options)
    model = compile_model(make_model(layer, arrays, head=True), keras.optimizers.SGD(0.1), eager=True)
    before = [np.array(weight) for weight in layer.get_weights()]
    assert len(layer.trainable_weights) == len(before)
    train(model, arrays, 10 + arrays[0][..., :1], steps=2)  # Film opens the way to its first input with the first.
    for old, new, variable in zip(before, layer.get_weights(), layer.weights, strict=True):
        assert np.all(np.isfinite(new)), variable.path
        for member in range(members or 1):
            index = ... if members is None else member
            assert np.abs(new[index] - old[index]).max() > 1e-5, variable.path  # Not by rounding alone.


@every_fusion
@alone_or_members
def test_a_row_does_not_depend_on_the_other_rows(name: str, members: int | None) -> None:
    arrays = make_inputs(name, members=members)
    layer = make_layer(name, arrays, members=members, normalize=True)
    before = run(layer, arrays)
    for array in arrays:
        array[3:] = False if array.dtype == bool else np.nan
    np.testing.assert_array_equal(run(layer, arrays)[:3], before[:3])


@every_fusion
@every_option
@alone_or_members
def test_config_round_trip_keeps_every_argument(name: str, options: dict[str, Any], members: int | None) -> None:
    own: dict[str, Any] = {"rank": 2} if name == "low_rank_bilinear" else {}
    if issubclass(FUSIONS[name], WeightedFusion):
        own = {"alpha": THREE, "learnable": True}
    layer = FUSIONS[name](name="merge", members=members, **options, **own)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for key, value in {**options, **own, "members": members}.items():
        assert getattr(again, key) == value


@every_case
@pytest.mark.parametrize("options", [OPTIONS[0], OPTIONS[-1]], ids=str)
@alone_or_members
def test_saved_model_loads_without_custom_objects_and_gives_the_same_answer(
    name: str, num_inputs: int, options: dict[str, Any], members: int | None, tmp_path: Path
) -> None:
    arrays = make_inputs(name, num_inputs, members)
    model = make_model(make_layer(name, arrays, members=members, **options), arrays, head=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(run(loaded, arrays), run(model, arrays))


@every_fusion
@every_option
@alone_or_members
def test_mixed_precision_computes_in_float16_and_keeps_weights_in_float32(
    name: str, options: dict[str, Any], members: int | None
) -> None:
    arrays = make_inputs(name, members=members)
    layer = FUSIONS[name](dtype="mixed_float16", members=members, **options)
    output = run(layer, arrays)
    assert output.dtype == np.float16
    assert {weight.dtype for weight in layer.weights} <= {"float32"}
    wide = twin(layer, arrays, dtype="float32")
    np.testing.assert_allclose(output, run(wide, arrays), rtol=5e-3, atol=1e-2)


@every_list_fusion
def test_inputs_may_have_more_axes_even_of_unknown_length(fusion: type[Fusion]) -> None:
    arrays = [array.reshape(2, 2, 4, 5) for array in make_arrays(2)]
    for members in (None, 2):
        layer = fusion(members=members)
        assert layer.compute_output_shape([(2, 2, None, 5), (2, 2, 4, 5)])[:-1] == (2, 2, 4)
        model = keras.Model(inputs := [keras.Input((2, None, 5)), keras.Input((2, None, 5))], layer(inputs))
        np.testing.assert_allclose(run(model, arrays), run(layer, arrays), rtol=1e-6)


@every_list_fusion
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
def test_inputs_without_the_axis_of_members_or_with_another_number_are_refused(name: str) -> None:
    right = [array.shape for array in make_inputs(name, members=4)]
    message = r"members=4 needs inputs of shape \(n, 4, \.\.\., features\)"
    with pytest.raises(ValueError, match=message):
        FUSIONS[name](members=4).build([array.shape for array in make_inputs(name)])
    for found in (3, None):
        wrong = [(rows, found, *rest) for rows, _, *rest in right]
        for shapes in (wrong, [wrong[0], *right[1:]], [*right[:-1], wrong[-1]]):
            with pytest.raises(ValueError, match=message):
                FUSIONS[name](members=4).build(shapes)


@every_fusion
@alone_or_members
def test_one_tensor_or_another_shape_than_built_for_is_refused(name: str, members: int | None) -> None:
    arrays = make_inputs(name, members=members)
    with pytest.raises(ValueError, match="merges a list of"):
        FUSIONS[name](members=members)(arrays[0])
    layer = FUSIONS[name](members=members)
    layer(arrays)
    with pytest.raises(ValueError, match="incompatible"):
        layer([arrays[0][..., :4], *arrays[1:]])
    if members is not None:
        with pytest.raises(ValueError, match="expected axis 1 of input shape to have value 4"):
            layer([array[:, :3] for array in arrays])


@every_fusion
@pytest.mark.parametrize("option", ["units", "members"])
def test_units_and_members_below_one_are_refused(name: str, option: str) -> None:
    with pytest.raises(ValueError, match=f"{option} must be at least 1"):
        FUSIONS[name](**{option: 0})


@pytest.mark.parametrize("name", ["weighted_sum", "weighted_product", "gated", "low_rank_bilinear"])
def test_unequal_widths_are_refused_by_name_and_merged_with_units(name: str) -> None:
    arrays = [np.ones((2, 5), "float32"), np.ones((2, 7), "float32")]
    with pytest.raises(ValueError, match=r"widths \[5, 7\]. Give units="):
        FUSIONS[name]()(arrays)
    assert run(FUSIONS[name](units=3), arrays).shape == (2, 3)


@every_fusion
def test_only_kernels_are_subject_to_weight_decay(name: str) -> None:
    layer = make_layer(name, make_inputs(name), units=6)
    spared = {"alpha", "bias", "gamma", "beta", "scale", "shift", "missing"}  # As in training.py.
    assert {weight.name for weight in layer.weights} - spared <= {"kernel"}


# Projection and normalisation


@alone_or_members
def test_projections_are_dense_layers_of_their_own(members: int | None) -> None:
    a, b = make_arrays(2, members=members)
    layer = Concat(units=3, members=members)
    output = run(layer, [a, b])
    kernel_a, bias_a, kernel_b, bias_b = layer.get_weights()
    assert not np.array_equal(kernel_a, kernel_b)
    expected = [np.einsum("n...f,...fu->n...u", a, kernel_a) + bias_a, np.einsum("n...f,...fu->n...u", b, kernel_b)]
    np.testing.assert_allclose(output, np.concatenate([expected[0], expected[1] + bias_b], -1), rtol=1e-5, atol=1e-6)


@every_fusion
@alone_or_members
def test_the_same_seed_makes_the_same_layer(name: str, members: int | None) -> None:
    arrays = make_inputs(name, members=members)
    outputs = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        outputs.append(run(FUSIONS[name](units=4, members=members), arrays))
    np.testing.assert_array_equal(outputs[0], outputs[1])


@every_fusion
@alone_or_members
def test_normalize_divides_each_row_by_its_root_mean_square(name: str, members: int | None) -> None:
    arrays = make_inputs(name, members=members)
    layer = make_layer(name, arrays, members=members, normalize=True)
    scaled = [
        array if array.dtype == bool else array / np.sqrt(np.mean(array**2, axis=-1, keepdims=True)) for array in arrays
    ]
    expected = run(twin(layer, arrays, normalize=False), scaled)
    np.testing.assert_allclose(run(layer, arrays), expected, rtol=1e-4, atol=1e-5)


@every_fusion
def test_normalize_makes_the_scale_of_a_branch_irrelevant(name: str) -> None:
    a, *others = make_inputs(name)
    layer = FUSIONS[name](normalize=True)
    expected = run(layer, [a, *others])
    np.testing.assert_allclose(run(layer, [1000 * a, *others]), expected, rtol=1e-4, atol=1e-5)


@every_fusion
def test_normalize_in_mixed_precision_survives_numbers_whose_square_overflows(name: str) -> None:
    a, *others = make_inputs(name)
    layer = FUSIONS[name](normalize=True)
    expected = run(layer, [a, *others])
    narrow = twin(layer, [a, *others], dtype="mixed_float16")
    np.testing.assert_allclose(run(narrow, [10_000 * a, *others]), expected, rtol=5e-3, atol=1e-2)


@every_fusion
def test_a_branch_of_zeros_stays_finite_through_a_normalized_step(name: str) -> None:
    arrays = make_inputs(name)
    layer = FUSIONS[name](units=4, normalize=True)
    model = compile_model(make_model(layer, arrays, head=True), keras.optimizers.SGD(0.01), eager=True)
    train(model, [arrays[0], np.zeros_like(arrays[1]), *arrays[2:]], arrays[0][:, :1], steps=2)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


@every_list_fusion
def test_normalize_refuses_a_branch_with_one_feature(fusion: type[Fusion]) -> None:
    with pytest.raises(ValueError, match="only its sign"):
        fusion(normalize=True).build([(None, 1), (None, 1)])
