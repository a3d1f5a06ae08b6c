"""The picture columns of a table become one array of photos, a mask, and per-row words on what is missing."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any, Self, cast
from warnings import catch_warnings, filterwarnings

import numpy as np
import pandas as pd

from mixed_data.files.checked_json import FLAG, INTEGER, INTEGERS, TEXT, TEXTS, check_state
from mixed_data.files.first_few import first_few, name_some
from mixed_data.files.learned import Learned
from mixed_data.files.record_store import NOWHERE
from mixed_data.preprocessing import stored_photos
from mixed_data.preprocessing.lost_photos import LostPhoto
from mixed_data.preprocessing.photo_arguments import check_image_columns, check_reading, height_and_width
from mixed_data.preprocessing.photo_decoding import MAX_PIXELS
from mixed_data.preprocessing.photo_problems import PhotoError
from mixed_data.preprocessing.photo_sources import PhotoSource, PixelSource, VectorSource
from mixed_data.preprocessing.photo_vectors import PhotoEmbedder
from mixed_data.preprocessing.stored_photos import StoredPhotos
from mixed_data.schema.photo_paths import show_path, split_photos

logger = logging.getLogger(__name__)

_FORMAT = "mixed_data.ImagePreprocessor"
_VERSION = 1
_FIELDS = {
    "columns": TEXTS,
    "size": INTEGERS,
    "resize": TEXT,
    "montage": FLAG,
    "max_pixels": INTEGER,
    "num_photos": INTEGERS,
}
_MAX_PHOTOS = 1000
_MAX_THREADS = 8

_Fetch = Callable[[str | bytes, np.ndarray], None]  # puts a photo into its place, or raises `PhotoError`
Loaded = tuple[np.ndarray, np.ndarray, list[list[str]]]  # images, mask, and the warnings of each row


class PhotoReader(Learned):
    """Decode the photos that a table names into arrays of one size, in the table's order.

    A photo that is missing or unusable stays black, has mask False and is reported with its row; it is never replaced
    by another photo, and no row depends on any other. Decoded photos are remembered (see `photos.load_photo`), so that
    transforming the same rows again is fast.

    Args:
        columns: the columns that hold paths, or contents of files; one cell may hold several, with ";" between paths or
            as a list.
        size: pixels of each view: a number for a square, or (height, width).
        resize: `"crop"`, `"pad"` or `"stretch"`; see `photos.load_photo`.
        montage: tile all photos of a row into one view, row by row in a square grid (2 x 2 for two to four photos);
            missing tiles are black, and the view's mask is False only when all of them are missing.
        max_pixels: photos with more pixels than this in their header are not decoded.

    Attributes:
        num_photos_: for each column the most photos that one training row has (at least 1), a list of ints.
        remember: whether decoded photos are remembered, True at first.
        views_: the names of the V views: `"frontal"` for a column with one photo, `"photos[0]"`, `"photos[1]"` … for
            one with several, or just `"montage"`.

    Example:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"frontal": ["no_such_photo.jpg", None]})
        >>> images, mask, row_warnings = PhotoReader(["frontal"], size=32).fit(table).transform(table)
        >>> images.shape, mask.tolist()
        ((2, 1, 32, 32, 3), [[False], [False]])
        >>> row_warnings
        [['frontal: no_such_photo.jpg: no such file'], ['frontal: no photo given']]
    """

    def __init__(
        self,
        columns: Sequence[str] = (),
        *,
        size: int | tuple[int, int] = 64,
        resize: str = "crop",
        montage: bool = False,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.columns = columns
        self.size = size
        self.resize = resize
        self.montage = montage
        self.max_pixels = max_pixels

    remember = True

    def fit(self, table: pd.DataFrame, y: object = None, *, rows: np.ndarray | slice = slice(None)) -> Self:
        """Learn how many photos each column holds; no photo is opened.

        Args:
            table: the training rows, perhaps among others.
            y: ignored, for scikit-learn's sake.
            rows: positions of the training rows.

        Raises:
            ValueError: for a parameter out of range, a missing column, or cells that hold no text.
        """
        check_reading(self)
        check_image_columns(table, self.columns)
        problems, num_photos = [], []
        for column in self.columns:
            num_photos.append(1)
            for row, cell in enumerate(table[column].iloc[rows]):
                paths, problem = _read_paths(cell)
                num_photos[-1] = max(num_photos[-1], len(paths))
                if problem:
                    problems.append(f"row {row}, column {column!r}: {problem}")
        if problems:
            raise ValueError(f"the image columns must hold paths: {'; '.join(first_few(problems))}")
        self._set_views(num_photos)
        return self

    def transform(self, table: pd.DataFrame, embedder: PhotoEmbedder | None = None) -> Loaded:
        """Load the photos of every row.

        Args:
            table: rows with the image columns, in any order; other columns are ignored.
            embedder: turns each photo into a vector, which then stands in place of its pixels.

        Returns:
            the images, uint8 of shape (n, V, H, W, 3), RGB, black where there is no photo, or with an embedder float32
            of shape (n, V, D), zero where there is none; the mask, bool of shape (n, V), True where there is one; and
            for each row the list of its warnings (`"frontal: /photos/7.jpg: no such file"`, a `LostPhoto`), empty when
            all is well.

        Raises:
            ValueError: for a missing column, or an embedder for a montage. Never for a bad photo.
        """
        self.check_fitted()
        check_image_columns(table, self.columns)
        if embedder is not None and self.montage:
            raise ValueError("a montage is made of pixels, an embedder gives vectors: set montage=False")
        with catch_warnings():  # Pillow's name no row; and where warnings are errors they must not cost a photo
            filterwarnings("ignore", module=r"PIL\.")
            return self._transform(table, embedder)

    def _transform(self, table: pd.DataFrame, embedder: PhotoEmbedder | None) -> Loaded:
        cells = [table[column] for column in self.columns]
        how: dict[str, Any] = {"resize": self.resize, "max_pixels": self.max_pixels}
        num_tiles = sum(self.num_photos_) if self.montage else 0
        # Pillow decodes without holding Python's lock. Each row has its own part of the arrays, so that the
        # order in which the threads come to them changes nothing.
        with ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
            source: PhotoSource
            if embedder is None:
                size = height_and_width(self.size)
                source = PixelSource(size, pool, num_tiles=num_tiles, remember=self.remember, **how)
            else:
                source = VectorSource(embedder, **how)
            shape = (len(table), len(self.views_), *source.shape)
            if self._may_be_stored(cells, source, math.prod(shape) * np.dtype(source.dtype).itemsize):
                try:
                    parts = source.parts
                    places = np.full((*shape[:2], len(parts)), NOWHERE)
                    _, mask, row_warnings = self._fill(cells, places, pool, source, on_disk=True)
                    return cast(np.ndarray, StoredPhotos(parts, places, source.shape, source.dtype)), mask, row_warnings
                except OSError as error:
                    logger.warning("%s cannot be kept on disk (%s); all are held in memory.", source.name, error)
            return self._fill(cells, np.zeros(shape, source.dtype), pool, source)

    def _fill(
        self,
        cells: list[pd.Series],
        images: np.ndarray,
        pool: ThreadPoolExecutor,
        source: PhotoSource,
        *,
        on_disk: bool = False,
    ) -> Loaded:
        """Fill the images, or their places on disk, row by row, with what is read for some rows at a time."""
        mask = np.zeros(images.shape[:2], dtype=bool)
        nothing: list[str] = []  # of all rows in order
        if images.shape[1] == 0:
            return images, mask, [nothing] * len(images)
        row_warnings: list[list[str]] = []
        num_photos = sum(self.num_photos_)
        cut = (lambda places: list(places.reshape(num_photos, -1))) if on_disk else source.cut
        num_rows = max(1, source.num_at_once // num_photos)
        for start in range(0, len(images), num_rows):
            rows = slice(start, start + num_rows)
            some = [column.iloc[rows].tolist() for column in cells]
            photos = self._photos_of(some)
            fetch = repeat(_hand_out(source.place(map(str, photos)) if on_disk else source.load(photos)))
            found = pool.map(self._fill_row, zip(*some, strict=True), map(cut, images[rows]), mask[rows], fetch)
            row_warnings += (warnings or nothing for warnings in found)
        return images, mask, row_warnings

    def list_photos(self, table: pd.DataFrame) -> list[dict[str, str | bytes]]:
        """Name what is to be read of each row: its photos, or the tiles of its montage.

        Args:
            table: rows with the image columns.

        Returns:
            for each row the paths or contents by the names of `views_`, without those that it lacks.
        """
        self.check_fitted()
        names, found = self._photo_names(self.num_photos_), []
        for row in range(len(table)):
            cells = [_read_paths(table[column].iloc[row])[0] for column in self.columns]
            places = [[*paths, *[None] * count][:count] for paths, count in zip(cells, self.num_photos_, strict=True)]
            photos = [photo for of_column in places for photo in of_column]
            found.append({name: photo for name, photo in zip(names, photos, strict=True) if photo is not None})
        return found

    def get_state(self) -> dict[str, Any]:
        """Return everything that `transform` needs as a dict that JSON can hold."""
        self.check_fitted()
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "columns": list(self.columns),
            "size": [int(side) for side in height_and_width(self.size)],
            "resize": self.resize,
            "montage": bool(self.montage),
            "max_pixels": int(self.max_pixels),
            "num_photos": list(self.num_photos_),
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the fitted preprocessor of `get_state`; nothing in the state is executed.

        Raises:
            ValueError: the state is of another version, incomplete, or holds values out of range.
        """
        check_state(state, _FORMAT, _VERSION, _FIELDS)
        size = tuple(state["size"])
        preprocessor = cls(
            state["columns"],
            size=size[0] if len(set(size)) == 1 and len(size) == 2 else size,
            resize=state["resize"],
            montage=state["montage"],
            max_pixels=state["max_pixels"],
        )
        check_reading(preprocessor)
        num_photos = state["num_photos"]
        if len(num_photos) != len(preprocessor.columns) or min(num_photos, default=1) < 1:
            raise ValueError(f"expected one positive number of photos per column in the state, got {num_photos!r}")
        preprocessor._set_views(num_photos)
        return preprocessor

    def _set_views(self, num_photos: list[int]) -> None:
        total = sum(num_photos)
        if total > _MAX_PHOTOS:
            raise ValueError(f"expected at most {_MAX_PHOTOS} photos per row, got {num_photos} for {self.columns}")
        height, width = height_and_width(self.size)
        if self.montage and math.isqrt(max(total - 1, 0)) >= min(height, width):
            raise ValueError(f"a montage of {total} photos needs a larger size than {self.size!r}")
        self.num_photos_ = num_photos
        self.views_ = ["montage"] if self.montage and num_photos else self._photo_names(num_photos)

    def _photo_names(self, num_photos: list[int]) -> list[str]:
        return [
            column if count == 1 else f"{column}[{position}]"
            for column, count in zip(self.columns, num_photos, strict=True)
            for position in range(count)
        ]

    def _may_be_stored(self, cells: Iterable[Iterable[object]], source: PhotoSource, num_bytes: int) -> bool:
        """Tell whether photos stay on disk: many that are files; of what came as bytes nothing is written."""
        may_be = source.is_kept and num_bytes > stored_photos.STORED_ABOVE_BYTES
        return may_be and all(isinstance(photo, str) for photo in self._photos_of(cells))

    def _photos_of(self, cells: Iterable[Iterable[object]]) -> Iterator[str | bytes]:
        for count, column in zip(self.num_photos_, cells, strict=True):
            for cell in column:
                yield from _read_paths(cell)[0][:count]

    def _fill_row(
        self, cells: Iterable[object], places: list[np.ndarray], mask: np.ndarray, fetch: _Fetch
    ) -> list[str]:
        """Fetch one row's photos, each into its place, and return its warnings."""
        warnings: list[str] = []
        names = self._photo_names(self.num_photos_)
        is_loaded = np.zeros(len(names), dtype=bool)
        end = 0
        for column, count, cell in zip(self.columns, self.num_photos_, cells, strict=True):
            first, end = end, end + count
            paths, problem = _read_paths(cell)
            if problem:
                warnings.append(f"{column}: {problem}")
                continue
            for position, path in zip(range(first, end), paths, strict=False):
                try:
                    fetch(path, places[position])
                    is_loaded[position] = True
                except PhotoError as error:
                    warnings.append(LostPhoto.of(names[position], column, path, error))
            if without := names[first + len(paths) : end]:
                span = without[0] if len(without) == 1 else f"{without[0]} to {without[-1]}"
                warnings.append(f"{span}: no photo given")
            if left_out := paths[count:]:
                warnings.append(
                    f"{column}: more photos than in training, left out: {name_some(map(show_path, left_out))}"
                )
        mask[:] = is_loaded.any() if self.montage else is_loaded
        return warnings


def _read_paths(cell: object) -> tuple[list[str | bytes], str]:
    """Return the photos in a cell; or none, and why it holds none."""
    try:
        return split_photos(cell), ""
    except ValueError as error:
        return [], str(error)


def _hand_out(found: Mapping[Any, Any]) -> _Fetch:
    def fetch(photo: str | bytes, place: np.ndarray) -> None:
        if isinstance(found[photo], PhotoError):
            raise found[photo]
        place[:] = found[photo]

    return fetch
