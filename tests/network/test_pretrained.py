"""Principal components of what a backbone saw, against scikit-learn; also under JAX and PyTorch."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from network_helpers import run
from sklearn.decomposition import PCA

from mixed_data.network import PrincipalComponents

NUM_ROWS, NUM_VIEWS, BLOCKS, NUM_COMPONENTS = 80, 3, (4, 9), 5
WIDTH = sum(BLOCKS)


def make_vectors(num_rows: int = NUM_ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Correlated vectors, other ones in every view, and a mask; the last view never has a photo."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(NUM_VIEWS, WIDTH, WIDTH)) * np.geomspace(3, 0.1, WIDTH)[:, None]
    vectors = np.einsum("nvd,vde->nve", generator.normal(size=(num_rows, NUM_VIEWS, WIDTH)), mixing)
    vectors += generator.normal(size=(NUM_VIEWS, WIDTH))
    vectors[..., : BLOCKS[0]] *= 30  # a block with larger numbers
    mask = generator.random((num_rows, NUM_VIEWS)) < 0.7
    mask[:, -1] = False
    return vectors.astype("float32"), mask


def adapt(vectors: np.ndarray, mask: np.ndarray, *, blocks: tuple[int, ...] | None = BLOCKS) -> PrincipalComponents:
    layer = PrincipalComponents(NUM_COMPONENTS, blocks)
    layer.adapt(vectors, mask)
    return layer


def expected_scores(vectors: np.ndarray, mask: np.ndarray, blocks: tuple[int, ...]) -> list[np.ndarray]:
    """Scores by scikit-learn of the rows that have each view, blocks at one scale, before the common divisor."""
    scores = []
    for view in range(NUM_VIEWS - 1):
        rows = vectors[mask[:, view], view].astype("float64")
        rows = rows - rows.mean(axis=0)
        parts = np.split(rows, np.cumsum(blocks)[:-1], axis=1)
        scaled = np.concatenate([part / np.sqrt((part**2).sum(axis=1).mean()) for part in parts], axis=1)
        scores.append(PCA(NUM_COMPONENTS).fit_transform(scaled))
    return scores


class Asked(np.ndarray):
    """Vectors that note how many of them are asked for at once."""

    most = 0

    def __getitem__(self, rows):
        found = super().__getitem__(rows)
        Asked.most = max(Asked.most, np.size(found) // WIDTH)
        return found


def test_many_rows_are_projected_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors, mask)
    whole = layer.project(vectors, mask)
    monkeypatch.setattr("mixed_data.network.pretrained_branch._NUM_ROWS_AT_ONCE", 30)
    found = layer.project(vectors.view(Asked), mask)
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)
    assert Asked.most == 27 * NUM_VIEWS  # three even parts of 80 rows
    np.testing.assert_array_equal(vectors, make_vectors()[0])


@pytest.mark.parametrize("blocks", [BLOCKS, None], ids=["blocks", "one block"])
def test_each_views_components_are_those_of_scikit_learn_divided_by_one_number(blocks: tuple[int, ...] | None) -> None:
    vectors, mask = make_vectors()
    projected = adapt(vectors, mask, blocks=blocks).project(vectors, mask)
    expected = expected_scores(vectors, mask, blocks or (WIDTH,))
    weights = [len(scores) for scores in expected]
    divisor = np.sqrt(np.average([np.mean(scores**2) for scores in expected], weights=weights))
    for view, scores in enumerate(expected):
        ours = projected[mask[:, view], view]
        np.testing.assert_allclose(np.abs(ours), np.abs(scores / divisor), rtol=2e-3, atol=2e-4)
        np.testing.assert_allclose(ours.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(ours.var(axis=0), (scores / divisor).var(axis=0), rtol=1e-3)


def test_components_keep_their_own_variances_and_have_a_mean_square_of_one() -> None:
    vectors, mask = make_vectors()
    projected = adapt(vectors, mask).project(vectors, mask)
    assert np.mean(projected[mask] ** 2) == pytest.approx(1, rel=1e-5)
    variances = projected[mask[:, 0], 0].var(axis=0)
    assert np.all(np.diff(variances) < 0)
    assert variances[0] > 3 * variances[-1]


def test_a_block_with_larger_numbers_does_not_win() -> None:
    vectors, mask = make_vectors()
    scaled = vectors.copy()
    scaled[..., : BLOCKS[0]] *= 100
    one, other = adapt(vectors, mask), adapt(scaled, mask)
    np.testing.assert_allclose(
        np.abs(one.project(vectors, mask)), np.abs(other.project(scaled, mask)), rtol=5e-3, atol=5e-4
    )
    loadings = np.square(adapt(scaled, mask, blocks=None).get_weights()[1][0, :, 0])
    assert loadings[: BLOCKS[0]].sum() > 0.99 * loadings.sum()  # as one block, it does


def test_masked_views_give_zero_and_never_leak() -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors, mask)
    poisoned = np.where(mask[..., None], vectors, np.nan).astype("float32")
    for weight, same in zip(layer.get_weights(), adapt(poisoned, mask).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)
    for projected in (layer.project(poisoned, mask), run(layer, [poisoned, mask])):
        assert np.all(np.isfinite(projected))
        assert not projected[~mask].any()
        assert projected[mask].all()


def test_only_the_training_rows_are_learned_from() -> None:
    vectors, mask = make_vectors()
    rows = np.arange(50)
    layer = adapt(vectors[rows], mask[rows])
    present = mask[rows, 0]
    np.testing.assert_allclose(layer.get_weights()[0][0], vectors[rows][present, 0].mean(axis=0), rtol=1e-4, atol=1e-4)
    before = [weight.copy() for weight in layer.get_weights()]
    layer.project(vectors, mask)
    run(layer, [vectors, mask], training=True)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_view_without_photos_stays_zero_also_when_it_comes_later() -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors, mask)
    assert not layer.get_weights()[1][-1].any()
    everywhere = np.ones_like(mask)
    assert not layer.project(vectors, everywhere)[:, -1].any()
    assert not run(layer, [vectors, everywhere])[:, -1].any()


@pytest.mark.parametrize("num_photos", [0, 1, 2, 4])
def test_few_photos_give_as_many_components_as_they_can(num_photos: int) -> None:
    vectors, mask = make_vectors()
    mask[:] = False
    mask[:num_photos, 0] = True
    projected = adapt(vectors, mask).project(vectors, mask)
    num_components = max(num_photos - 1, 0)
    assert np.count_nonzero(np.any(np.abs(projected) > 1e-6, axis=(0, 1))) == num_components
    assert np.all(np.isfinite(projected))


def test_components_that_are_all_the_same_photo_are_zero_and_not_infinite() -> None:
    vectors, mask = make_vectors()
    vectors[:] = vectors[0]
    projected = adapt(vectors, mask).project(vectors, mask)
    np.testing.assert_allclose(projected, 0, atol=1e-3)


def test_layer_and_array_give_the_same() -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors, mask)
    np.testing.assert_allclose(run(layer, [vectors, mask]), layer.project(vectors, mask), rtol=1e-4, atol=1e-4)
    assert layer.project(vectors, mask).dtype == np.float32


def test_adapting_again_forgets_and_is_the_same_each_time() -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors[::-1] * 3, mask)
    layer.adapt(vectors, mask)
    assert len(layer.weights) == 2
    for weight, same in zip(layer.get_weights(), adapt(vectors, mask).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


def test_components_are_never_trained_and_survive_saving(tmp_path: Path) -> None:
    vectors, mask = make_vectors()
    layer = adapt(vectors, mask)
    inputs = [keras.Input(vectors.shape[1:]), keras.Input(mask.shape[1:], dtype="bool")]
    model = keras.Model(inputs, layer(inputs))
    model.trainable = True
    assert model.trainable_weights == []
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(run(loaded, [vectors, mask]), run(model, [vectors, mask]))
    assert loaded.layers[-1].num_components == NUM_COMPONENTS
    assert loaded.layers[-1].blocks == list(BLOCKS)
