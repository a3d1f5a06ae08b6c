"""The network under Keras' global settings: the order of a photo's axes, and precision.

Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from network_helpers import (
    IMAGE_SHAPES,
    NUM_ROWS,
    default_floats,
    give_members,
    make_network,
    make_rows,
    photo_layout,
    precision,
    randomize,
    run,
    train_step,
)
from reliability import Case, documented

from mixed_data.network.checked_keras_files import read_keras, write_keras
from mixed_data.network.fused_network import make_predictor

FIRST, FLOAT64 = "image_data_format of channels_first", "floatx of float64"

FIRST_CASES = [
    Case(f"{FIRST}: the network on pixels", "photos are (H, W, 3) all the same", "cnn"),
    Case(f"{FIRST}: the network on vectors of a backbone", "the same numbers", "pretrained"),
]


@documented("Settings of Keras", FIRST_CASES)
def test_channels_first_changes_no_prediction(case: Case, tmp_path: Path) -> None:
    rows = make_rows(case.given)
    if case.given == "cnn":  # so large that more than one pixel is left of a photo before the dense layers
        rows["images"] = rows["images"].repeat(2, axis=2).repeat(2, axis=3)
    shape = rows["images"].shape[1:]
    usual = make_network(image_branch=case.given, image_shape=shape)
    expected = run(make_predictor(usual), rows)
    write_keras(usual, tmp_path / "usual.keras")
    with photo_layout("channels_first"):
        other = make_network(image_branch=case.given, image_shape=shape)  # from the same seed
        np.testing.assert_array_equal(run(make_predictor(other), rows), expected)
        np.testing.assert_array_equal(run(make_predictor(read_keras(tmp_path / "usual.keras")), rows), expected)
        train_step(other, give_members(other, rows), np.ones((NUM_ROWS, 1), "float32"))
        assert np.isfinite(run(make_predictor(other), rows)).all()


FLOAT64_CASES = [
    Case(f"{FLOAT64}, layers of {policy}: the network on {branch}", result, branch, policy)
    for branch in IMAGE_SHAPES
    for policy, result in {"float64": "computed, trained and saved", "float32": "the same numbers as ever"}.items()
]


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX has no float64 unless asked before it starts")
@documented("Settings of Keras", FLOAT64_CASES)
def test_float64_trains_saves_and_predicts_the_same(case: Case, tmp_path: Path) -> None:
    rows = make_rows(case.given)
    usual = make_network(image_branch=case.given, members=2, modality_dropout=0.3)
    randomize(usual)
    expected = run(make_predictor(usual), rows)
    with default_floats("float64"), precision(case.expected):
        network = make_network(image_branch=case.given, members=2, modality_dropout=0.3)
        assert network.get_layer("fusion").compute_dtype == case.expected
        network.set_weights(usual.get_weights())
        predicted = run(make_predictor(network), rows)
        if case.expected == "float32":
            np.testing.assert_array_equal(predicted, expected)
        np.testing.assert_allclose(predicted, expected, rtol=1e-4, atol=1e-5)
        train_step(network, give_members(network, rows), np.ones((NUM_ROWS, 2)))
        trained = run(make_predictor(network), rows)
        assert np.isfinite(trained).all()
        assert not np.array_equal(trained, predicted)
        write_keras(keras.Model(network.input, network.output), tmp_path / "network.keras")
        np.testing.assert_array_equal(run(make_predictor(read_keras(tmp_path / "network.keras")), rows), trained)
