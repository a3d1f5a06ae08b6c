"""Records in a file without a name are read by place, and leave nothing."""

from __future__ import annotations

import os

import numpy as np
import pytest

from mixed_data.files.temporary_records import TemporaryRecords
from mixed_data.files.user_cache import user_cache


def list_open() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_records_are_read_by_place_and_nothing_is_left_of_them():
    values = np.arange(60, dtype="float32").reshape(10, 2, 3)
    before = list_open()
    records = TemporaryRecords(24)
    records.append(values[:4])
    records.append(values[4:])
    assert len(list_open() - before) == 1
    places = np.array([7, 0, 1, 2, 9, 9])
    found = np.empty((6, 2, 3), "float32")
    records.read(places, found.reshape(-1).view(np.uint8).data)
    np.testing.assert_array_equal(found, values[places])
    with pytest.raises(OSError, match="no record 10"):
        records.read(np.array([10]), memoryview(bytearray(24)))
    assert os.listdir(user_cache()) == []
    del records
    assert list_open() == before


def test_a_folder_that_cannot_be_used_is_an_error():
    user_cache().write_text("a file where the folder should be")
    with pytest.raises(OSError):
        TemporaryRecords(24)
