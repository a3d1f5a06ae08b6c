"""The network: modalities, parameters counted by hand, the linear path, and every fusion and image branch.

Also run by ``make backends`` under JAX and PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from network_helpers import (
    IMAGE_SHAPES,
    NUM_FEATURES,
    NUM_ROWS,
    give_members,
    make_network,
    make_rows,
    precision,
    randomize,
    run,
    silu,
)

from mixed_data.fusion import FUSIONS
from mixed_data.network import IMAGE_BRANCHES, OrMissing
from mixed_data.network.fused_network import INPUT_NAMES, MODALITIES

# Parameters of each member: head behind a vector of 6, fusions of two such vectors with their head, branches.
NUM_HEAD = (6 * 6 + 6) + (6 + 1)
NUM_FUSION_AND_HEAD = {
    "concat": NUM_HEAD + 6 * 6,
    "weighted_sum": 1 + NUM_HEAD,
    "weighted_product": 1 + NUM_HEAD,
    "gated": 2 * (6 * 6 + 6) + (12 * 6 + 6) + NUM_HEAD,
    "film": 2 * (6 * 6 + 6) + NUM_HEAD,
    "low_rank_bilinear": 2 * (6 + 1) * 4 * 6 + 4 + 6 + NUM_HEAD,
    "attention": (6 * 6 + 6) + 6 * 6 + 6 + NUM_HEAD + 6 * 6,
    "late": 1 + 2 * (6 + 1),
}
NUM_TABULAR = (5 * 12 + 12) + (12 * 6 + 6)
NUM_MISSING = 6  # the vector for "no table", of networks that know both modalities
NUM_LINEAR = 5
NUM_SHARED = {
    "cnn": (4 * 4 * 3 * 32 + 32) + (2 * 2 * 32 * 64 + 64) + (2 * 2 * 64 * 64 + 64),
    "patches": 0,
    "pretrained": 0,
}
NUM_IMAGE = {
    "cnn": (64 * 24 + 24) + 2 * 2 * 24 + (24 * 6 + 6) + 6,
    "patches": (2 * (9 + 1) * 256 + 256) + (256 * 6 + 6) + 6,
    "pretrained": (2 * (9 + 1) * 256 + 256) + (256 * 6 + 6) + 6,
}
NUM_VIEWS_APART = {
    "cnn": NUM_IMAGE["cnn"] - 6,
    **dict.fromkeys(("patches", "pretrained"), (9 * 256 + 256) + 4 * 256 + (256 * 6 + 6)),
}
HEADS = {"cnn": "cnn", "patches": "pretrained", "pretrained": "pretrained"}
"""Image branch -> what the names of its layers begin with."""

every_modality = pytest.mark.parametrize("modalities", MODALITIES)
every_image_branch = pytest.mark.parametrize("image_branch", IMAGE_BRANCHES)
one_or_three = pytest.mark.parametrize("members", [1, 3])


class Fused(NamedTuple):
    fusion: str
    image_branch: str
    members: int
    network: keras.Model

    def part(self, name: str) -> Any:
        """The weights of a layer."""
        return self.network.get_layer(name).get_weights()

    def image_layer(self) -> keras.Layer:
        """The last layer of the image branch."""
        if FUSIONS[self.fusion].takes_views:
            return self.network.get_layer(f"{self.image_branch}_output")
        found = [layer for layer in self.network.layers if isinstance(layer, OrMissing)]
        return next(layer for layer in found if layer.name != "tabular_or_missing")


CASES = [(fusion, branch, members) for branch in ("cnn", "pretrained") for fusion in FUSIONS for members in (1, 3)]


def show(case: tuple[str, str, int]) -> str:
    return "-".join(map(str, case))


@pytest.fixture(scope="module", params=CASES, ids=show)
def fused(request: pytest.FixtureRequest) -> Fused:
    """Give a network of both modalities with random weights; tests leave them alone."""
    fusion, image_branch, members = request.param
    network = make_network(fusion=fusion, image_branch=image_branch, members=members)
    randomize(network)
    return Fused(fusion, image_branch, members, network)


def count(model: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_every_fusion_and_image_branch_has_its_row() -> None:
    assert list(NUM_FUSION_AND_HEAD) == list(FUSIONS)
    assert list(NUM_IMAGE) == list(NUM_VIEWS_APART) == list(NUM_SHARED) == list(IMAGE_SHAPES) == list(IMAGE_BRANCHES)


# Every fusion with every image branch


def test_network_has_the_parameters_counted_by_hand(fused: Fused) -> None:
    views_apart = FUSIONS[fused.fusion].takes_views
    num_image = (NUM_VIEWS_APART if views_apart else NUM_IMAGE)[fused.image_branch]
    of_each = NUM_TABULAR + NUM_MISSING + num_image + NUM_FUSION_AND_HEAD[fused.fusion] + NUM_LINEAR
    assert count(fused.network) == NUM_SHARED[fused.image_branch] + fused.members * of_each
    assert not fused.network.non_trainable_weights


def test_network_gives_one_number_per_row_and_member(fused: Fused) -> None:
    prediction = run(fused.network, give_members(fused.network, make_rows(fused.image_branch)))
    assert fused.network.output_shape == (None, fused.members)
    assert prediction.shape == (NUM_ROWS, fused.members)
    assert prediction.dtype == np.float32
    assert np.all(np.isfinite(prediction))
    assert all(len(np.unique(column)) == NUM_ROWS for column in prediction.T)


def test_the_answer_for_a_row_depends_on_that_row_only(fused: Fused) -> None:
    arrays = give_members(fused.network, make_rows(fused.image_branch))
    together = run(fused.network, arrays)
    rows = [6, 1, 7]
    some = run(fused.network, {name: array[rows] for name, array in arrays.items()})
    np.testing.assert_allclose(some, together[rows], rtol=1e-4, atol=1e-5)


def test_fusion_merges_the_branches_and_head_and_linear_path_are_added(fused: Fused) -> None:
    arrays = give_members(fused.network, make_rows(fused.image_branch))
    layers = [fused.network.get_layer(name) for name in ("mlp_output", "tabular_or_missing", "fusion")]
    layers.insert(2, fused.image_layer())
    outputs = [layer.output for layer in layers]
    seen, tabular, image, merged = run(keras.Model(fused.network.input, outputs), arrays)
    has_table = np.broadcast_to(arrays["tabular_mask"], (NUM_ROWS, fused.members, 1))
    (missing,) = fused.part("tabular_or_missing")
    np.testing.assert_array_equal(tabular, np.where(has_table, seen, missing))
    mask = np.broadcast_to(arrays["image_mask"], (NUM_ROWS, fused.members, 2))
    takes_views = FUSIONS[fused.fusion].takes_views
    assert image.shape == (NUM_ROWS, fused.members, *([2] if takes_views else []), 6)
    inputs = [tabular, image, mask] if takes_views else [tabular, image]
    np.testing.assert_allclose(merged, keras.ops.convert_to_numpy(layers[-1](inputs)), rtol=1e-5, atol=1e-6)
    (linear,) = fused.part("linear")
    table = np.broadcast_to(arrays["tabular"], (NUM_ROWS, fused.members, NUM_FEATURES))
    expected = np.einsum("nkd,kdu->nku", table * has_table, linear)
    if FUSIONS[fused.fusion].predicts:
        expected = expected + merged
    else:
        (kernel, bias), (last_kernel, last_bias) = fused.part("head_hidden"), fused.part("head")
        hidden = silu(np.einsum("nkf,kfu->nku", merged, kernel) + bias)
        expected = expected + np.einsum("nkf,kfu->nku", hidden, last_kernel) + last_bias
    np.testing.assert_allclose(run(fused.network, arrays), expected[..., 0], rtol=1e-4, atol=1e-4)


def test_what_is_masked_never_reaches_the_prediction_and_a_row_with_nothing_has_one_too(fused: Fused) -> None:
    rows = make_rows(fused.image_branch)
    rows["tabular_mask"][[2, -1]], rows["image_mask"][[3, -1]] = False, False
    other = {name: array.copy() for name, array in rows.items()}
    other["tabular"][[2, -1]] = [[np.nan], [1e6]]
    other["images"][[3, -1]] = other["images"][[0, 1]]
    arrays, changed = give_members(fused.network, rows), give_members(fused.network, other)
    prediction = run(fused.network, arrays)
    assert np.all(np.isfinite(prediction))
    np.testing.assert_array_equal(run(fused.network, changed), prediction)
    seen = {name: np.ones_like(array) if name.endswith("mask") else array for name, array in arrays.items()}
    complete = arrays["tabular_mask"][..., 0] & arrays["image_mask"].any(axis=-1)
    is_same = np.isclose(run(fused.network, seen), prediction, rtol=1e-4)
    assert not np.any(is_same & ~complete)


@pytest.mark.parametrize("fused", [case for case in CASES if case[-1] == 3], indirect=True, ids=show)
def test_network_predicts_the_same_after_save_and_load_without_custom_objects(fused: Fused, tmp_path: Path) -> None:
    fused.network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    arrays = give_members(fused.network, make_rows(fused.image_branch))
    np.testing.assert_array_equal(run(loaded, arrays), run(fused.network, arrays))


# Modalities


@one_or_three
@every_image_branch
@every_modality
def test_network_of_a_modality_takes_its_inputs_with_the_axis_of_members(
    modalities: str, image_branch: str, members: int
) -> None:
    network = make_network(modalities=modalities, image_branch=image_branch, members=members)
    axis = 1 if image_branch == "cnn" and modalities != "tabular" else members
    shape = IMAGE_SHAPES[image_branch]
    expected = {
        "tabular": ("float32", (None, axis, 5)),
        "tabular_mask": ("bool", (None, axis, 1)),
        "images": ("uint8" if image_branch == "cnn" else "float32", (None, axis, *shape)),
        "image_mask": ("bool", (None, axis, 2)),
    }
    assert sorted(network.input) == sorted(INPUT_NAMES[modalities])
    for name, tensor in network.input.items():
        assert (tensor.dtype, tensor.shape) == expected[name]
    prediction = run(network, give_members(network, make_rows(image_branch, modalities)))
    assert prediction.shape == (NUM_ROWS, members)
    assert prediction.dtype == np.float32
    assert len(np.unique(prediction)) > 1


@every_image_branch
def test_unimodal_networks_are_branch_and_head(image_branch: str) -> None:
    tabular = make_network(modalities="tabular", image_branch=image_branch, members=3)
    assert count(tabular) == 3 * (NUM_TABULAR + NUM_HEAD + NUM_LINEAR)
    image = make_network(modalities="image", image_branch=image_branch, members=3, fusion="attention")
    assert count(image) == NUM_SHARED[image_branch] + 3 * (NUM_IMAGE[image_branch] + NUM_HEAD)


@every_modality
def test_unimodal_network_needs_nothing_of_the_other_modality(modalities: str) -> None:
    for no_photos in ((0, 16, 16, 3), (0, 9)):
        if modalities != "image":
            with pytest.raises(ValueError, match=f"modalities='{modalities}' needs at least one numeric"):
                make_network(modalities=modalities, num_features=0)
        if modalities != "tabular":
            with pytest.raises(ValueError, match=f"modalities='{modalities}' needs at least one image column"):
                make_network(modalities=modalities, image_shape=no_photos)
        assert make_network(modalities="tabular", image_shape=no_photos, members=2).output_shape == (None, 2)
    assert make_network(modalities="image", num_features=0).output_shape == (None, 1)


# Parts


def test_the_first_weight_of_the_fusion_is_that_of_the_table() -> None:
    network, rows = make_network(), make_rows()
    arrays = give_members(network, rows)
    black = {**arrays, "images": np.zeros_like(arrays["images"])}
    network.get_layer("fusion").set_weights([np.float32([1.0])])
    np.testing.assert_array_equal(run(network, black), run(network, arrays))
    network.get_layer("fusion").set_weights([np.float32([0.0])])
    other_rows = {**arrays, "tabular": arrays["tabular"][::-1]}
    np.testing.assert_array_equal(run(network, other_rows), run(network, arrays))
    assert not np.array_equal(run(network, black), run(network, arrays))


def test_normalize_makes_the_scale_of_a_branch_irrelevant() -> None:
    network = make_network(normalize=True, image_branch="pretrained", members=2)
    arrays = give_members(network, make_rows("pretrained"))
    arrays["image_mask"][:] = False
    vectors = np.arange(1.0, 13.0).reshape(2, 6)
    network.get_layer("or_missing").set_weights([vectors])
    before = run(network, arrays)
    network.get_layer("or_missing").set_weights([1000 * vectors])
    np.testing.assert_allclose(run(network, arrays), before, rtol=1e-4, atol=1e-5)


@one_or_three
@pytest.mark.parametrize("modalities", ["both", "tabular"])
def test_the_linear_path_starts_at_zero_and_adds_to_the_prediction(modalities: str, members: int) -> None:
    network = make_network(modalities=modalities, image_branch="pretrained", members=members)
    arrays = give_members(network, make_rows("pretrained", modalities))
    linear = network.get_layer("linear")
    assert not linear.use_bias
    np.testing.assert_array_equal(linear.get_weights()[0], np.zeros((members, NUM_FEATURES, 1)))
    before = run(network, arrays)
    kernel = np.arange(1.0, 5 * members + 1).reshape(members, NUM_FEATURES, 1)
    linear.set_weights([kernel])
    expected = np.einsum("nkd,kd->nk", arrays["tabular"] * arrays.get("tabular_mask", 1), kernel[..., 0])
    np.testing.assert_allclose(run(network, arrays) - before, expected, rtol=1e-4, atol=1e-4)


@every_image_branch
def test_dropout_of_each_branch_is_its_own(image_branch: str) -> None:
    network = make_network(image_branch=image_branch, dropout=0.1, image_dropout=0.4)
    assert network.get_layer("mlp_dropout").rate == 0.1
    assert network.get_layer(f"{HEADS[image_branch]}_dropout").rate == 0.4


def test_the_same_seed_builds_the_same_network() -> None:
    for first, second in zip(make_network(members=2).get_weights(), make_network(members=2).get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


@every_image_branch
@every_modality
def test_mixed_precision_computes_in_float16_and_predicts_in_float32(modalities: str, image_branch: str) -> None:
    options = {"modalities": modalities, "image_branch": image_branch, "members": 3}
    with precision("mixed_float16"):
        network = make_network(**options)
    branch = network.get_layer(f"{HEADS[image_branch]}_output" if modalities == "image" else "mlp_output")
    assert branch.compute_dtype == "float16"
    arrays = give_members(network, make_rows(image_branch, modalities))
    prediction = run(network, arrays)
    assert prediction.dtype == np.float32
    np.testing.assert_allclose(prediction, run(make_network(**options), arrays), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fusion": "sum"}, r"fusion: expected one of \['attention', .*'weighted_sum'\], got 'sum'"),
        ({"image_branch": "CNN", "image_shape": (2, 9)}, r"image_branch: expected one of \[.*'cnn'.*\], got 'CNN'"),
        ({"modalities": "table"}, r"modalities: expected one of \['both', 'tabular', 'image'\], got 'table'"),
        ({"modality_dropout": 1.0}, "rate: expected a share of the rows"),
    ],
)
def test_unknown_names_and_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_network(**options)


def test_an_unknown_image_branch_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"image_branch: expected one of \['cnn', 'patches', 'pretrained'\], got ''"):
        make_network(image_branch="", image_shape=IMAGE_SHAPES["cnn"])
