"""What the tests of the regressor share: a table with photos, and small networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from PIL import Image

from mixed_data.estimator import MixedDataRegressor
from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.schema import Schema

SCHEMA = Schema(target="price", numeric=("area",), categorical=("kind",), codes=("zipcode",), images=("front", "back"))
NUM_ROWS = 72


def make_regressor(**options: Any) -> MixedDataRegressor:
    """Make a small, quick network."""
    settings = {"units": 8, "epochs": 2, "batch_size": 16, "validation_fraction": 0.15, **options}
    return MixedDataRegressor(SCHEMA, preprocessor=MixedDataPreprocessor(SCHEMA, image_size=16), **settings)


def fit(regressor: MixedDataRegressor, table: pd.DataFrame) -> MixedDataRegressor:
    return regressor.fit(table, table["price"])


def network_of(regressor: MixedDataRegressor) -> keras.Model:
    """The network that was trained, which stands inside the model that predicts."""
    (network,) = [layer for layer in regressor.model_.layers if isinstance(layer, keras.Model)]
    return network


def make_sales(folder: Path) -> pd.DataFrame:
    """Make rows whose log price is what the area says, plus what only the brightness of the front says."""
    generator = np.random.default_rng(0)
    area = generator.uniform(50, 150, NUM_ROWS).round(1)
    bright = generator.random(NUM_ROWS) < 0.5
    rows = {
        "area": area,
        "kind": generator.choice(["house", "flat"], NUM_ROWS),
        "zipcode": generator.choice([85255, 85266, 90011], NUM_ROWS),
        "front": [draw_photo(folder / f"{row}_front.jpg", generator, bright[row]) for row in range(NUM_ROWS)],
        "back": [draw_photo(folder / f"{row}_back.jpg", generator, bright=None) for row in range(NUM_ROWS)],
        "price": 1e5 * np.exp((area - 100) / 60 + 0.8 * bright),
        "bright": bright,
    }
    return pd.DataFrame(rows)


def draw_photo(path: Path, generator: np.random.Generator, bright: bool | None) -> str:
    base = generator.choice([40, 190]) if bright is None else 190 if bright else 40
    pixels = base + generator.integers(-30, 30, (20, 24, 3))
    Image.fromarray(pixels.astype("uint8")).save(path)
    return str(path)
