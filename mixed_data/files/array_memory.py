"""Arrays kept in memory, the ones used last, up to so many bytes."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Any

import numpy as np


class ArrayMemory:
    """Remembers arrays for all threads of this process, and forgets those not used for longest.

    Args:
        num_bytes: at most so many; a larger array is not kept.
    """

    def __init__(self, num_bytes: int) -> None:
        self._num_bytes = num_bytes
        self._lock = threading.Lock()
        self._arrays: Any = None  # cachetools is imported by those who remember, which a service does not

    def get(self, key: Hashable) -> np.ndarray | None:
        """Return what was put under a key, None if nothing is kept there."""
        with self._lock:
            return None if self._arrays is None else self._arrays.get(key)

    def put(self, key: Hashable, array: np.ndarray) -> None:
        """Keep an array, which nobody may change from now on."""
        if array.nbytes > self._num_bytes:
            return
        with self._lock:
            if self._arrays is None:
                import cachetools

                self._arrays = cachetools.LRUCache(maxsize=self._num_bytes, getsizeof=lambda kept: kept.nbytes)
            self._arrays[key] = array

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._arrays = None

    def __len__(self) -> int:
        return 0 if self._arrays is None else len(self._arrays)

    @property
    def currsize(self) -> int:
        """How many bytes are kept."""
        return 0 if self._arrays is None else int(self._arrays.currsize)
