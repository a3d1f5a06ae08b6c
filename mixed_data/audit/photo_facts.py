"""What the audit reads from photo files: whether they can be used, how they look, and what else they give away."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from warnings import catch_warnings, filterwarnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import ExifTags, Image

from mixed_data.files.progress import track
from mixed_data.preprocessing.photo_decoding import MAX_PIXELS, PhotoError, load_photo
from mixed_data.preprocessing.photo_store import NUM_PHOTOS_AT_ONCE, PhotoStore
from mixed_data.schema import Schema
from mixed_data.schema.photo_paths import split_paths

_THUMBNAIL_SIZE = 64
_RESIZE = "stretch"  # a hash is of the whole picture
_HASH_SIZE = 16
# Below this standard deviation of its pixels, of 255, a photo is of one colour.
_MIN_CONTRAST = 2.0
_MAX_THREADS = 8
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


@dataclass(frozen=True)
class PhotoFile:
    """One photo file.

    Attributes:
        problem: why the photo cannot be used; empty if it can.
        is_blank: whether it is of one colour.
        hashes: bool ``(2, 256)``, the perceptual hash of the photo and of its mirror image; None where there is none.
        facts: what is known of the file without looking at the picture, by name.
    """

    problem: str = ""
    is_blank: bool = False
    hashes: NDArray[np.bool_] | None = None
    facts: Mapping[str, float] = field(default_factory=dict)


def list_photos(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return one line per photo that a cell names: ``row`` (position), ``column`` and ``path``."""
    lines = [
        (row, column, path)
        for column in schema.images
        for row, cell in enumerate(table[column])
        for path in split_paths(cell)
    ]
    return pd.DataFrame(lines, columns=["row", "column", "path"]).astype({"row": np.int64})


def read_photos(paths: Iterable[str]) -> dict[str, PhotoFile]:
    """Read each file, several at a time; a photo that cannot be used says why."""
    wanted = list(paths)
    with catch_warnings(), ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1)) as pool:
        filterwarnings("ignore", module=r"PIL\.")  # they name no row
        found = track(_describe_photos(wanted, pool), "looking at photos", len(wanted))
        return dict(zip(wanted, found, strict=True))


def load_thumbnail(path: str) -> NDArray[np.uint8]:
    """Return the photo as its hash sees it, uint8 ``(64, 64, 3)``, whatever its shape.

    Raises:
        PhotoError: the photo cannot be used.
    """
    return load_photo(path, _THUMBNAIL_SIZE, _THUMBNAIL_SIZE, resize=_RESIZE)


def _describe_photos(paths: list[str], pool: Executor) -> Iterator[PhotoFile]:
    store = PhotoStore(_THUMBNAIL_SIZE, _THUMBNAIL_SIZE, resize=_RESIZE, max_pixels=MAX_PIXELS)
    for start in range(0, len(paths), NUM_PHOTOS_AT_ONCE):
        some = paths[start : start + NUM_PHOTOS_AT_ONCE]
        loaded = store.load(some, pool)
        # Not by threads: most of it is Python, so that they would wait for each other, and take half as much again.
        yield from map(_describe_photo, some, map(loaded.__getitem__, some))


def _describe_photo(path: str, pixels: np.ndarray | PhotoError) -> PhotoFile:
    import imagehash

    if isinstance(pixels, PhotoError):
        return PhotoFile(problem=str(pixels))
    facts = _read_facts(path)
    # One row per colour: to add up along the short axis takes NumPy ten times as long.
    if pixels.reshape(-1, pixels.shape[-1]).T.astype("float64", order="C").std(axis=1).max() < _MIN_CONTRAST:
        return PhotoFile(is_blank=True, facts=facts)
    pictures = (Image.fromarray(pixels), Image.fromarray(pixels[:, ::-1]))
    hashes = np.stack([imagehash.phash(picture, hash_size=_HASH_SIZE).hash.ravel() for picture in pictures])
    return PhotoFile(hashes=hashes, facts=facts)


def _read_facts(path: str) -> dict[str, float]:
    """Read the header of a photo that has just been decoded well; nothing is known of one that changed since."""
    try:
        status = os.stat(path)
        with Image.open(path, formats=_FORMATS) as image:
            facts = {
                "file size": float(status.st_size),
                "modification time": float(status.st_mtime_ns),
                "number of pixels": float(image.width * image.height),
                "shape": image.width / image.height,
            }
            taken = _read_time(image)
    except Exception:  # damaged EXIF data around a good picture can raise anything
        return {}
    return facts if taken is None else {**facts, "time in the EXIF data": taken}


def _read_time(image: Image.Image) -> float | None:
    exif = image.getexif()
    text = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    try:
        return datetime.strptime(str(text).strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
