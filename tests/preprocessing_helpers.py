"""What the tests of the preprocessing share: a small table, and photos of noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.schema import Schema

HOUSES = pd.DataFrame(
    {
        "bedrooms": [3, 4, 2, 3, 5, 3, 4],
        "area": [1500, 2400, 900, np.nan, 4100, 1800, 2000],
        "pool": ["yes", "no", "no", "yes", None, "no", "heated"],
        "zipcode": [85255, 85255, 85262, 92880, 92880, 92677, 36372],
        "note": ["a", "b", "c", "d", "e", "f", "g"],
    }
)
SCHEMA = Schema(numeric=["bedrooms", "area"], categorical=["pool"], codes=["zipcode"])


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return the pixels of a picture that cannot be taken for another."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def write(path: Path, pixels: np.ndarray, **options: object) -> str:
    """Write a picture in the format that the name says; the options are Pillow's."""
    Image.fromarray(pixels).save(path, **options)
    return str(path)
