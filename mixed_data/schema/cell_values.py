"""What one cell of a table means, in one place, so that training and prediction agree whatever the dtype.

The same zipcode arrives as the integer 85255, as the float 85255.0 (because another row is empty) or as the text
"85255"; the same flag as ``True`` or "true". Everything that looks into cells asks this module.

A cell is missing when it is ``None``, ``NaN``, ``NaT``, ``pd.NA``, blank text, or one of the words that
``pandas.read_csv`` takes for missing ("NA", "None", "null" ...): a CSV means the same whoever reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time
from decimal import Decimal

import numpy as np
import pandas as pd

MISSING_WORDS = frozenset(
    ["", "NA", "<NA>", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "NULL", "null", "None"]
    + ["NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"]
)

_BOOLEAN_WORDS = {"true": "True", "false": "False"}
_DECIMAL = re.compile(r"-?[0-9]+\.[0-9]+")
_ISO_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}.*")
_WHOLE_NUMBER = re.compile(r"(-?[0-9]+)\.0*")


def is_missing(cell: object) -> bool:
    """Tell whether a cell holds nothing (see the module's docstring for what counts as nothing)."""
    if isinstance(cell, str):
        return cell.strip() in MISSING_WORDS
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def canonical_text(values: pd.Series) -> pd.Series:
    """Give every category one spelling, whatever dtype it arrives in.

    Whole numbers lose their ".0", text its outer blanks, booleans are "True" and "False". A point in time is written
    "2020-12-31 14:30:00", and at midnight "2020-12-31", as a date is. Accented letters are composed (NFC). Leading
    zeros of text stay ("02139"): a column that was once read as integers has lost them, and nothing brings them back.
    Other decimals in text keep their spelling, because "4.1" and "4.10" may be two codes (but see `spell_as`).

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


def spell_as(levels: Collection[str], texts: Sequence[str | None]) -> list[str | None]:
    """Give decimals that are not among the known levels the spelling of the only level of the same value.

    So 4.1, which one file has as a number, meets the "4.10" of another; where "4.1" and "4.10" are both known, each
    stays what it is.

    Args:
        levels: canonical texts that are known.
        texts: (n,) canonical texts, None where missing.

    Example:
        >>> spell_as(["4.10", "4.25", "4.250"], ["4.1", "4.25", "4.2500", "x", None])
        ['4.10', '4.25', '4.2500', 'x', None]
    """
    spellings: defaultdict[float, list[str]] = defaultdict(list)
    for level in filter(_DECIMAL.fullmatch, levels):
        spellings[float(level)].append(level)
    if not spellings:
        return list(texts)
    known = set(levels)
    new = {text for text in texts if text is not None and text not in known and _DECIMAL.fullmatch(text)}
    respelt = {text: spellings[float(text)][0] for text in new if len(spellings[float(text)]) == 1}
    return [text if text is None else respelt.get(text, text) for text in texts]


def cells_of(values: pd.Series) -> Iterable[object]:
    """Return the cells of a column one by one, each as the number, text or other object that it is."""
    dtype = getattr(values.dtype, "numpy_dtype", values.dtype)  # Of nullable and Arrow types, the NumPy type within.
    kind = dtype.kind if isinstance(dtype, np.dtype) else ""
    if kind == "f":  # As Python floats, float32 0.1 would read 0.10000000149011612.
        return values.to_numpy(dtype=dtype, na_value=np.nan)
    return values.to_numpy() if kind == "O" and dtype is values.dtype else values.astype(object)


def _text_of(cell: object) -> str | None:
    if is_missing(cell):
        return None
    if isinstance(cell, float | np.floating) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, Decimal):
        cell = format(cell.normalize(), "f")  # As the float of the same value: not "4.10", nor "1E+3".
    if isinstance(cell, bytes):
        with suppress(UnicodeDecodeError):  # Text, as some programs write it into Parquet; pictures are none.
            cell = cell.decode("utf-8")
    if isinstance(cell, date | np.datetime64):
        return _text_of_date(pd.Timestamp(cell))
    text = str(cell).strip()
    if "." in text and (whole := _WHOLE_NUMBER.fullmatch(text)):
        return whole.group(1)
    if text[4:5] == "-" and _ISO_TIME.fullmatch(text):
        with suppress(ValueError):
            return _text_of_date(datetime.fromisoformat(text))
    return _BOOLEAN_WORDS.get(text.lower(), text if text.isascii() else unicodedata.normalize("NFC", text))


def _text_of_date(at: datetime) -> str:
    return at.date().isoformat() if at.time() == time() else at.isoformat(" ")
