"""What becomes of photos for a model: their pixels, or what backbones saw in them; in memory, or as places on disk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from functools import cached_property, partial
from typing import Any

import numpy as np

from mixed_data.files.record_store import RecordStore
from mixed_data.preprocessing.photo_store import NUM_PHOTOS_AT_ONCE, PhotoStore
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import Part

_NUM_VECTORS_AT_ONCE = 1024

Found = Mapping[Any, Any]
"""Photo -> its array, or its places, or the `PhotoError` that says why it cannot be used."""


class PixelSource:
    """Decodes photos.

    Args:
        size: height and width of a view in pixels.
        pool: decodes several at a time.
        num_tiles: how many photos of a row stand in one view, a montage; 0 for views of one photo each.
        remember: see `PhotoStore.load`.
        **how: of `PhotoStore`.
    """

    name, dtype, num_at_once = "Photos", np.uint8, NUM_PHOTOS_AT_ONCE

    def __init__(self, size: tuple[int, int], pool: Executor, *, num_tiles: int, remember: bool, **how: Any) -> None:
        grid = math.isqrt(num_tiles - 1) + 1 if num_tiles else 1
        height, width = size[0] // grid, size[1] // grid
        corners = [(row * height, column * width) for row in range(grid) for column in range(grid)]
        self._tiles: list[tuple[slice, ...]] = [
            np.s_[top : top + height, left : left + width] for top, left in corners[:num_tiles]
        ]
        self._make_store, self._pool = partial(PhotoStore, height, width, **how), pool
        self.shape, self.is_kept = (*size, 3), remember

    @cached_property
    def _store(self) -> PhotoStore:
        return self._make_store()

    @property
    def parts(self) -> list[Part]:
        """The photo, or each tile of a montage."""
        return [Part(self._store.records, region) for region in self._tiles or [()]]

    def cut(self, views: np.ndarray) -> list[np.ndarray]:
        """Return the views, or the tiles of the only one."""
        return [views[0][tile] for tile in self._tiles] or list(views)

    def load(self, photos: Iterable[str | bytes]) -> Found:
        """Decode photos, or find them decoded."""
        return self._store.load(photos, self._pool, remember=self.is_kept)

    def place(self, photos: Iterable[str]) -> Found:
        """Put decoded photos on disk, see `PhotoStore.place`."""
        return self._store.place(photos, self._pool)


class VectorSource:
    """Has photos turned into vectors.

    Args:
        embedder: turns them.
        **how: of `PhotoEmbedder.embed`.
    """

    name, dtype, num_at_once = "Vectors of photos", np.float32, _NUM_VECTORS_AT_ONCE

    def __init__(self, embedder: PhotoEmbedder, **how: Any) -> None:
        self._embedder, self._how = embedder, how
        self.shape, self.is_kept = (embedder.num_features,), embedder.cached

    @cached_property
    def _stores(self) -> list[RecordStore]:
        return self._embedder.open_stores(**self._how)

    @property
    def parts(self) -> list[Part]:
        """What each backbone saw."""
        parts, end = [], 0
        for store in self._stores:
            start, end = end, end + store.num_bytes // np.dtype(self.dtype).itemsize
            parts.append(Part(store, np.s_[start:end,]))
        return parts

    def cut(self, views: np.ndarray) -> list[np.ndarray]:
        """Return the vectors."""
        return list(views)

    def load(self, photos: Iterable[str | bytes]) -> Found:
        """Compute vectors, or find them computed."""
        return self._embedder.embed(photos, **self._how)

    def place(self, photos: Iterable[str]) -> Found:
        """Put vectors on disk, see `PhotoEmbedder.place`."""
        return self._embedder.place(photos, self._stores, **self._how)


PhotoSource = PixelSource | VectorSource
"""Reads photos in one way.

Each has ``shape`` and ``dtype`` of what stands in "images" for one view, the ``name`` of what it reads, at the
beginning of a sentence, ``num_at_once``, how many photos are read before they are handed out, and ``is_kept``, whether
they may be written to disk. `parts` says what one view is put together from, on disk.
"""
