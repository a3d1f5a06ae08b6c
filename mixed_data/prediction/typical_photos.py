"""The typical photo of each view: what stands in the place of a photo that a model is not to know."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mixed_data.files.checked_arrays import ArrayKind, read_arrays, write_arrays
from mixed_data.preprocessing.row_reader import Inputs, spread_evenly

TYPICAL_FILE = "typical_photos.npz"

_KINDS = {"vectors": ArrayKind("float32", 2), "is_known": ArrayKind("bool", 1)}
_MOST_ROWS = 500


@dataclass(frozen=True)
class TypicalPhotos:
    """The mean of the training photos of each view.

    A network that averages over the photos of a row takes the others for more where one is missing. So what a photo
    does is told better by a typical one in its place than by none.

    Attributes:
        images: as in `Inputs`, pixels uint8 ``(V, H, W, 3)`` or vectors float32 ``(V, D)``; 0 where it is not known.
        is_known: bool ``(V,)``, False for a view of which no training photo was looked at.
    """

    images: np.ndarray
    is_known: np.ndarray

    @classmethod
    def learn(cls, inputs: Inputs, rows: np.ndarray) -> TypicalPhotos:
        """Average the photos of training rows, of at most 500 that are spread evenly over them.

        Args:
            inputs: of all rows.
            rows: positions of the training rows.
        """
        kept = spread_evenly(rows, _MOST_ROWS)
        images, mask = inputs["images"], inputs["image_mask"][kept]
        total = np.zeros(images.shape[1:])
        for row in kept:  # a photo that is missing is 0
            total += images[row]
        mean = total / np.maximum(mask.sum(axis=0), 1).reshape(-1, *[1] * (total.ndim - 1))
        is_whole = np.issubdtype(images.dtype, np.integer)
        return cls((mean.round() if is_whole else mean).astype(images.dtype), mask.any(axis=0))

    def write(self, file: Path) -> None:
        """Write them; their images must be vectors."""
        write_arrays(file, {"vectors": self.images, "is_known": self.is_known})

    @classmethod
    def read(cls, file: Path, *, num_views: int, num_features: int | None = None) -> TypicalPhotos | None:
        """Read what `write` wrote; None where there is no such file, as in bundles of version 0.2 and older.

        Args:
            file: to read.
            num_views: ``V``, that the preprocessing makes.
            num_features: ``D``, that a photo's vector has, if that is known.

        Raises:
            ValueError: the file holds something else.
        """
        if not file.exists():
            return None
        found = read_arrays(file, _KINDS)
        images, is_known = found["vectors"], found["is_known"]
        expected = (num_views, images.shape[1] if num_features is None else num_features)
        if images.shape != expected or is_known.shape != (num_views,):
            raise ValueError(f"{file.name}: expected vectors of shape {expected}, got {images.shape}")
        return cls(images, is_known)
