"""Decoded photos on disk: each is decoded once for the audit, all networks, folds and later runs."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from PIL import features

from mixed_data.files.record_store import NOWHERE, RecordStore
from mixed_data.preprocessing.photo_decoding import decode_photo, load_photo, read_photo_file, refuse_half_photos
from mixed_data.preprocessing.photo_memory import keep_photo, memory_key, recall_photo
from mixed_data.preprocessing.photo_problems import PhotoError

logger = logging.getLogger(__name__)

NUM_PHOTOS_AT_ONCE = 256
"""Photos that are decoded before they are written."""

_LIBRARIES = ("pil", "jpg", "libjpeg_turbo", "zlib", "libtiff", "webp", "avif")


@dataclass
class _Photo:
    key: tuple[str | int, ...]
    digest: bytes
    pixels: np.ndarray
    place: int


class PhotoStore:
    """Photos of one size, decoded in one way.

    A photo is kept under the digest of its file's content and the policy of resizing, or of its content alone where it
    has the shape wanted and the policy changes nothing. Each size, limit of pixels and version of the libraries that
    decode has a folder of its own. A photo that was damaged on disk is decoded again.

    Args:
        height: of the photos in pixels.
        width: likewise.
        resize: see `mixed_data.preprocessing.photo_decoding.load_photo`.
        max_pixels: see `load_photo`.

    Raises:
        ValueError: as `load_photo`.
    """

    def __init__(self, height: int, width: int, *, resize: str, max_pixels: int) -> None:
        refuse_half_photos()
        self.shape = (height, width, 3)
        self._how: dict[str, Any] = {"height": height, "width": width, "resize": resize, "max_pixels": max_pixels}

    @cached_property
    def records(self) -> RecordStore:
        """Where the photos are."""
        libraries = {name: features.version(name) for name in _LIBRARIES}
        with suppress(PackageNotFoundError):
            libraries["heic"] = version("pillow-heif")
        how = {name: setting for name, setting in self._how.items() if name != "resize"}
        made = json.dumps([1, how, libraries], sort_keys=True)
        return RecordStore.open("photos", hashlib.sha256(made.encode()).hexdigest(), int(np.prod(self.shape)))

    def load(
        self, photos: Iterable[str | bytes], pool: Executor, *, remember: bool = True
    ) -> dict[str | bytes, np.ndarray | PhotoError]:
        """Return photos from memory, from disk, or decoded.

        Where the disk cannot be used, that is said in the log, and all are decoded.

        Args:
            photos: paths, or contents of files, which are neither remembered nor written.
            pool: decodes several at a time.
            remember: whether to look into memory and disk, and to add to them.

        Returns:
            For each photo uint8 ``(height, width, 3)``, or the reason why it cannot be used.
        """
        photos = list(dict.fromkeys(photos))
        files = [photo for photo in photos if remember and isinstance(photo, str)]
        kept = dict(zip(files, map(self._recall, files), strict=True))
        found = {path: pixels for path, pixels in kept.items() if pixels is not None}
        try:
            read = self._read([path for path in files if path not in found], pool)
        except OSError as error:
            logger.warning("The store of decoded photos cannot be used (%s); each run decodes them.", error)
            read = {}
        for path, outcome in read.items():
            if isinstance(outcome, PhotoError):
                found[path] = outcome
            else:
                found[path] = outcome.pixels
                keep_photo(outcome.key, outcome.pixels)
        rest = [photo for photo in photos if photo not in found]
        return found | dict(zip(rest, pool.map(self._decode, rest), strict=True))

    def place(self, photos: Iterable[str], pool: Executor) -> dict[str, int | PhotoError]:
        """Put photos on disk.

        Returns:
            For each path its place in `records`, or the reason why it cannot be used.

        Raises:
            OSError: the disk cannot be used.
        """
        read = self._read(list(dict.fromkeys(photos)), pool)
        return {path: outcome if isinstance(outcome, PhotoError) else outcome.place for path, outcome in read.items()}

    def _read(self, photos: list[str], pool: Executor) -> dict[str, _Photo | PhotoError]:
        """Read each photo; those that are new are written, each content once."""
        if not photos:
            return {}
        records = self.records  # made before the threads ask for it
        found = dict(zip(photos, pool.map(self._read_one, photos), strict=True))
        read = [photo for photo in found.values() if isinstance(photo, _Photo)]
        new = {photo.digest: photo.pixels for photo in read if photo.place == NOWHERE}
        places = records.append(list(new), [pixels.reshape(-1).data for pixels in new.values()])
        place_of = dict(zip(new, places, strict=True))
        for photo in read:
            photo.place = place_of.get(photo.digest, photo.place)
        return found

    def _read_one(self, path: str) -> _Photo | PhotoError:
        """Return a photo; one that had to be decoded is `NOWHERE`."""
        try:
            key = memory_key(path, **self._how)  # before its content is read
            content = read_photo_file(path, self._how["max_pixels"])
            of_shape = hashlib.sha256(content).digest()
            resized = hashlib.sha256(of_shape + self._how["resize"].encode()).digest()
            pixels = np.empty(self.shape, np.uint8)
            for digest in (of_shape, resized):
                place = self.records.find(digest, pixels.reshape(-1).data)
                if place != NOWHERE:
                    break
            else:
                pixels, has_shape = decode_photo(content, **self._how)
                digest = of_shape if has_shape else resized
        except PhotoError as error:
            return error
        pixels.flags.writeable = False  # it is remembered
        return _Photo(key, digest, pixels, place)

    def _recall(self, path: str) -> np.ndarray | PhotoError | None:
        try:
            return recall_photo(memory_key(path, **self._how))
        except PhotoError as error:
            return error

    def _decode(self, photo: str | bytes) -> np.ndarray | PhotoError:
        try:
            return load_photo(photo, **self._how, remember=False)
        except PhotoError as error:
            return error
