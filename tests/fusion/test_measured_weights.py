"""Learned weights are reported on one scale, which the layers before the fusion cannot take up.

Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from fusion_helpers import Arrays, alone_or_members, compile_model, make_arrays, make_model, positive, run, twin

from mixed_data.fusion import FUSIONS, LateFusion, WeightedFusion, WeightedSum

WEIGHTED = [name for name, fusion in FUSIONS.items() if issubclass(fusion, WeightedFusion)]
every_weighted = pytest.mark.parametrize("name", WEIGHTED)


def terms_of(layer: WeightedFusion, arrays: Arrays) -> Arrays:
    """What is weighed, in NumPy."""
    if isinstance(layer, LateFusion):
        return [run(predict, array) for predict, array in zip(layer.predictions, arrays, strict=True)]
    return arrays if isinstance(layer, WeightedSum) else [np.log(positive(array)) for array in arrays]


@every_weighted
@alone_or_members
@pytest.mark.parametrize("num_inputs", [2, 3])
def test_measured_weights_are_shares_of_the_spread_and_nothing_else_changes(
    name: str, num_inputs: int, members: int | None
) -> None:
    arrays = [
        array * (1 + 3 * place) + 7 for place, array in enumerate(make_arrays(num_inputs, rows=64, members=members))
    ]
    alpha = (0.2, 0.8) if num_inputs == 2 else (0.2, 0.3, 0.5)
    layer = FUSIONS[name](alpha, learnable=True, members=members)
    before = run(layer, arrays)
    layer.measure([array[:40] for array in arrays])
    np.testing.assert_array_equal(run(layer, arrays), before)
    axes = (0, 2) if members else (0, 1)
    terms = [term[:40] - term[:40].mean(axis=0) for term in terms_of(layer, arrays)]
    spreads = np.stack(
        [weight * np.sqrt(np.mean(term**2, axis=axes)) for weight, term in zip(alpha, terms, strict=True)], axis=-1
    )
    np.testing.assert_allclose(layer.fusion_weights(), spreads / spreads.sum(axis=-1, keepdims=True), rtol=1e-4)
    again = twin(layer, arrays)
    np.testing.assert_array_equal(again.fusion_weights(), layer.fusion_weights())


@every_weighted
def test_fixed_weights_stay_what_was_given(name: str) -> None:
    a, b = make_arrays(2)
    layer = FUSIONS[name](0.1)
    run(layer, [a, 10 * b])
    layer.measure([a, 10 * b])
    np.testing.assert_array_equal(layer.fusion_weights(), [0.1, 0.9])


def test_the_same_function_has_the_same_weights_whatever_took_up_the_scale() -> None:
    a, b = make_arrays(2, rows=64)
    reported, results = [], []
    for alpha in (0.5, 0.9):
        layer = WeightedSum(alpha, learnable=True)
        inputs = [a / alpha, 2 * b / (1 - alpha)]
        results.append(run(layer, inputs))
        layer.measure(inputs)
        reported.append(layer.fusion_weights())
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(reported[0], reported[1], rtol=1e-5)
    assert reported[0][1] == pytest.approx(2 * b.std() / (a.std() + 2 * b.std()), abs=0.02)


def test_a_branch_that_says_the_same_of_all_rows_has_no_weight() -> None:
    a, _ = make_arrays(2)
    layer = WeightedSum(0.3, learnable=True)
    run(layer, [a, a])
    layer.measure([a, np.ones_like(a)])
    np.testing.assert_array_equal(layer.fusion_weights(), [1, 0])
    layer.measure([np.ones_like(a), np.ones_like(a)])
    np.testing.assert_allclose(layer.fusion_weights(), [0.3, 0.7], rtol=1e-6)


def test_measured_weights_are_saved(tmp_path: Path) -> None:
    a, b = make_arrays(2, members=3)
    layer = WeightedSum(members=3)
    model = make_model(layer, [a, b])
    layer.measure([a, 5 * b])
    assert layer.fusion_weights()[:, 1].min() > 0.7
    for path in (tmp_path / "model.keras", None):
        again = (
            keras.models.clone_model(model) if path is None else (model.save(path), keras.saving.load_model(path))[1]
        )
        np.testing.assert_array_equal(again.layers[-1].fusion_weights(), layer.fusion_weights())


def test_late_fusion_says_how_much_of_a_known_target_comes_from_where() -> None:
    """Ten networks at once, from alphas of 0.3 to 0.7: these do not say it, for the kernels take up any."""
    part, epochs = 0.25, 30
    starts = np.linspace(0.3, 0.7, 10, dtype="float32")
    a, b = np.random.default_rng(0).normal(size=(2, 512, 1, 4)).astype("float32").repeat(len(starts), axis=2)
    target = (1 - part) * a[..., :1] + part * b[..., 1:2]
    layer = LateFusion(members=len(starts))
    model = make_model(layer, [a, b])
    for weight in layer.weights:
        weight.assign(starts if weight.name == "alpha" else np.zeros(weight.shape))
    compile_model(model, keras.optimizers.SGD(0.3 * len(starts)))  # The loss is a mean over the members.
    model.fit([a, b], target, batch_size=64, epochs=epochs, verbose=0)
    alphas = layer.fusion_weights()[:, 0]
    assert np.abs(alphas - (1 - part)).min() > 0.05
    layer.measure([a, b])
    np.testing.assert_allclose(layer.fusion_weights()[:, 1], part, atol=0.02)


def test_stored_spreads_that_cannot_be_are_refused() -> None:
    config: dict[str, Any] = {**WeightedSum().get_config(), "spreads": [1.0, 2.0, 3.0]}
    layer = WeightedSum.from_config(config)
    layer(make_arrays(2))
    with pytest.raises(ValueError, match="shape"):
        layer.fusion_weights()
    for spread in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="spreads must be numbers of at least 0"):
            WeightedSum.from_config({**config, "spreads": [1.0, spread]})
