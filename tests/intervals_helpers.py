"""What the tests of intervals share: simulated noise whose size is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from mixed_data.intervals import IntervalCalibrator


def labels(num_rows: int, name: str = "all") -> np.ndarray:
    return np.full(num_rows, name, dtype=object)


def simulate(num_rows: int, *, seed: int, ratio: float = 3.0) -> dict[str, np.ndarray]:
    """Prices whose log error is normal; where `hard` is 1, its standard deviation is `ratio` times that elsewhere."""
    random = np.random.default_rng(seed)
    hard = random.integers(0, 2, num_rows).astype(float)
    log_price = random.normal(12.5, 0.8, num_rows)
    error = 0.1 * ratio**hard * random.normal(size=num_rows)
    return {"target": np.exp(log_price + error), "prediction": np.exp(log_price), "difficulty": hard[:, None]}


def fit(rows: dict[str, np.ndarray], **settings: Any) -> IntervalCalibrator:
    return IntervalCalibrator("log", **settings).fit(**rows, pattern=labels(len(rows["target"])))


def predict(
    calibrator: IntervalCalibrator, rows: dict[str, np.ndarray], coverage: float = 0.9
) -> tuple[np.ndarray, np.ndarray]:
    prediction, difficulty = rows["prediction"], rows["difficulty"]
    return calibrator.predict(prediction, difficulty=difficulty, pattern=labels(len(prediction)), coverage=coverage)


def inside(rows: dict[str, np.ndarray], lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    return (lower <= rows["target"]) & (rows["target"] <= upper)
