"""The file of vectors: many write it at once, and where it lies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pooch
import pytest
from embedding_helpers import count_cached

from mixed_data.preprocessing import photo_vectors
from mixed_data.preprocessing.photo_vectors import find_cache


def test_many_threads_write_and_read_one_cache_without_loss(caplog: pytest.LogCaptureFixture) -> None:
    def work(thread: int) -> None:
        for step in range(10):
            written = {f"{thread}-{step}-{photo}": np.full(3, thread, "float32") for photo in range(20)}
            photo_vectors._write_cache("encoder", written)
            read = photo_vectors._read_cache("encoder", written)
            assert set(read) == set(written)
            assert all(np.all(vector == thread) for vector in read.values())

    photo_vectors._write_cache("encoder", {"first": np.zeros(3, "float32")})
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert count_cached() == 6 * 10 * 20 + 1
    assert not caplog.records


def test_more_photos_than_one_query_takes_are_found() -> None:
    vectors = {str(number): np.full(3, number, "float32") for number in range(1203)}
    photo_vectors._write_cache("encoder", vectors)
    found = photo_vectors._read_cache("encoder", [*vectors, "unknown"])
    assert {photo: vector.tolist() for photo, vector in found.items()} == {
        photo: vector.tolist() for photo, vector in vectors.items()
    }
    assert photo_vectors._read_cache("another", vectors) == {}


def test_the_cache_is_where_the_variable_says_or_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert find_cache() == tmp_path / "cache" / "embeddings.sqlite"
    monkeypatch.delenv("MIXED_DATA_CACHE")
    assert find_cache() == Path(pooch.os_cache("mixed_data")) / "embeddings.sqlite"
