"""Records of one size in a file without a name, for as long as somebody reads them."""

from __future__ import annotations

import os
import tempfile

import numpy as np

from mixed_data.files.record_store import OpenFile, neighbours
from mixed_data.files.user_cache import user_cache


class TemporaryRecords:
    """Records that one process writes, one after the other, and then reads by place.

    The file is in `user_cache`, since a folder for temporary files may be in memory. It has no name, so that nothing is
    left of it when this object goes, or the process is killed.

    Args:
        num_bytes: of a record.

    Raises:
        OSError: the disk cannot be used.
    """

    def __init__(self, num_bytes: int) -> None:
        user_cache().mkdir(parents=True, exist_ok=True)
        self.num_bytes = num_bytes
        with tempfile.TemporaryFile(dir=user_cache()) as file:
            self._number = os.dup(file.fileno())
        self._file = OpenFile(self._number)

    def append(self, records: np.ndarray) -> None:
        """Write records.

        Args:
            records: ``(n, ...)``, each of ``num_bytes``.

        Raises:
            OSError: they cannot be written.
        """
        content = np.ascontiguousarray(records).reshape(-1).view(np.uint8).data
        while len(content):
            content = content[os.write(self._number, content) :]

    def read(self, places: np.ndarray, into: memoryview) -> None:
        """Copy records one after the other.

        Args:
            places: int64 ``(n,)``, their numbers from 0.
            into: ``n * num_bytes`` to write them to.

        Raises:
            OSError: there are no such records.
        """
        for part, place in neighbours(places, into, self.num_bytes):
            if not self._file.read(part, place * self.num_bytes):
                raise OSError(f"a temporary file has no record {place}")
