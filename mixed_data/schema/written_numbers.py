"""Numbers as people write them: "1200.5", "1.200,50 €", "(1,200)", "12,5 %"; and which sign is the decimal one.

"1.200" is 1200 in one file and 1.2 in another. No cell says which, so the sign is settled for a whole column: see
`mixed_data.schema.learn_formats`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd

from mixed_data.schema.cell_values import cells_of, is_missing

_PLAIN_CHARACTERS = "0123456789+-.eE "
_EXAMPLES = {".": "1,234.5", ",": "1.234,5", None: "1234"}
_WHOLE_EXAMPLES = {".": "1,234", ",": "1.234"}
_FORMAT = re.compile(r"(1,234\.5|1\.234,5|1,234|1\.234|1234)(?: (\S+))?")
_UNITS = {"EUR": "€", "USD": "$", "US$": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "Fr.": "CHF", "kr.": "kr"}
_UNIT = (
    r"(?:[A-Z]{0,2}[$€£¥₹₽₩₺₴₦₪฿₫₱]|%|kr\.?|zł|Kč|Ft|Fr\.|EUR|USD|GBP|JPY|INR|CHF|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF"
    r"|RON|BGN|TRY|BRL|MXN|CNY|RMB|HKD|SGD|ZAR|KRW|ILS|AED)"
)
_WRITTEN = re.compile(rf"([-+−]?) ?({_UNIT})? ?([-+−]?) ?([0-9.,].*?) ?({_UNIT})?")
_SPACES = "\u00a0\u202f\u2009"  # no-break, narrow no-break and thin, all of which separate thousands


def _number_body(decimal: str, other: str) -> re.Pattern[str]:
    """Return the pattern of digits with thousands in groups, perhaps, and a decimal sign, perhaps.

    ",-" and ".--" stand for a price without cents. Groups of two are the Indian "12,34,567".
    """
    groups = rf"[1-9][0-9]{{0,2}}([{other}'’ ])[0-9]{{3}}(?:\1[0-9]{{3}})*"
    indian = r"|[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if other == "," else ""
    cents = rf"{re.escape(decimal)}(?:[0-9]*|[-–—]{{1,2}})"
    plain = rf"(?:[0-9]+(?:{cents})?|{re.escape(decimal)}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    return re.compile(rf"(?:{groups}{indian})(?:{cents})?|{plain}")


_BODIES = {".": _number_body(".", ","), ",": _number_body(",", ".")}
_SHAPE = str.maketrans("12345678", "99999999")
_INNER_ZERO = re.compile("(?<=[0-9])0")
_SEPARATOR = "\0"  # in no text that a person wrote


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of one column are written.

    Attributes:
        decimal: the decimal sign, "." or ","; None where nothing has told it yet, and "1.200" cannot be read.
        unit: "%" or the sign of a currency that may stand beside them; "" for none.
        is_whole: True where thousands stood in groups and nothing had decimals: then "1,234" is not taken for 1.234.
    """

    decimal: str | None = None
    unit: str = ""
    is_whole: bool = False

    def __str__(self) -> str:
        """Write 1234.5 this way; without a decimal sign 1234."""
        example = _WHOLE_EXAMPLES[self.decimal] if self.is_whole and self.decimal else _EXAMPLES[self.decimal]
        return f"{example} {self.unit}".strip()

    @classmethod
    def from_text(cls, text: str) -> NumberFormat:
        """Read what ``str`` of a format gives, such as "1.234,5 €".

        Raises:
            ValueError: the text is no such format.
        """
        match = _FORMAT.fullmatch(str(text))
        if not match or (match[2] and not re.fullmatch(_UNIT, match[2])):
            raise ValueError(f"expected a format such as '1,234.5' or '1.234,5 €', got {text!r:.80}")
        is_whole = match[1] in _WHOLE_EXAMPLES.values()
        examples = _WHOLE_EXAMPLES if is_whole else _EXAMPLES
        decimal = next(sign for sign, example in examples.items() if example == match[1])
        return cls(decimal, _UNITS.get(match[2], match[2]) if match[2] else "", is_whole)

    def read(self, text: str) -> float | None:
        """Return the number that a text means in a column written so; None where it is none, or could be two."""
        unit, meanings = read_meanings(text)
        if unit and unit != self.unit:
            return None
        if self.is_whole and sign_of(meanings) == "?" and str(self.decimal) in text:
            return None
        if self.decimal is not None:
            return meanings.get(self.decimal)
        return meanings.popitem()[1] if len(set(meanings.values())) == 1 else None


PLAIN = NumberFormat(".")
"""As Python and every program write numbers: 1234.5."""

UNKNOWN = NumberFormat()
"""Of a column that showed no decimal sign."""


def read_meanings(text: str) -> tuple[str, dict[str, float]]:
    """Return what a text can mean as a number.

    Returns:
        the unit beside it, "" for none; and decimal sign -> number, empty for what is no number.

    Example:
        >>> read_meanings("€ 1.200"), read_meanings("12,5 %")
        (('€', {'.': 1.2, ',': 1200.0}), ('%', {',': 12.5}))
    """
    text = text.strip()
    for space in _SPACES:
        text = text.replace(space, " ")
    is_negative = text.endswith(")") and "(" in text and not re.search("[-+−]", text.split("(")[0])
    match = _WRITTEN.fullmatch(text.replace("(", "", 1)[:-1].strip() if is_negative else text)
    if not match or (match[1] and match[3]) or (match[2] and match[5]) or (is_negative and (match[1] or match[3])):
        return "", {}
    sign = -1.0 if is_negative or (match[1] or match[3]) in ("-", "−") else 1.0
    unit = match[2] or match[5] or ""
    meanings = {}
    for decimal, pattern in _BODIES.items():
        if pattern.fullmatch(match[4]):
            whole, *cents = match[4].split(decimal)
            number = float(".".join([re.sub("[^0-9eE+-]", "", whole), *(part.strip("-–—") for part in cents)]))
            if math.isfinite(number):
                meanings[decimal] = sign * number
    return _UNITS.get(unit, unit), meanings


