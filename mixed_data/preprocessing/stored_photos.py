"""Photos of many rows, or their vectors, which stay on disk until rows of them are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from mixed_data.files.record_store import NOWHERE

STORED_ABOVE_BYTES = 32 * 2**20
"""Photos of a table, or their vectors, that take more are `StoredPhotos`, those of smaller ones a plain array."""


class Records(Protocol):
    """Records of ``num_bytes`` each, such as `mixed_data.files.record_store.RecordStore` or `TemporaryRecords`."""

    num_bytes: int

    def read(self, places: np.ndarray, into: memoryview) -> None:
        """Copy records one after the other; see `RecordStore.read`."""


class Part(NamedTuple):
    """What of a photo, or of its vector, one record is.

    Attributes:
        store: holds the records.
        region: of the photo: all of it, the tile of a montage, or what one of several backbones saw.
    """

    store: Records
    region: tuple[slice, ...] = ()


class StoredPhotos:
    """An array of photos, or of their vectors, of which rows are read when they are indexed; read-only.

    It takes the memory of the rows that are asked for. Files that it reads stay open, so that it stays whole when the
    store removes them.

    Args:
        parts: what each photo is put together from; all else is 0.
        places: int64 ``(n, V, parts)``, of each part of each photo in its store; `NOWHERE` for one that is 0. Where all
            photos of a row are one record, ``(n, 1)``.
        photo: shape of one, or of those of a row.
        dtype: of the numbers in it.

    Attributes:
        shape: ``(n, V, H, W, 3)``, or of vectors ``(n, V, D)``.
        dtype: uint8, or of vectors float32.

    Example:
        >>> photos[[3, 1]].shape, np.asarray(photos).nbytes
        ((2, 4, 64, 64, 3), 4915200000)
    """

    def __init__(self, parts: Sequence[Part], places: np.ndarray, photo: tuple[int, ...], dtype: Any) -> None:
        self._parts, self._places, self._photo, self.dtype = parts, places, photo, np.dtype(dtype)
        self.shape = (*places.shape[:-1], *photo)
        self.ndim = len(self.shape)
        of_parts = sum(part.store.num_bytes for part in parts)
        self._make = np.empty if of_parts == math.prod(photo) * self.dtype.itemsize else np.zeros

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read photos into a new array.

        Args:
            rows: what indexes the first axis, or the first two, of a NumPy array: a position, positions of any shape,
                a slice, bools.
        """
        places = self._places[rows]
        photos = self._make((*places.shape[:-1], *self._photo), self.dtype)
        if not photos.size:
            return photos
        for number, (store, region) in enumerate(self._parts):
            part = photos[(*[slice(None)] * (places.ndim - 1), *region)]
            read = part if part.flags.c_contiguous else np.empty_like(part, order="C")
            store.read(places[..., number].ravel(), read.reshape(-1).view(np.uint8).data)
            if read is not part:
                part[...] = read
        return photos

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """Read all."""
        if copy is False:
            raise ValueError("photos on disk can only be copied into memory")
        return self[:].astype(dtype or self.dtype, copy=False)

    @property
    def nbytes(self) -> int:
        """Bytes that a plain array of these photos would take."""
        return math.prod(self.shape) * self.dtype.itemsize

    def at(self, places: np.ndarray) -> StoredPhotos:
        """Return photos of other places of the same stores."""
        return StoredPhotos(self._parts, places, self._photo, self.dtype)

    @property
    def places(self) -> np.ndarray:
        """Of each part of each photo in its store."""
        return self._places


def take_rows(array: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return what rows, or bools of rows and views, choose; photos that are on disk stay there."""
    return cast(np.ndarray, array.at(array.places[rows])) if isinstance(array, StoredPhotos) else array[rows]


def zeros_like(array: np.ndarray) -> np.ndarray:
    """Return zeros of the same shape; photos that are on disk make no large array."""
    if isinstance(array, StoredPhotos):
        return cast(np.ndarray, array.at(np.full_like(array.places, NOWHERE)))
    return np.zeros_like(array)
