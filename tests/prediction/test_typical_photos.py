"""The mean training photo of each view."""

from __future__ import annotations

import numpy as np
import pytest

from mixed_data.files.checked_arrays import write_arrays
from mixed_data.prediction.typical_photos import TypicalPhotos
from mixed_data.preprocessing.row_reader import Inputs


def make_inputs(images: np.ndarray, mask: np.ndarray) -> Inputs:
    images = np.where(mask.reshape(*mask.shape, *[1] * (images.ndim - 2)), images, 0).astype(images.dtype)
    return Inputs({"images": images, "image_mask": mask}, [[] for _ in mask])


def test_it_is_the_mean_of_the_training_photos_that_are_there():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (20, 3, 4, 4, 3), dtype="uint8")
    mask = random.random((20, 3)) < 0.5
    mask[:, 2] = False
    rows = np.arange(0, 20, 2)
    found = TypicalPhotos.learn(make_inputs(images, mask), rows)
    assert found.is_known.tolist() == [True, True, False]
    assert (found.images.dtype, found.images.shape) == (np.uint8, (3, 4, 4, 3))
    for view in range(2):
        shown = rows[mask[rows, view]]
        np.testing.assert_array_equal(found.images[view], images[shown, view].mean(axis=0).round())
    assert not found.images[2].any()


def test_of_many_rows_some_are_looked_at_from_the_first_to_the_last():
    vectors = np.zeros((2000, 1, 2), dtype="float32")
    vectors[0, 0, 0] = vectors[-1, 0, 1] = 500
    found = TypicalPhotos.learn(make_inputs(vectors, np.ones((2000, 1), dtype=bool)), np.arange(2000))
    assert found.images.tolist() == [[1.0, 1.0]]


def test_what_was_written_is_read_and_anything_else_refused(tmp_path):
    vectors = np.arange(6, dtype="float32").reshape(2, 3)
    TypicalPhotos(vectors, np.array([True, False])).write(tmp_path / "a.npz")
    found = TypicalPhotos.read(tmp_path / "a.npz", num_views=2, num_features=3)
    assert (found.images.tolist(), found.is_known.tolist()) == (vectors.tolist(), [True, False])
    assert TypicalPhotos.read(tmp_path / "none.npz", num_views=2) is None
    for shape in ((3, 3), (2, 4)):
        with pytest.raises(ValueError, match=r"a\.npz: expected vectors of shape"):
            TypicalPhotos.read(tmp_path / "a.npz", num_views=shape[0], num_features=shape[1])
    write_arrays(tmp_path / "b.npz", {"vectors": vectors, "is_known": np.ones(3, dtype=bool)})
    with pytest.raises(ValueError, match=r"b\.npz: expected"):
        TypicalPhotos.read(tmp_path / "b.npz", num_views=2)
