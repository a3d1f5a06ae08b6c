"""Photos of many rows, which stay on disk until rows of them are asked for."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from mixed_data.files.record_store import NOWHERE, RecordStore

STORED_ABOVE_BYTES = 32 * 2**20
"""Photos of a table that take more are `StoredPhotos`, those of smaller ones a plain array."""


class StoredPhotos:
    """An array of photos of which rows are read when they are indexed; read-only.

    It takes the memory of the rows that are asked for. Files that it reads stay open, so that it stays whole when the
    store removes them.

    Args:
        store: holds the photos.
        places: int64 ``(n, V)``, of each photo there; `NOWHERE` for a black one.
        photo: shape of one.

    Attributes:
        shape: ``(n, V, H, W, 3)``.
        dtype: uint8.

    Example:
        >>> photos[[3, 1]].shape, np.asarray(photos).nbytes
        ((2, 4, 64, 64, 3), 4915200000)
    """

    dtype = np.dtype("uint8")

    def __init__(self, store: RecordStore, places: np.ndarray, photo: tuple[int, int, int]) -> None:
        self._store, self._places, self._photo = store, places, photo
        self.shape = (*places.shape, *photo)
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read photos into a new array.

        Args:
            rows: what indexes the first axis, or the first two, of a NumPy array: a position, positions of any shape,
                a slice, bools.
        """
        places = np.asarray(self._places[rows])
        photos = np.empty((*places.shape, *self._photo), self.dtype)
        if photos.size:
            self._store.read(places.ravel(), photos.reshape(-1).data)
        return photos

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all."""
        if copy is False:
            raise ValueError("photos on disk can only be copied into memory")
        return self[:].astype(dtype or self.dtype, copy=False)

    @property
    def nbytes(self) -> int:
        """Bytes that a plain array of these photos would take."""
        return math.prod(self.shape)

    def at(self, places: np.ndarray) -> StoredPhotos:
        """Return photos of other places of the same store."""
        return StoredPhotos(self._store, places, self._photo)

    @property
    def places(self) -> np.ndarray:
        """Of each photo in the store."""
        return self._places


def take_rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return what rows, or bools of rows and views, choose; photos that are on disk stay there."""
    return cast(np.ndarray, array.at(array.places[rows])) if isinstance(array, StoredPhotos) else array[rows]


def zeros_like(array: np.ndarray) -> np.ndarray:
    """Return zeros of the same shape; photos that are on disk make no large array."""
    if isinstance(array, StoredPhotos):
        return cast(np.ndarray, array.at(np.full_like(array.places, NOWHERE)))
    return np.zeros_like(array)