def sign_of(meanings: dict[str, float]) -> str:
    """Return what the meanings of a text say about the decimal sign of its column.

    "." or "," for a number with this sign only ("12,5", "1.200.000"), "?" for one that is two different numbers
    ("1.200"), "" for one that is the same with both ("1200"), and for what is none.
    """
    if len(meanings) == 1:
        return next(iter(meanings))
    return "?" if len(set(meanings.values())) == 2 else ""


@dataclass(frozen=True)
class FormatCounts:
    """What the texts of a column say about how its numbers are written, in counts of cells.

    Attributes:
        signs: by decimal sign, see `sign_of`.
        units: by the unit of what can be a number, "" for none.
        proofs: by decimal sign, of the cells whose separators leave no doubt, as "1.200.000" and "1,200.50" do.
        wholes: by decimal sign, of the cells that are whole numbers with it.
        examples: the first text of each shape that can be a number: what one of them can mean, all of its shape can.
    """

    signs: Counter[str] = field(default_factory=Counter)
    units: Counter[str] = field(default_factory=Counter)
    proofs: Counter[str] = field(default_factory=Counter)
    wholes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, later: FormatCounts) -> None:
        """Count also what cells further down in the same column say."""
        for name in ("signs", "units", "proofs", "wholes"):
            getattr(self, name).update(getattr(later, name))
        for shape, text in later.examples.items():
            self.examples.setdefault(shape, text)


def count_formats(values: pd.Series) -> FormatCounts:
    """Count what the texts of a column say about how its numbers are written.

    Args:
        values: one column, shape (n,), of any dtype; cells that are no text say nothing.
    """
    counts = FormatCounts()
    if pd.api.types.is_numeric_dtype(values.dtype):
        return counts
    texts = [cell for cell in cells_of(values) if isinstance(cell, str)]
    # What is said does not depend on the digits, but for zeros in front: there are few shapes in many cells.
    shapes = _INNER_ZERO.sub("9", _SEPARATOR.join(texts).translate(_SHAPE)).split(_SEPARATOR)
    first = dict(zip(reversed(shapes), reversed(texts), strict=False))
    for shape, count in Counter(shapes).items():
        if shape and not is_missing(shape):
            unit, meanings = read_meanings(shape)
            sign = sign_of(meanings)
            counts.units[unit] += count * bool(meanings)
            counts.signs[sign] += count
            counts.wholes.update({sign: count for sign, number in meanings.items() if number.is_integer()})
            counts.proofs[sign] += count * (shape.count(".") + shape.count(",") > 1)
            if meanings:
                counts.examples[shape] = first.get(shape, "").strip()
    return counts


def parse_numbers(values: pd.Series, written: NumberFormat = PLAIN) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as numbers and say which cells are none, instead of guessing.

    Booleans are no numbers but categories ("True" in a CSV, ``True`` in a DataFrame: one meaning); nor are dates and
    spans of time.

    Args:
        values: one column, shape (n,), of any dtype.
        written: how its texts are written.

    Returns:
        a pair: the numbers, float64 of shape (n,), ``NaN`` where a cell is missing or no number; and the bad cells,
        bool of shape (n,), True where a cell is present but not a finite number ("abc", infinity).

    Example:
        >>> numbers, is_bad = parse_numbers(pd.Series([" 1.5", "abc", None]))
        >>> numbers.tolist(), is_bad.tolist()
        ([1.5, nan, nan], [False, True, False])
        >>> parse_numbers(pd.Series(["1.200", "(12,5)"]), NumberFormat(","))[0].tolist()
        [1200.0, -12.5]
    """
    is_plain = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_complex_dtype(values.dtype)
    if is_plain and not pd.api.types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    else:
        cells = list(cells_of(values))
        numbers = _plain_numbers(cells, written)
        if numbers is None:
            texts = {cell: _number_of_text(cell, written) for cell in {cell for cell in cells if isinstance(cell, str)}}
            known = (texts[cell] if isinstance(cell, str) else _number_of(cell) for cell in cells)
            numbers = np.fromiter(known, dtype=np.float64, count=len(cells))
    is_bad = np.isinf(numbers)
    numbers[is_bad] = np.nan
    return numbers, is_bad


def _plain_numbers(cells: list[object], written: NumberFormat) -> np.ndarray | None:
    """Read a whole column of text at once; None where a cell needs a closer look.

    Of these characters ``float`` takes nothing but numbers: what it takes beyond needs others ("1_000", "inf", digits
    of other scripts).
    """
    try:
        text = "".join(cells)  # type: ignore[arg-type]
        if text.strip(_PLAIN_CHARACTERS) or ("." in text and (written.decimal != "." or written.is_whole)):
            return None
        return np.array([cell or "nan" for cell in cells], dtype=np.float64)
    except (TypeError, ValueError):  # A cell is no text, or no number.
        return None


def _number_of_text(text: str, written: NumberFormat) -> float:
    """Return the number, NaN where the text is missing, infinity where it is no number of this format."""
    if is_missing(text):
        return math.nan
    number = written.read(text)
    return math.inf if number is None else number


def _number_of(cell: object) -> float:
    """Return the number, NaN where the cell is missing, infinity where it is no finite number."""
    if is_missing(cell):
        return math.nan
    if isinstance(cell, bool | np.bool_) or not isinstance(cell, Real | Decimal):
        return math.inf
    try:
        return float(cell)
    except OverflowError:
        return math.inf
