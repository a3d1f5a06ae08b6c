"""What the gated unit, Film, the low-rank bilinear fusion and late fusion promise beside the contract.

Also run by ``make backends`` under JAX and PyTorch, so gradients are only seen through ``fit``.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from fusion_helpers import (
    THREE,
    alone_or_members,
    compile_model,
    dense,
    make_arrays,
    make_inputs,
    make_layer,
    make_model,
    run,
    train,
    two_or_three,
    weights_of,
)

from mixed_data.fusion import FUSIONS, Film, GatedUnit, LateFusion, LowRankBilinear

# The gated unit


@pytest.mark.parametrize(("bias", "heard"), [(40.0, 0), (-40.0, 1)])
def test_an_open_gate_hears_the_first_input_and_a_closed_one_the_second(bias: float, heard: int) -> None:
    arrays = make_arrays(2)
    layer = make_layer("gated", arrays)
    layer.gates[0].set_weights([np.zeros((10, 5)), np.full(5, bias)])
    expected = np.tanh(dense(weights_of(layer), f"hidden_{heard}", arrays[heard]))
    np.testing.assert_allclose(run(layer, arrays), expected, rtol=1e-5, atol=1e-6)


@two_or_three
def test_two_inputs_share_a_gate_and_three_have_one_each(num_inputs: int) -> None:
    layer = GatedUnit()
    layer(make_arrays(num_inputs))
    assert len(layer.gates) == {2: 1, 3: 3}[num_inputs]
    hidden, gate = 5 * 5 + 5, num_inputs * 5 * 5 + 5
    assert layer.count_params() == num_inputs * hidden + len(layer.gates) * gate


def test_the_gate_learns_from_the_row_whom_to_hear() -> None:
    """The last feature of the first input says whether its first feature is the target, or that of the second."""
    a, b = make_arrays(2, rows=256)
    a[:, -1] = np.sign(a[:, -1])
    target = np.tanh(np.where(a[:, -1:] > 0, a[:, :1], b[:, :1]))
    keras.utils.set_random_seed(0)
    errors = {}
    for name in ("gated", "weighted_sum"):
        model = compile_model(make_model(FUSIONS[name](), [a, b], head=True), keras.optimizers.Adam(0.03))
        train(model, [a, b], target, steps=150)
        errors[name] = np.mean((model.predict([a, b], verbose=0) - target) ** 2) / target.var()
    assert errors["gated"] < 0.1 < 0.4 < errors["weighted_sum"]


# Film


@alone_or_members
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_film_starts_as_its_second_input(members: int | None, policy: str) -> None:
    a, b = make_arrays(2, members=members)
    output = run(Film(members=members, dtype=policy), [a, b])
    np.testing.assert_array_equal(output, b.astype(output.dtype))


def test_film_takes_the_width_of_its_second_input() -> None:
    layer = Film()
    assert run(layer, [np.ones((2, 5)), np.ones((2, 3))]).shape == (2, 3)
    assert layer.count_params() == 2 * (5 * 3 + 3)


def test_film_refuses_three_inputs() -> None:
    with pytest.raises(ValueError, match="exactly two inputs, the conditioning one first, got 3"):
        Film()(make_arrays(3))


# The low-rank bilinear fusion


@pytest.mark.parametrize("rank", [1, 4, 16])
@pytest.mark.parametrize("width", [16, 256])
@two_or_three
def test_low_rank_bilinear_starts_at_the_scale_of_its_inputs(rank: int, width: int, num_inputs: int) -> None:
    keras.utils.set_random_seed(0)
    layer = LowRankBilinear(rank=rank, units=512)
    output = run(layer, make_arrays(num_inputs, rows=200, width=width))
    assert np.mean(output**2) == pytest.approx(1, rel=0.35)


def test_low_rank_bilinear_starts_with_equal_shares_of_constant_inputs_and_product() -> None:
    keras.utils.set_random_seed(0)
    a, b = make_arrays(2, rows=500, width=64)
    layer = LowRankBilinear(units=2000)
    nothing = np.zeros_like(a)
    constant, with_a = run(layer, [nothing, nothing]), run(layer, [a, nothing])
    with_b, both = run(layer, [nothing, b]), run(layer, [a, b])
    for share in (constant, with_a - constant, with_b - constant, both - with_a - with_b + constant):
        assert np.mean(share**2) == pytest.approx(1 / 4, rel=0.1)


def test_low_rank_bilinear_starts_its_members_at_the_scale_of_a_lone_network() -> None:
    keras.utils.set_random_seed(0)
    layer = LowRankBilinear(units=512, members=4)
    output = run(layer, make_arrays(2, rows=200, width=64, members=4))
    np.testing.assert_allclose(np.mean(output**2, axis=(0, 2)), np.ones(4), rtol=0.3)


def test_low_rank_bilinear_learns_a_product_that_a_sum_cannot() -> None:
    a, b = make_arrays(2, rows=256)
    target = a[:, :1] * b[:, :1]
    keras.utils.set_random_seed(0)
    errors = {}
    for name in ("low_rank_bilinear", "weighted_sum"):
        model = compile_model(make_model(FUSIONS[name](), [a, b], head=True), keras.optimizers.Adam(0.02))
        train(model, [a, b], target, steps=150)
        errors[name] = np.mean((model.predict([a, b], verbose=0) - target) ** 2) / target.var()
    assert errors["low_rank_bilinear"] < 0.05 < 0.9 < errors["weighted_sum"]


def test_low_rank_bilinear_has_the_stated_number_of_weights() -> None:
    layer = LowRankBilinear(rank=3, units=7)
    layer.build([(None, 5), (None, 4)])
    assert layer.count_params() == 7 * 3 * (5 + 4 + 2) + 3 + 7


def test_low_rank_bilinear_refuses_a_rank_below_one() -> None:
    with pytest.raises(ValueError, match="rank must be at least 1, got 0"):
        LowRankBilinear(rank=0)


# Late fusion


def test_late_fusion_is_the_only_one_that_predicts() -> None:
    assert [name for name, fusion in FUSIONS.items() if fusion.predicts] == ["late"]


@alone_or_members
def test_late_fusion_reports_its_weights_as_a_weighted_sum_does(members: int | None) -> None:
    layer = LateFusion(THREE, members=members)
    layer(make_arrays(3, members=members))
    np.testing.assert_array_equal(layer.fusion_weights(), np.broadcast_to(THREE, (*([members] if members else []), 3)))


def test_late_fusion_predicts_from_inputs_of_unequal_width() -> None:
    layer = LateFusion()
    assert run(layer, [np.ones((2, 5)), np.ones((2, 3))]).shape == (2, 1)
    assert layer.count_params() == 5 + 1 + 3 + 1 + 1


def test_late_fusion_finds_a_linear_target() -> None:
    a, b = make_inputs("late")
    target = 2 * a[:, :1] - 3 * b[:, 1:2] + 1
    layer = LateFusion()
    model = compile_model(make_model(layer, [a, b]), keras.optimizers.Adam(0.1))
    train(model, [a, b], target, steps=200)
    assert np.mean((model.predict([a, b], verbose=0) - target) ** 2) < 0.01 * target.var()
