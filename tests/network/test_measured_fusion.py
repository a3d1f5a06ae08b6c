"""A trained network's fusion is measured on the training rows, so that its weights are reported on one scale."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from network_helpers import make_network, make_rows, randomize, run

from mixed_data.network.fused_network import make_predictor
from mixed_data.network.member_predictions import measure_fusion, read_member_weights


@pytest.mark.parametrize("fusion", ["weighted_sum", "late"])
@pytest.mark.parametrize(("image_branch", "members"), [("cnn", 1), ("pretrained", 3)])
def test_weights_are_shares_of_the_spread_over_the_training_rows(fusion: str, image_branch: str, members: int) -> None:
    network = make_network(fusion=fusion, image_branch=image_branch, members=members)
    randomize(network)
    rows = make_rows(image_branch, num_rows=50)
    model = make_predictor(network)
    before, training = run(model, rows), np.arange(0, 50, 2)
    plain = read_member_weights(model)
    measure_fusion(model, rows, training)
    np.testing.assert_array_equal(run(model, rows), before)
    layer = network.get_layer("fusion")
    some = {name: array[training] for name, array in rows.items()}
    alone = {name: np.repeat(some[name][:, None], network.input[name].shape[1], 1) for name in some}
    terms = run(keras.Model(network.input, layer.input), alone)
    if fusion == "late":
        terms = [run_dense(predict, term) for predict, term in zip(layer.predictions, terms, strict=True)]
    spreads = np.stack([term.std(axis=0) ** 2 for term in terms], axis=-1).mean(axis=1) ** 0.5
    expected = plain * spreads / (plain * spreads).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(read_member_weights(model), expected, rtol=1e-4)
    assert np.abs(expected - plain).max() > 0.01


def run_dense(layer: keras.Layer, array: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(array))


def test_a_fusion_without_learned_weights_is_left_alone() -> None:
    network = make_network(fusion="concat", image_branch="pretrained", members=2)
    model = make_predictor(network)
    measure_fusion(model, make_rows("pretrained"), np.arange(4))
    assert read_member_weights(model) is None
