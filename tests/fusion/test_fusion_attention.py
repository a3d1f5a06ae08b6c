"""AttentionPooling: what its weights are, and what masked views and rows without views give.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through ``fit``.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import (
    Arrays,
    alone_or_members,
    compile_model,
    dense,
    make_inputs,
    make_layer,
    make_model,
    run,
    softmax,
    train,
    weights_of,
)

from mixed_data.fusion import FUSIONS, AttentionPooling


def see(layer: AttentionPooling, arrays: Arrays) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer.attention_weights(arrays))


def make_attention(members: int | None = None, **arguments: Any) -> tuple[AttentionPooling, Arrays]:
    arrays = make_inputs("attention", members=members)
    return make_layer("attention", arrays, members=members, **arguments), arrays


def test_attention_is_the_only_fusion_that_takes_views() -> None:
    assert [name for name, fusion in FUSIONS.items() if fusion.takes_views] == ["attention"]


def test_attention_weights_are_the_softmax_of_scaled_products_over_the_views_that_are_there() -> None:
    layer, (table, views, mask) = make_attention(units=7)
    weights = weights_of(layer)
    scores = np.einsum("nu,nvu->nv", dense(weights, "query", table), views @ weights["key/kernel"]) / np.sqrt(7)
    expected = softmax(np.where(mask, scores, -np.inf)[mask.any(axis=1)])
    found = see(layer, [table, views, mask])
    np.testing.assert_allclose(found[mask.any(axis=1)], expected, rtol=1e-5, atol=1e-6)
    assert not found[~mask.any(axis=1)].any()


@alone_or_members
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_result_is_the_table_and_the_weighted_mean_of_the_views(members: int | None, policy: str) -> None:
    layer, (table, views, mask) = make_attention(members, dtype=policy)
    weights = see(layer, [table, views, mask])
    assert weights.shape == mask.shape
    assert weights.dtype == np.float32
    mean = np.sum(weights[..., None] * views, axis=-2)
    expected = np.where(mask.any(axis=-1)[..., None], mean, layer.get_weights()[0])
    tolerance = 1e-5 if policy == "float32" else 5e-3
    np.testing.assert_allclose(
        run(layer, [table, views, mask]), np.concatenate([table, expected], -1), rtol=tolerance, atol=tolerance
    )


@alone_or_members
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("held", [np.nan, np.inf, -1e30, 1e30])
def test_a_masked_view_counts_nothing_whatever_it_holds(members: int | None, normalize: bool, held: float) -> None:
    layer, (table, views, mask) = make_attention(members, normalize=normalize)
    before, weights = run(layer, [table, views, mask]), see(layer, [table, views, mask])
    spoiled = np.where(mask[..., None], views, np.float32(held))
    np.testing.assert_array_equal(run(layer, [table, spoiled, mask]), before)
    np.testing.assert_array_equal(see(layer, [table, spoiled, mask]), weights)
    assert np.all(weights[~mask] == 0)
    assert np.all(weights[mask] > 0)


def test_masked_views_of_no_number_leave_finite_weights_after_training() -> None:
    layer, (table, views, mask) = make_attention(normalize=True)
    views[~mask] = np.nan
    model = compile_model(make_model(layer, [table, views, mask], head=True), keras.optimizers.SGD(0.01))
    train(model, [table, views, mask], table[:, :1], steps=2)
    assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())


@alone_or_members
def test_a_row_without_views_gets_the_learned_vector(members: int | None) -> None:
    layer, (table, views, mask) = make_attention(members, normalize=True)
    missing = layer.get_weights()[0]
    assert missing.shape == (5,) if members is None else (members, 5)
    output = run(layer, [table, views, np.zeros_like(mask)])
    np.testing.assert_array_equal(output[..., 5:], np.broadcast_to(missing, output[..., 5:].shape))


def test_missing_is_trained_by_rows_without_views_only() -> None:
    layer, (table, views, mask) = make_attention()
    model = compile_model(make_model(layer, [table, views, mask], head=True), keras.optimizers.SGD(0.1))
    before = layer.get_weights()
    train(model, [table, views, np.ones_like(mask)], table[:, :1])
    np.testing.assert_array_equal(layer.get_weights()[0], before[0])
    assert not np.array_equal(layer.get_weights()[1], before[1])
    train(model, [table, views, np.zeros_like(mask)], table[:, :1])
    assert not np.array_equal(layer.get_weights()[0], before[0])


def test_one_view_takes_all_the_weight_and_equal_views_share_it() -> None:
    layer, (table, views, _) = make_attention()
    only = np.tile([False, True, False], (16, 1))
    np.testing.assert_array_equal(see(layer, [table, views, only]), only.astype("float32"))
    np.testing.assert_array_equal(run(layer, [table, views, only]), np.concatenate([table, views[:, 1]], axis=-1))
    equal = np.repeat(views[:, :1], 3, axis=1)
    np.testing.assert_allclose(see(layer, [table, equal, np.ones_like(only)]), np.full((16, 3), 1 / 3), rtol=1e-6)


def test_one_view_leaves_nothing_to_learn_about_choosing() -> None:
    table, views, _ = make_inputs("attention")
    arrays = [table, views[:, :1], np.ones((16, 1), bool)]
    layer = make_layer("attention", arrays)
    model = compile_model(make_model(layer, arrays, head=True), keras.optimizers.SGD(0.1))
    before = layer.get_weights()
    train(model, arrays, table[:, :1], steps=2)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_table_decides_which_view_is_looked_at() -> None:
    """A view of each kind per row; the table says which kind's number is the target."""
    generator = np.random.default_rng(0)
    table = np.eye(2, dtype="float32")[generator.integers(0, 2, 256)]
    numbers = generator.normal(size=(256, 2)).astype("float32")
    views = np.stack([np.stack([numbers, np.tile([1, 0], (256, 1)), np.tile([0, 1], (256, 1))], axis=-1)])[0]
    arrays = [table, views.astype("float32"), np.ones((256, 2), bool)]
    keras.utils.set_random_seed(0)
    layer = AttentionPooling()
    model = compile_model(make_model(layer, arrays, head=True), keras.optimizers.Adam(0.05))
    target = np.sum(table * numbers, axis=1, keepdims=True)
    train(model, arrays, target, steps=150)
    assert np.mean((model.predict(arrays, verbose=0) - target) ** 2) < 0.1 * target.var()
    np.testing.assert_array_equal(see(layer, arrays).argmax(axis=1), table.argmax(axis=1))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_large_features_neither_overflow_nor_wake_masked_views(policy: str) -> None:
    layer, (table, views, mask) = make_attention(dtype=policy)
    for factor in (-300, 300):
        weights = see(layer, [300 * table, factor * views, mask])
        assert np.all(np.isfinite(run(layer, [300 * table, factor * views, mask])))
        np.testing.assert_allclose(weights.sum(axis=-1), mask.any(axis=-1), rtol=1e-6)
        assert np.all(weights[~mask] == 0)


