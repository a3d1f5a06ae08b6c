"""Where a program keeps for its user what it can make again, and how much of it."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

_GIGABYTES = 10.0


def user_cache() -> Path:
    """Return the folder that the environment variable MIXED_DATA_CACHE names, or else one in the user's own cache.

    That is where platformdirs has it: XDG_CACHE_HOME or ``~/.cache`` on Linux, ``~/Library/Caches`` on macOS, and
    LOCALAPPDATA on Windows.
    """
    if named := os.environ.get("MIXED_DATA_CACHE"):
        return Path(named)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(local) / "mixed_data" / "mixed_data" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mixed_data"
    return Path(os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache") / "mixed_data"


def cache_bytes() -> int:
    """Return how many bytes may be kept there: the environment variable MIXED_DATA_CACHE_GB, or else 10 GB.

    Raises:
        ValueError: the variable is no number, or below 0.
    """
    written = os.environ.get("MIXED_DATA_CACHE_GB", "").strip() or str(_GIGABYTES)
    try:
        gigabytes = float(written)
    except ValueError:
        gigabytes = math.nan
    if not 0 <= gigabytes < math.inf:
        raise ValueError(f"MIXED_DATA_CACHE_GB: expected a number of gigabytes such as 10, got {written!r}")
    return int(gigabytes * 1e9)
