"""Dates as people write them: "2020-12-31", "31.12.2020", "12/31/2020"; and whether the day or the month stands first.

As with decimal signs (`mixed_data.schema.written_numbers`) no single "1/2/2020" says so, a whole column may.
"""

from __future__ import annotations

import calendar
import re
from collections import Counter
from datetime import date, datetime, time
from functools import lru_cache

import numpy as np
import pandas as pd

from mixed_data.schema.cell_values import cells_of, is_missing

DATE_FORMATS = {"31/12/2020": ("day", "month"), "12/31/2020": ("month", "day")}
"""How a column writes 31 December 2020 -> what stands first and second. "2020-12-31" is read in every column."""

_DAY_AND_CLOCK = re.compile("(.*?[0-9])(?:[T ,]+([0-9]{1,2}:.*|[0-9]{6}.*|(?<=T)[0-9]{4}))?")
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.]?)([0-9]{1,2})\2([0-9]{1,2})")
_YEAR_LAST = re.compile(r"([0-9]{1,2})([-/.])([0-9]{1,2})\2([0-9]{4})")
_MONTH_NAMED = re.compile(r"(?:([0-9]{1,2})[-. ]+)?([A-Za-z]{3,9})[-. ]+(?:([0-9]{1,2}),? +)?([0-9]{4})")
_MONTHS = [name.lower() for name in calendar.month_name]
_SHORT_MONTHS = [name.lower() for name in calendar.month_abbr]
_CLEAR_SHARE = 0.9  # of the dates that tell; the others are mistakes
_DATE_TYPES = (str, date, np.datetime64)
_DAY = np.timedelta64(1, "D")


def read_dates(text: str) -> dict[str, datetime]:
    """Return what a text can mean as a date, by the clock on the wall: an offset from UTC is not counted.

    Returns:
        "day" or "month", what stands first -> date; both with the same date where it makes no difference; empty for
        what is no date.

    Example:
        >>> read_dates("31.12.2020"), len(read_dates("1/2/2020"))
        ({'day': datetime.datetime(2020, 12, 31, 0, 0)}, 2)
    """
    match = _DAY_AND_CLOCK.fullmatch(text.strip())
    days = _read_days(match[1]) if match else {}
    if match is None or match[2] is None or not days:
        return {} if text.strip().isdecimal() else days  # 20141013 is a number.
    clock = _read_clock(match[2])
    return {} if clock is None else {order: datetime.combine(day, clock) for order, day in days.items()}


@lru_cache(maxsize=1 << 14)
def _read_days(text: str) -> dict[str, datetime]:
    """Read a date without a clock, as `read_dates` does."""
    found = None
    if match := _YEAR_FIRST.fullmatch(text):
        year, _, month, day = match.groups()
        found = _make_date(year, month, day)
    elif (match := _MONTH_NAMED.fullmatch(text)) and (match[1] or match[3]):
        found = _make_date(match[4], _month_number(match[2]), match[1] or match[3])
    if found is not None:
        return {"day": found, "month": found}
    if not (match := _YEAR_LAST.fullmatch(text)):
        return {}
    first, sign, second, year = match.groups()
    readings = {"day": _make_date(year, second, first), "month": _make_date(year, first, second)}
    if sign == "." and readings["day"] is not None:
        readings = dict.fromkeys(readings, readings["day"])  # Nobody who writes dots has the month first.
    return {order: found for order, found in readings.items() if found is not None}


def count_orders(values: pd.Series) -> Counter[str]:
    """Count what the texts of a column say about the order of day and month.

    Args:
        values: one column, shape (n,), of any dtype.

    Returns:
        "day" or "month" for a text that is a date in this order only, "?" for one that is two different dates, "any"
        for a date in any case, "no" for what is present but no date.
    """
    orders: Counter[str] = Counter()
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return Counter(any=int(values.notna().sum()))
    present = [cell for cell in cells_of(values) if not is_missing(cell)]
    dates = [cell for cell in present if isinstance(cell, _DATE_TYPES)]
    if len(dates) < len(present):
        orders["no"] += len(present) - len(dates)
    for cell, count in Counter(dates).items():
        meanings = read_dates(cell) if isinstance(cell, str) else _date_of(cell)
        if len(meanings) == 1:
            orders[next(iter(meanings))] += count
        else:
            orders[("no", "any", "?")[len(set(meanings.values()))]] += count
    return orders


