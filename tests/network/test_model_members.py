"""Packed ensembles, what predicts with them, and what is for training only; also under JAX and PyTorch."""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from network_helpers import (
    IMAGE_SHAPES,
    NUM_ROWS,
    UNITS,
    Arrays,
    copy_member,
    give_members,
    make_network,
    make_rows,
    randomize,
    read,
    run,
    train_step,
)

from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES, PrincipalComponents
from mixed_data.network.fused_network import make_predictor

every_image_branch = pytest.mark.parametrize("image_branch", IMAGE_BRANCHES)
# Every fusion, once with each image branch where it takes the views.
NETWORKS: list[dict[str, Any]] = [
    *({"fusion": fusion, "image_branch": branch} for fusion, branch in zip(FUSIONS, cycle(IMAGE_BRANCHES))),
    {"fusion": "attention", "image_branch": "pretrained"},
    *({"modalities": "image", "image_branch": branch} for branch in IMAGE_BRANCHES),
    {"modalities": "tabular"},
]


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda options: "-".join(options.values()))
def packed(request: pytest.FixtureRequest) -> tuple[dict[str, Any], keras.Model]:
    """Give the options and a network of three members; tests leave its weights as they are."""
    return request.param, make_random_network(members=3, **request.param)


def make_random_network(**options: Any) -> keras.Model:
    network = make_network(**options)
    randomize(network)
    return network


def rows_for(options: dict[str, Any]) -> Arrays:
    return make_rows(options.get("image_branch", "cnn"), options.get("modalities", "both"))


# Packed ensembles


def test_members_predict_what_three_networks_of_their_own_do(packed: tuple[dict[str, Any], keras.Model]) -> None:
    options, network = packed
    arrays = give_members(network, rows_for(options))
    prediction = run(network, arrays)
    assert np.all(prediction.std(axis=1) > 1e-4)
    alone = make_network(members=1, **options)
    for member in range(3):
        copy_member(network, alone, member)
        own = {name: array[:, member : member + 1] for name, array in arrays.items()}
        if own[next(iter(own))].shape[1] == 0:  # pixels: all members see the same rows
            own = arrays
        np.testing.assert_allclose(run(alone, own)[:, 0], prediction[:, member], rtol=1e-4, atol=1e-5)


def test_a_member_learns_from_its_own_loss_only(packed: tuple[dict[str, Any], keras.Model]) -> None:
    options, network = packed
    arrays = give_members(network, rows_for(options))
    before = [read(weight) for weight in network.trainable_weights]
    train_step(
        network, arrays, np.zeros((NUM_ROWS, 3)), loss=lambda _, y: keras.ops.sum(keras.ops.square(y[:, 1] - 100.0))
    )
    for old, weight in zip(before, network.trainable_weights, strict=True):
        new = read(weight)
        weight.assign(old)
        if "cnn_conv" in weight.path:
            assert not np.array_equal(new, old), weight.path
        else:
            np.testing.assert_array_equal(new[[0, 2]], old[[0, 2]], err_msg=weight.path)
            assert not np.array_equal(new[1], old[1]), weight.path


# What predicts


def test_predictor_gives_each_row_to_all_members(packed: tuple[dict[str, Any], keras.Model]) -> None:
    options, network = packed
    rows, predictor = rows_for(options), make_predictor(network)
    assert {name: tuple(tensor.shape) for name, tensor in predictor.input.items()} == {
        name: (None, *array.shape[1:]) for name, array in rows.items()
    }
    assert {name: tensor.dtype for name, tensor in predictor.input.items()} == {
        name: array.dtype for name, array in rows.items()
    }
    assert predictor.output_shape == (None, 3)
    same = {name: np.repeat(rows[name][:, None], tensor.shape[1], axis=1) for name, tensor in network.input.items()}
    np.testing.assert_allclose(run(predictor, rows), run(network, same), rtol=1e-4, atol=1e-5)


