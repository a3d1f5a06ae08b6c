"""Numbers as they are written in the cells of a column."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

from mixed_data.schema.cell_values import cells_of, is_missing

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER_CHARACTERS = "0123456789+-.eE "


def parse_numbers(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as numbers and say which cells are none, instead of guessing.

    Thousands separators, decimal commas, currency signs and units are not numbers here: "1.200" is 1.2. Nor are
    booleans, which are categories ("True" in a CSV, ``True`` in a DataFrame: one meaning).

    Args:
        values: one column, shape (n,), of any dtype.

    Returns:
        a pair: the numbers, float64 of shape (n,), ``NaN`` where a cell is missing or no number; and the bad cells,
        bool of shape (n,), True where a cell is present but not a finite number ("abc", infinity).

    Example:
        >>> numbers, is_bad = parse_numbers(pd.Series([" 1.5", "abc", None]))
        >>> numbers.tolist(), is_bad.tolist()
        ([1.5, nan, nan], [False, True, False])
    """
    is_plain = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
    if is_plain and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    else:
        cells = list(cells_of(values))
        numbers = _plain_numbers(cells)
        if numbers is None:
            numbers = np.array([_number_of(cell) for cell in cells], dtype=np.float64)
    is_bad = np.isinf(numbers)
    numbers[is_bad] = np.nan
    return numbers, is_bad


def _plain_numbers(cells: list[object]) -> np.ndarray | None:
    """Read a whole column of text at once; None where a cell needs a closer look.

    Of these characters ``float`` takes exactly what ``_NUMBER`` takes: what it takes beyond needs others ("1_000",
    "inf", digits of other scripts).
    """
    try:
        if "".join(cells).strip(_NUMBER_CHARACTERS):  # type: ignore[arg-type]
            return None
        return np.array([cell or "nan" for cell in cells], dtype=np.float64)
    except (TypeError, ValueError):  # A cell is no text, or no number.
        return None


def _number_of(cell: object) -> float:
    """Return the number, NaN where the cell is missing, infinity where it is no finite number."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, str):
        text = cell.strip()
        return float(text) if _NUMBER.fullmatch(text) else math.inf
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal):
        return math.inf
    try:
        return float(cell)
    except OverflowError:
        return math.inf
