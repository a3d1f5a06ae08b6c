"""The layers that branches are made of, against hand-worked cases; also under JAX and PyTorch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from network_helpers import precision, run

from mixed_data.network import MaskedMean, ModalityDropout, OrMissing, PrincipalComponents, ViewEmbedding
from mixed_data.network.photo_augmentation import MirrorAndShift

LAYERS = [
    MirrorAndShift(0.2, seed=3),
    ViewEmbedding(),
    MaskedMean(),
    OrMissing(),
    ModalityDropout(0.3, seed=4),
    PrincipalComponents(7, [2, 3]),
]

# View embedding


def test_view_embedding_starts_differently_for_each_view_and_member_and_without_shift() -> None:
    layer = ViewEmbedding()
    layer.build((None, 2, 3, 200))
    scale, shift = layer.get_weights()
    assert np.abs(np.corrcoef(scale.reshape(6, 200)) - np.eye(6)).max() < 0.3
    np.testing.assert_allclose([scale.mean(), scale.std()], [0, 1], atol=0.15)
    assert not shift.any()


@pytest.mark.parametrize("shape", [(3, 2), (4, 3, 2)], ids=["alone", "members"])
def test_view_embedding_scales_and_shifts_each_view_by_its_own(shape: tuple[int, ...]) -> None:
    features, scale, shift = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    layer = ViewEmbedding()
    layer.build((None, *shape))
    layer.set_weights([scale, shift])
    np.testing.assert_allclose(run(layer, features[None]), [features * scale + shift], rtol=1e-6, atol=1e-6)


# Masks

FEATURES = np.array([[[1, 10], [2, 20], [6, 60]]] * 4, "float32")
MASK = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]])


@pytest.mark.parametrize("mask_dtype", ["bool", "uint8", "float32"])
def test_masked_mean_averages_the_views_that_are_there(mask_dtype: str) -> None:
    layer = MaskedMean()
    inputs = [FEATURES, MASK.astype(mask_dtype)]
    np.testing.assert_allclose(run(layer, inputs), [[3, 30], [3.5, 35], [2, 20], [0, 0]])
    layer.set_weights([np.array([7.0, 8.0])])
    np.testing.assert_allclose(run(layer, inputs), [[3, 30], [3.5, 35], [2, 20], [7, 8]])


def test_masked_mean_averages_for_every_member_by_itself() -> None:
    layer = MaskedMean()
    features, mask = np.stack([FEATURES, -FEATURES], axis=1), np.stack([MASK, 1 - MASK], axis=1).astype(bool)
    layer.build([features.shape, mask.shape])
    layer.set_weights([np.array([[7.0, 8.0], [5.0, 6.0]])])
    expected = [[[3, 30], [5, 6]], [[3.5, 35], [-2, -20]], [[2, 20], [-3.5, -35]], [[7, 8], [-3, -30]]]
    np.testing.assert_allclose(run(layer, [features, mask]), expected)


def test_what_is_not_finite_in_a_masked_view_never_reaches_the_mean() -> None:
    features = np.array([[[1.0], [np.nan]], [[np.inf], [3.0]]], "float32")
    mask = np.array([[True, False], [False, True]])
    np.testing.assert_array_equal(run(MaskedMean(), [features, mask]), [[1.0], [3.0]])


@pytest.mark.parametrize("members", [1, 3])
def test_or_missing_puts_the_learned_vector_where_not_one_view_is_there(members: int) -> None:
    generator = np.random.default_rng(0)
    vector = generator.normal(size=(4, members, 2)).astype("float32")
    vector[3] = np.nan  # what is replaced must not leak
    mask = np.repeat(MASK[:, None].astype(bool), members, axis=1)
    missing = generator.normal(size=(members, 2)).astype("float32")
    layer = OrMissing()
    np.testing.assert_array_equal(run(layer, [vector, mask])[3], np.zeros((members, 2)))
    layer.set_weights([missing])
    np.testing.assert_array_equal(run(layer, [vector, mask]), [*vector[:3], missing])


@pytest.mark.parametrize("layer", [MaskedMean, OrMissing])
def test_the_learned_vector_follows_mixed_precision(layer: type[OrMissing]) -> None:
    with precision("mixed_float16"):
        output = run(layer(), [FEATURES if layer is MaskedMean else FEATURES[:, 0], MASK])
    assert output.dtype == np.float16


def test_modality_dropout_hides_a_modality_of_a_row_and_member_whole_and_by_a_draw_of_its_own() -> None:
    generator = np.random.default_rng(0)
    masks = [generator.random((4000, 2, 1)) < 0.9, generator.random((4000, 2, 3)) < 0.7]
    layer = ModalityDropout(0.25, seed=1)
    outputs = run(layer, masks, training=True)
    shares, hidden = [], []
    for mask, output in zip(masks, outputs, strict=True):
        assert output.dtype == bool
        is_hidden = mask.any(axis=-1) & ~output.any(axis=-1)
        np.testing.assert_array_equal(output, mask & ~is_hidden[..., None])  # all of it or nothing
        shares.append(is_hidden[mask.any(axis=-1)].mean())
        hidden.append(is_hidden[np.all([mask.any(axis=-1) for mask in masks], axis=(0, 2))])
    np.testing.assert_allclose(shares, 0.25, atol=0.02)
    draws = np.concatenate(hidden, axis=1)  # table and photos of two members, of rows that have it all
    np.testing.assert_allclose(np.corrcoef(draws.T), np.eye(4), atol=0.06)
    np.testing.assert_allclose(np.logical_and(*hidden).mean(), 0.25**2, atol=0.02)


def test_modality_dropout_acts_in_training_only_and_repeats_with_its_seed() -> None:
    masks = [np.ones((500, 2, 1), bool), np.ones((500, 2, 3), bool)]
    layer = ModalityDropout(0.25, seed=1)
    for output in run(layer, masks):
        assert output.all()
    first = run(layer, masks, training=True)
    again, second = run(ModalityDropout(0.25, seed=1), masks, training=True), run(layer, masks, training=True)
    for output, same, other in zip(first, again, second, strict=True):
        np.testing.assert_array_equal(output, same)
        assert not np.array_equal(output, other)


def test_modality_dropout_of_zero_hides_nothing_and_other_shares_are_refused() -> None:
    (output,) = run(ModalityDropout(0.0), [np.ones((50, 3), bool)], training=True)
    assert output.all()
    for rate in (-0.1, 1.0):
        with pytest.raises(ValueError, match="rate: expected a share of the rows"):
            ModalityDropout(rate)


# Augmentation


def shift(photos: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move photos and repeat the pixels at their edge."""
    padded = np.pad(photos, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="edge")
    return padded[:, 2 - down : 2 - down + photos.shape[1], 2 - right : 2 - right + photos.shape[2]]