def test_predictor_shares_the_weights_of_the_network_and_survives_saving(tmp_path: Path) -> None:
    network = make_random_network(members=3, image_branch="pretrained")
    predictor, rows = make_predictor(network), make_rows("pretrained")
    before = run(predictor, rows)
    network.get_layer("head").set_weights([np.zeros((3, UNITS, 1)), np.ones((3, 1))])
    network.get_layer("linear").set_weights([np.zeros((3, 5, 1))])
    np.testing.assert_array_equal(run(predictor, rows), np.ones((NUM_ROWS, 3)))
    randomize(network)
    predictor.save(tmp_path / "predictor.keras")
    loaded = keras.saving.load_model(tmp_path / "predictor.keras", safe_mode=True)
    np.testing.assert_array_equal(run(loaded, rows), run(predictor, rows))
    assert not np.array_equal(run(predictor, rows), before)


WIDTH = 20


def make_components(num_components: int = IMAGE_SHAPES["pretrained"][1]) -> tuple[PrincipalComponents, Arrays]:
    """Components of vectors of 20, and rows with such vectors."""
    rows = make_rows("pretrained", num_rows=30)
    rows["images"] = np.random.default_rng(4).normal(size=(30, 2, WIDTH)).astype("float32")
    components = PrincipalComponents(num_components)
    components.adapt(rows["images"], rows["image_mask"])
    return components, rows


@pytest.mark.parametrize("modalities", ["both", "image"])
def test_predictor_puts_the_components_before_the_network(modalities: str, tmp_path: Path) -> None:
    network = make_random_network(members=2, image_branch="pretrained", modalities=modalities)
    components, rows = make_components()
    rows = {name: rows[name] for name in network.input}
    predictor = make_predictor(network, components)
    assert predictor.input["images"].shape == (None, 2, WIDTH)
    projected = {**rows, "images": components.project(rows["images"], rows["image_mask"])}
    expected = run(make_predictor(network), projected)
    np.testing.assert_allclose(run(predictor, rows), expected, rtol=1e-4, atol=1e-4)
    predictor.save(tmp_path / "predictor.keras")
    loaded = keras.saving.load_model(tmp_path / "predictor.keras", safe_mode=True)
    np.testing.assert_array_equal(run(loaded, rows), run(predictor, rows))


# For training only


@pytest.mark.parametrize("fusion", ["concat", "attention"])
@every_image_branch
def test_modality_dropout_hides_photos_and_table_of_a_row_for_each_member_in_training_only(
    image_branch: str, fusion: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["mixed_data.network.pretrained_branch"], "INPUT_DROPOUT", 0.0)
    options = {"image_branch": image_branch, "fusion": fusion, "members": 3, "dropout": 0.0, "image_dropout": 0.0}
    network = make_random_network(modality_dropout=0.4, **options)
    rows = {name: np.repeat(array[1:2], 96, axis=0) for name, array in make_rows(image_branch).items()}
    if image_branch == "cnn":
        rows["images"][:] = 128  # the same under mirrors and shifts
    arrays = give_members(network, rows)
    without = [(), ("image_mask",), ("tabular_mask",), ("image_mask", "tabular_mask")]
    known = [run(network, {**arrays, **{name: np.zeros_like(arrays[name]) for name in names}}) for names in without]
    np.testing.assert_allclose(known[0], known[0][:1].repeat(96, axis=0), rtol=1e-5)
    output = run(network, arrays, training=True)
    found = np.array([np.isclose(output, prediction, rtol=1e-4) for prediction in known])
    assert np.all(found.sum(axis=0) == 1)
    # Of three members that share their pixels or not, 288 draws each: five standard deviations are 0.15.
    np.testing.assert_allclose(found.mean(axis=(1, 2)), [0.36, 0.24, 0.24, 0.16], atol=0.15)
    assert len(np.unique(found.argmax(axis=0), axis=0)) > 10


def test_without_modality_dropout_there_is_no_such_layer() -> None:
    assert "modality_dropout" not in {layer.name for layer in make_network().layers}