def clear_order(orders: Counter[str]) -> str | None:
    """Return what stands first, "day" or "month"; None where nothing or too much says so."""
    total = orders["day"] + orders["month"]
    return next((order for order in ("day", "month") if total and orders[order] >= _CLEAR_SHARE * total), None)


def parse_dates(values: pd.Series, written: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a column as dates and say which cells are none.

    Args:
        values: one column, shape (n,), of any dtype.
        written: a key of `DATE_FORMATS`; None where nothing has told it, and "1/2/2020" cannot be read.

    Returns:
        a pair: the dates, datetime64[us] of shape (n,), ``NaT`` where a cell is missing or no date; and the bad cells,
        bool of shape (n,), True where a cell is present but no date.

    Example:
        >>> dates, is_bad = parse_dates(pd.Series(["2020-12-31", "1/2/2020", None]), "31/12/2020")
        >>> dates.astype("datetime64[D]").astype(str).tolist()
        ['2020-12-31', '2020-02-01', 'NaT']
    """
    first = None if written is None else DATE_FORMATS[written][0]
    if isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return values.to_numpy(dtype="datetime64[us]"), np.zeros(len(values), dtype=bool)
    cells = list(cells_of(values))
    known: dict[object, datetime | None] = {}
    for cell in {cell for cell in cells if isinstance(cell, _DATE_TYPES) and not is_missing(cell)}:
        meanings = read_dates(cell) if isinstance(cell, str) else _date_of(cell)
        found = set(meanings.values()) if first is None else {meanings.get(first)}
        known[cell] = found.pop() if len(found) == 1 else None
    read = [known.get(cell) if isinstance(cell, _DATE_TYPES) else None for cell in cells]
    dates = np.array(read, dtype="datetime64[us]")
    is_bad = np.isnat(dates)
    is_bad[is_bad] = [not is_missing(cells[row]) for row in np.flatnonzero(is_bad)]
    return dates, is_bad


def days_of(dates: np.ndarray) -> np.ndarray:
    """Return days since 1970 with their fractions, float64 (n,), NaN for ``NaT``."""
    return np.where(np.isnat(dates), np.nan, (dates - np.datetime64(0, "us")) / _DAY)


def _date_of(cell: object) -> dict[str, datetime]:
    """Return the meaning of a cell that is no text, as `read_dates` does."""
    if isinstance(cell, np.datetime64):
        cell = pd.Timestamp(cell)
    if isinstance(cell, datetime):  # A Timestamp is one.
        found = cell.replace(tzinfo=None)
    elif isinstance(cell, date):
        found = datetime.combine(cell, time())
    else:
        return {}
    return {"day": found, "month": found}


def _make_date(year: str, month: str, day: str) -> datetime | None:
    try:
        return datetime(int(year), int(month), int(day))
    except ValueError:
        return None


@lru_cache(maxsize=1 << 14)
def _read_clock(text: str) -> time | None:
    """Read "14:30", "9:05:00+02:00", "143000" or "2:30 PM"; None for what is none."""
    if match := re.fullmatch(r"([0-9]{1,2})(:[0-9:]+) ?([AP])M", text.upper()):
        hour = int(match[1]) % 12 + (12 if match[3] == "P" else 0)
        text = f"{hour:02}{match[2]}"
    try:
        return time.fromisoformat(f"0{text}" if text[1:2] == ":" else text).replace(tzinfo=None)
    except ValueError:
        return None


def _month_number(name: str) -> str:
    names = _MONTHS if name.lower() in _MONTHS else _SHORT_MONTHS
    return str(names.index(name.lower())) if name.lower() in names else ""
