"""The cache of decoded photos gives what decoding again would give, and never grows beyond its bytes."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from preprocessing_helpers import noise, write

from mixed_data.files.array_memory import ArrayMemory
from mixed_data.preprocessing import photo_decoding, photo_memory
from mixed_data.preprocessing.photo_decoding import PhotoError, load_photo
from mixed_data.preprocessing.photo_memory import clear_photo_memory

pytestmark = pytest.mark.usefixtures("empty_photo_cache")


def load(path: object, size: int = 4, **options: object) -> np.ndarray:
    return load_photo(str(path), size, size, **options)


@pytest.fixture
def decoded(monkeypatch):
    """Return the list of files decoded so far."""
    names: list[str] = []
    decode = photo_decoding._decode

    def counting(path, *arguments):
        names.append(Path(path).name)
        return decode(path, *arguments)

    monkeypatch.setattr(photo_decoding, "_decode", counting)
    return names


def test_an_unchanged_file_is_decoded_once_until_the_cache_is_cleared(tmp_path, decoded):
    path = write(tmp_path / "a.png", noise(8, 8))
    first = load(path)
    assert load(path) is first
    assert len(decoded) == 1
    clear_photo_memory()
    np.testing.assert_array_equal(load(path), first)
    assert len(decoded) == 2


def test_the_cache_tells_sizes_policies_and_limits_apart(tmp_path, decoded):
    path = write(tmp_path / "a.png", noise(8, 16))
    results = [load(path, 4), load(path, 5), load(path, 4, resize="pad"), load_photo(path, 4, 5)]
    assert [image.shape[:2] for image in results] == [(4, 4), (5, 5), (4, 4), (4, 5)]
    assert (results[0] != results[2]).any()
    with pytest.raises(PhotoError, match="max_pixels=100"):
        load(path, 4, max_pixels=100)
    assert len(decoded) == 5


def test_the_cache_notices_a_changed_file_even_of_equal_size_and_date(tmp_path):
    path = tmp_path / "a.bmp"
    write(path, np.full((8, 8, 3), 10, np.uint8))
    before = path.stat()
    assert load(path)[0, 0, 0] == 10
    time.sleep(0.02)
    write(path, np.full((8, 8, 3), 20, np.uint8))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert load(path)[0, 0, 0] == 20


def test_failures_are_not_remembered(tmp_path):
    with pytest.raises(PhotoError):
        load(tmp_path / "a.png")
    write(tmp_path / "a.png", np.full((8, 8, 3), 10, np.uint8))
    assert load(tmp_path / "a.png")[0, 0, 0] == 10


def test_nobody_can_change_a_remembered_photo(tmp_path):
    photo = load(write(tmp_path / "a.png", noise(8, 8)))
    with pytest.raises(ValueError, match="read-only"):
        photo[0, 0, 0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        photo.flags.writeable = True


def test_threads_may_share_the_cache(tmp_path):
    paths = [write(tmp_path / f"{name}.png", noise(8, 8, name)) for name in range(8)] * 50
    expected = [load(path).copy() for path in paths]
    clear_photo_memory()
    with ThreadPoolExecutor(8) as pool:
        np.testing.assert_array_equal(list(pool.map(load, paths)), expected)


def test_the_cache_stays_within_its_bytes(tmp_path, monkeypatch, decoded):
    photo_bytes = 8 * 8 * 3
    monkeypatch.setattr(photo_memory, "_memory", ArrayMemory(2 * photo_bytes))
    first, second, third = (write(tmp_path / f"{name}.png", noise(8, 8)) for name in range(3))
    for path in [first, second, first, third, first, second]:
        load(path, 8)
    assert decoded == ["0.png", "1.png", "2.png", "1.png"]
    assert load(first, 100).shape == (100, 100, 3)
    assert photo_memory._memory.currsize <= 2 * photo_bytes
