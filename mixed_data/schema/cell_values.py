"""What one cell of a table means, in one place, so that training and prediction agree whatever the dtype.

The same zipcode arrives as the integer 85255, as the float 85255.0 (because another row is empty) or as the text
"85255"; the same flag as ``True`` or "true". Everything that looks into cells asks this module.

A cell is missing when it is ``None``, ``NaN``, ``NaT``, ``pd.NA``, blank text, or one of the words that
``pandas.read_csv`` takes for missing ("NA", "None", "null" ...): a CSV means the same whoever reads it.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

PATH_SEPARATOR = ";"

MISSING_WORDS = frozenset(
    ["", "NA", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"]
    + ["NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"]
)

_BOOLEAN_WORDS = {"true": "True", "false": "False"}
_WHOLE_NUMBER = re.compile(r"(-?[0-9]+)\.0*")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER_CHARACTERS = "0123456789+-.eE "


def is_missing(cell: object) -> bool:
    """Tell whether a cell holds nothing (see the module's docstring for what counts as nothing)."""
    if isinstance(cell, str):
        return cell.strip() in MISSING_WORDS
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def canonical_text(values: pd.Series) -> pd.Series:
    """Give every category one spelling, whatever dtype it arrives in.

    Whole numbers lose their ".0", text its outer blanks, booleans are "True" and "False". Leading zeros of text stay
    ("02139"): a column that was once read as integers has lost them, and nothing brings them back. Other decimals keep
    their spelling, because "4.1" and "4.10" may be two codes.

    Args:
        values: one column, shape (n,), of any dtype.

    Returns:
        shape (n,), dtype object, same index and name: ``str``, or ``None`` where the cell is missing.

    Example:
        >>> canonical_text(pd.Series([85255, 85255.0, " 85255 ", "85255.0", True, None])).tolist()
        ['85255', '85255', '85255', '85255', 'True', None]
    """
    cells = list(_cells_of(values))
    if set(map(type, cells)) == {str}:  # Labels repeat, and looking one up is quicker than reading it again.
        known = {cell: _text_of(cell) for cell in set(cells)}
        texts = [known[cell] for cell in cells]
    else:
        texts = [_text_of(cell) for cell in cells]
    return pd.Series(texts, index=values.index, name=values.name, dtype=object)


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
        cells = list(_cells_of(values))
        numbers = _plain_numbers(cells)
        if numbers is None:
            numbers = np.array([_number_of(cell) for cell in cells], dtype=np.float64)
    is_bad = np.isinf(numbers)
    numbers[is_bad] = np.nan
    return numbers, is_bad


def split_paths(cell: object) -> list[str]:
    """List the picture paths of one cell; several are separated by ";".

    Args:
        cell: text, an ``os.PathLike``, or a missing value.

    Returns:
        the paths in their order, without outer blanks; empty when the cell is missing.

    Raises:
        ValueError: the cell is neither text, nor a path, nor missing.

    Example:
        >>> split_paths("front.jpg; kitchen.jpg;")
        ['front.jpg', 'kitchen.jpg']
    """
    if is_missing(cell):
        return []
    if not isinstance(cell, str | os.PathLike):
        raise ValueError(
            f"expected the path of a picture as text, got {cell!r} ({type(cell).__name__}); "
            f"write several paths as one text, separated by {PATH_SEPARATOR!r}"
        )
    parts = str(os.fspath(cell)).split(PATH_SEPARATOR)
    return [path for part in parts if (path := part.strip())]


def _cells_of(values: pd.Series) -> Iterable[object]:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "f":
        return values.to_numpy()  # A float32 0.1 stays one; as a Python float it reads 0.10000000149011612.
    return values.astype(object)


def _text_of(cell: object) -> str | None:
    if is_missing(cell):
        return None
    if isinstance(cell, float | np.floating) and cell.is_integer():
        return str(int(cell))
    text = str(cell).strip()
    if "." in text and (whole := _WHOLE_NUMBER.fullmatch(text)):
        return whole.group(1)
    return _BOOLEAN_WORDS.get(text.lower(), text)


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
