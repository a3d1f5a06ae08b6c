"""What the tests of `compare` share: made-up predictions, a table, and a model that counts its fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.base import BaseEstimator, RegressorMixin

from mixed_data.evaluation.model_differences import Evidence
from mixed_data.schema import Schema
from mixed_data.split import k_fold

NUM_ROWS, NUM_REPEATS, NUM_FOLDS = 101, 3, 5
HOUSE_SCHEMA = Schema(target="price", numeric=["area"], codes=["zipcode"], images=["front"], id="name")
NUM_HOUSES = 45
COLUMNS = ["model", "repeat", "fold", "row", "id", "target", "prediction", "lower", "upper"]
COLUMNS += ["images_used", "level_rows"]
"""Of the ``predictions.csv`` of a comparison."""


def make_evidence(
    errors: dict[str, np.ndarray],
    *,
    num_rows: int = NUM_ROWS,
    num_repeats: int = NUM_REPEATS,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Evidence:
    """Make predictions ``target * exp(error)``; ``errors`` gives (repeats, rows) log errors for each model's name."""
    random = np.random.default_rng(seed)
    target = np.exp(random.normal(13, 0.5, num_rows))
    groups = np.arange(num_rows) if groups is None else groups
    lines = []
    for repeat in range(num_repeats):
        for fold, (_, rows) in enumerate(k_fold(groups, NUM_FOLDS, random_state=repeat)):
            for model, error in errors.items():
                prediction = target[rows] * np.exp(error[repeat, rows])
                lines.append(
                    pd.DataFrame(
                        {"model": model, "repeat": repeat, "fold": fold, "row": rows, "prediction": prediction}
                    )
                )
    return Evidence(pd.concat(lines).sample(frac=1, random_state=seed), target, groups)


def make_errors(spread: float, *, seed: int) -> np.ndarray:
    """Draw (repeats, rows) log errors that are mostly the same in each repeat."""
    random = np.random.default_rng(seed)
    return random.normal(0, spread, NUM_ROWS) + random.normal(0, spread / 5, (NUM_REPEATS, NUM_ROWS))


def make_table(folder: Path) -> pd.DataFrame:
    """Make houses, two of which share a photo."""
    random = np.random.default_rng(0)
    area = random.uniform(50, 250, NUM_HOUSES)
    photo = folder / "front.jpg"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(photo)
    return pd.DataFrame(
        {
            "name": [f"house {row}" for row in range(NUM_HOUSES)],
            "area": area,
            "zipcode": random.choice([85255, 85266, 90011], NUM_HOUSES),
            "front": [str(photo) if row in (7, 8) else None for row in range(NUM_HOUSES)],
            "price": 1_000 * area * np.exp(random.normal(0, 0.5, NUM_HOUSES)),
        },
        index=range(100, 100 + NUM_HOUSES),
    )


class Counter(RegressorMixin, BaseEstimator):
    """Predicts its seed, after ``fits_left`` fits fails, and counts in ``fits``."""

    fits = 0
    fits_left = 1_000
    fusion_weights_ = {"tabular": 0.25, "image": 0.75}  # noqa: RUF012 - read only

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y):
        if not Counter.fits_left:
            raise KeyboardInterrupt
        Counter.fits_left -= 1
        Counter.fits += 1
        return self

    def predict(self, X):
        return np.full(len(X), 100.0 + self.random_state)
