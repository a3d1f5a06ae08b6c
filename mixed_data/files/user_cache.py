"""Where a program keeps for its user what it can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


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
