"""Decoded photos that this process remembers, by the file they came from, for all threads."""

from __future__ import annotations

import os
import stat

import numpy as np

from mixed_data.files.array_memory import ArrayMemory
from mixed_data.preprocessing.photo_problems import PhotoError, explain_path

CACHE_BYTES = 32 * 2**20

_memory = ArrayMemory(CACHE_BYTES)


def file_identity(path: str) -> tuple[str, int, int, int]:
    """Return what changes whenever the file does, after checking that reading it cannot hang."""
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:  # ValueError: a null byte or a lone surrogate in the path
        raise explain_path(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise PhotoError("a folder, not a file", "name the photos in it, separated by ';'")
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError("a pipe, socket or device, not a file")
    # The change time as well: unpacking or rsync can put another picture of equal size under an old date.
    return os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns


def memory_key(path: str, height: int, width: int, resize: str, max_pixels: int) -> tuple[str | int, ...]:
    """Return under what a decoded photo is remembered.

    Raises:
        PhotoError: the file is missing, or no regular file.
    """
    return (*file_identity(path), height, width, resize, max_pixels)


def recall_photo(key: tuple[str | int, ...]) -> np.ndarray | None:
    """Return the photo that is remembered under a key, if one is."""
    return _memory.get(key)


def keep_photo(key: tuple[str | int, ...], pixels: np.ndarray) -> None:
    """Remember a photo, which nobody may change from now on."""
    _memory.put(key, pixels)


def clear_photo_memory() -> None:
    """Forget every decoded photo and free the memory, for example before measuring."""
    _memory.clear()