@alone_or_members
def test_weights_of_a_built_model_come_out_through_a_model_of_its_tensors(members: int | None) -> None:
    layer, arrays = make_attention(members, normalize=True)
    model = make_model(layer, arrays, head=True)
    weights = keras.Model(model.inputs, layer.attention_weights(model.inputs))
    np.testing.assert_allclose(weights.predict(arrays, verbose=0), see(layer, arrays), rtol=1e-5)


def test_mask_may_be_given_as_numbers_and_arrays_in_float64() -> None:
    layer, (table, views, mask) = make_attention()
    expected = see(layer, [table, views, mask])
    np.testing.assert_array_equal(see(layer, [table.astype("float64"), views.astype("float64"), mask * 1.0]), expected)


def test_a_layer_built_for_any_number_of_views_takes_any_number() -> None:
    layer = AttentionPooling()
    layer.build([(None, 5), (None, None, 5), (None, None)])
    table, views, mask = make_inputs("attention")
    for num_views in (1, 3):
        assert run(layer, [table, views[:, :num_views], mask[:, :num_views]]).shape == (16, 10)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(None, 5), (None, 3, 5)], "three inputs, a table"),
        ((None, 5), "three inputs, a table"),
        ([(None, 5), (None, 5), (None, 5)], "needs a table"),
        ([(None, 5), (None, 3, 5), (None, 3, 1)], "needs a table"),
        ([(None, 2, 5), (None, 2, 3, 5), (None, 2, 3)], "needs a table"),
        ([(None, 5), (None, 3, None), (None, 3)], "known number of features"),
        ([(None, None), (None, 3, 5), (None, 3)], "known number of features"),
        ([(None, 5), (None, 3, 5), (None, 4)], "to agree in their axes before the features"),
        ([(16, 5), (8, 3, 5), (8, 3)], "to agree"),
        ([(8, 5), (8, 3, 5), (16, 3)], "to agree"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shapes: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AttentionPooling().build(shapes)


def test_more_axes_than_those_of_members_are_refused() -> None:
    shapes = [(None, 4, 2, 5), (None, 4, 2, 3, 5), (None, 4, 2, 3)]
    with pytest.raises(ValueError, match="with the axis of members after n"):
        AttentionPooling(members=4).build(shapes)


def test_normalize_refuses_views_with_one_feature() -> None:
    with pytest.raises(ValueError, match="only its sign"):
        AttentionPooling(normalize=True).build([(None, 5), (None, 3, 1), (None, 3)])
