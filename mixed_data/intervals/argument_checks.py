"""What the arrays must be that come in."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mixed_data.files.first_few import name_some

FloatArray = NDArray[np.float64]

LARGEST = 1e100
"""Of learned numbers and difficulties: the product of any two is finite."""


def check_vector(values: ArrayLike, name: str, *, num_rows: int | None = None) -> FloatArray:
    """Return finite float64 `(n,)`, with n as given if it is.

    Raises:
        ValueError: naming the argument and what it is instead.
    """
    vector = _read_numbers(values, name)
    if vector.ndim != 1 or num_rows not in (None, len(vector)):
        expected = "(n,)" if num_rows is None else f"({num_rows},)"
        raise ValueError(f"{name} must have shape {expected}, one number per row, got {vector.shape}")
    _refuse_rows(~np.isfinite(vector), f"{name} must be finite numbers")
    return vector


def check_rows(
    prediction: ArrayLike, difficulty: ArrayLike, *, pattern: ArrayLike, num_rows: int | None = None
) -> tuple[FloatArray, FloatArray, NDArray[np.object_]]:
    """Return finite float64 `(n,)`, float64 `(n, p)` with no number beyond `LARGEST`, and texts `(n,)`.

    Raises:
        ValueError: naming the argument and what it is instead.
    """
    vector = check_vector(prediction, "prediction", num_rows=num_rows)
    matrix = _read_numbers(difficulty, "difficulty")
    if matrix.ndim != 2 or len(matrix) != len(vector) or not matrix.shape[1]:
        raise ValueError(f"difficulty must have shape ({len(vector)}, p) with p at least 1, got {matrix.shape}")
    _refuse_rows(~(np.abs(matrix) <= LARGEST).all(axis=1), f"difficulty must be finite numbers of at most {LARGEST}")
    names = np.asarray(pattern, dtype=object)
    if names.shape != (len(vector),):
        raise ValueError(f"pattern must have shape ({len(vector)},), one text per row, got {names.shape}")
    _refuse_rows(np.array([not isinstance(name, str) for name in names], dtype=bool), "pattern must be texts")
    return vector, matrix, names


def _read_numbers(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be numbers: {error}") from error


def _refuse_rows(bad: NDArray[np.bool_], expectation: str) -> None:
    if bad.any():
        raise ValueError(f"{expectation}, but are not in row {name_some(np.flatnonzero(bad))} of {len(bad)}")
