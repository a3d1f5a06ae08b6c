"""What one cell of a table means, in one place, so that training and prediction agree whatever the dtype.

The same zipcode arrives as the integer 85255, as the float 85255.0 (because another row is empty) or as the text
"85255"; the same flag as ``True`` or "true". Everything that looks into cells asks this module.

A cell is missing when it is ``None``, ``NaN``, ``NaT``, ``pd.NA``, blank text, or one of the words that
``pandas.read_csv`` takes for missing ("NA", "None", "null" ...): a CSV means the same whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

MISSING_WORDS = frozenset(
    ["", "NA", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"]
    + ["NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"]
)

_BOOLEAN_WORDS = {"true": "True", "false": "False"}
_WHOLE_NUMBER = re.compile(r"(-?[0-9]+)\.0*")


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
    cells = list(cells_of(values))
    if set(map(type, cells)) == {str}:  # Labels repeat, and looking one up is quicker than reading it again.
        known = {cell: _text_of(cell) for cell in set(cells)}
        texts = [known[cell] for cell in cells]
    else:
        texts = [_text_of(cell) for cell in cells]
    return pd.Series(texts, index=values.index, name=values.name, dtype=object)


def cells_of(values: pd.Series) -> Iterable[object]:
    """Return the cells of a column one by one, each as the number, text or other object that it is."""
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
