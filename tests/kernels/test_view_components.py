"""Components of each view, by itself; what the Keras layer makes of them is tested in tests/network."""

from __future__ import annotations

import numpy as np
import pytest

from mixed_data.kernels import view_components
from mixed_data.kernels.view_components import learn_components


@pytest.fixture
def vectors() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(30, 3, 7)) * [9, 3, 1, 1, 100, 50, 10] + 5).astype("float32")


def test_components_are_those_of_the_rows_whose_photo_is_there(vectors: np.ndarray) -> None:
    mask = np.random.default_rng(1).random((30, 3)) < 0.7
    mean, kernel = learn_components(vectors, mask, 4, [4, 3])
    assert (mean.shape, kernel.shape) == ((3, 7), (3, 7, 4))
    for view in range(3):
        there = vectors[mask[:, view], view].astype("float64")
        np.testing.assert_allclose(mean[view], there.mean(axis=0))
        centred = there - mean[view]
        sizes = [np.sqrt(np.mean(np.sum(part**2, axis=1))) for part in (centred[:, :4], centred[:, 4:])]
        scaled = centred / np.repeat(sizes, [4, 3])
        _, _, directions = np.linalg.svd(scaled, full_matrices=False)
        expected = scaled @ directions[:4].T
        found = centred @ kernel[view]
        np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-6, atol=1e-9)
        np.testing.assert_array_equal(
            learn_components(vectors[mask[:, view]], mask[mask[:, view]], 4, [4, 3])[1][view], kernel[view]
        )


class Asked(np.ndarray):
    """Vectors that note how many numbers are asked for at once."""

    most = 0

    def __getitem__(self, rows):
        found = super().__getitem__(rows)
        Asked.most = max(Asked.most, np.size(found))
        return found


def test_many_rows_are_read_part_by_part_with_the_same_bits(vectors: np.ndarray, monkeypatch) -> None:
    mask = np.random.default_rng(1).random((30, 3)) < 0.7
    expected = learn_components(vectors, mask, 4, [4, 3])
    monkeypatch.setattr(view_components, "_NUM_ROWS_AT_ONCE", 6)
    for found, same in zip(learn_components(vectors.view(Asked), mask, 4, [4, 3]), expected, strict=True):
        np.testing.assert_array_equal(found, same)
    assert Asked.most == 6 * 7


@pytest.mark.parametrize("num_photos", [0, 1, 2, 3])
def test_few_photos_have_fewer_components_and_none_is_zero(vectors: np.ndarray, num_photos: int) -> None:
    mask = np.ones((30, 3), dtype=bool)
    mask[num_photos:, 1] = False
    mean, kernel = learn_components(vectors, mask, 5, [7])
    assert np.any(kernel[1], axis=0).tolist() == [component < num_photos - 1 for component in range(5)]
    assert np.any(mean[1]) == (num_photos > 1)
    assert np.all(np.any(kernel[[0, 2]], axis=1))


def test_the_same_photo_in_all_rows_has_no_components(vectors: np.ndarray) -> None:
    vectors[:, 2] = vectors[0, 2]
    mean, kernel = learn_components(vectors, np.ones((30, 3), dtype=bool), 5, [7])
    assert not np.any(mean[2])
    assert not np.any(kernel[2])


def test_a_block_that_is_the_same_in_all_rows_counts_nothing(vectors: np.ndarray) -> None:
    vectors[:, :, 4:] = 3.0
    _, kernel = learn_components(vectors, np.ones((30, 3), dtype=bool), 7, [4, 3])
    assert np.isfinite(kernel).all()
    moved = vectors.copy()
    moved[:, :, :4] += 1
    centred = vectors[:, 0] - vectors[:, 0].mean(axis=0)
    assert np.abs(centred @ kernel[0][:, :4]).max() < 10