def test_augmentation_mirrors_each_photo_by_itself_and_shifts_all_photos_of_a_batch_alike() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (6, 10, 11, 3), dtype="uint8")
    layer = MirrorAndShift(0.2, seed=0)
    np.testing.assert_array_equal(run(layer, photos), photos)
    shifts, mirrors = [], []
    for _ in range(60):
        output = run(layer, photos, training=True)
        assert output.dtype == np.uint8
        for down, right in np.ndindex(5, 5):
            plain, mirrored = (shift(source, down - 2, right - 2) for source in (photos, photos[:, :, ::-1]))
            is_mirrored = np.all(output == mirrored, axis=(1, 2, 3))
            if np.all(is_mirrored | np.all(output == plain, axis=(1, 2, 3))):
                shifts.append((down - 2, right - 2))
                mirrors.append(is_mirrored)
    assert len(shifts) == 60
    for moves in zip(*shifts, strict=True):
        assert set(moves) == {-2, -1, 0, 1, 2}
    assert 0.4 < np.mean(mirrors) < 0.6
    assert len(np.unique(mirrors, axis=0)) > 30


def test_augmentation_repeats_with_its_seed_and_refuses_shifts_that_are_no_share() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (6, 10, 11, 3), dtype="uint8")
    first, second, other = (run(MirrorAndShift(seed=seed), photos, training=True) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    for max_shift in (-0.1, 1.0):
        with pytest.raises(ValueError, match="max_shift: expected a share"):
            MirrorAndShift(max_shift)


# All of them


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_layer_is_registered_and_has_a_config_that_makes_it_again(layer: keras.Layer) -> None:
    assert keras.saving.get_registered_name(type(layer)) == f"mixed_data>{type(layer).__name__}"
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_layers_announce_their_shape() -> None:
    assert MirrorAndShift().compute_output_shape((None, 8, 9, 3)) == (None, 8, 9, 3)
    assert ViewEmbedding().compute_output_shape((None, 4, 8)) == (None, 4, 8)
    assert ViewEmbedding().compute_output_shape((None, 2, 4, 8)) == (None, 2, 4, 8)
    assert MaskedMean().compute_output_shape([(None, 4, 8), (None, 4)]) == (None, 8)
    assert MaskedMean().compute_output_shape([(None, 2, 4, 8), (None, 2, 4)]) == (None, 2, 8)
    assert OrMissing().compute_output_shape([(None, 2, 8), (None, 2, 4)]) == (None, 2, 8)
    shapes = [(None, 2, 1), (None, 2, 4)]
    assert ModalityDropout(0.5).compute_output_shape(shapes) == shapes
    assert PrincipalComponents(7).compute_output_shape([(None, 4, 20), (None, 4)]) == (None, 4, 7)
