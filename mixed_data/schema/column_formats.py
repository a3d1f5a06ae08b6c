"""How each column writes its numbers and dates: told by its own cells, by other columns, by the separator."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import pandas as pd

from mixed_data.schema.bad_cells import SchemaError
from mixed_data.schema.cell_values import cells_of
from mixed_data.schema.column_problems import names_of_one_column
from mixed_data.schema.declared_roles import Schema
from mixed_data.schema.inferred_roles import CLEAR_SHARE
from mixed_data.schema.written_dates import DATE_FORMATS, clear_order, count_orders, parse_dates, read_dates
from mixed_data.schema.written_numbers import (
    UNKNOWN,
    FormatCounts,
    NumberFormat,
    count_formats,
    parse_numbers,
    read_meanings,
    sign_of,
)

logger = logging.getLogger(__name__)

_MOST = 0.75  # Of the cells that tell a sign; fewer do not outvote the others.
_FEW = 0.02  # Of the cells that depend on the sign; fewer that tell it may be slips of the pen.
_BY_HAND = "say it with --decimal, in Python with learn_formats(schema, table, decimal=...)"


def learn_formats(
    schema: Schema,
    table: pd.DataFrame,
    *,
    separator: str | None = None,
    decimal: str | None = None,
    is_training: bool = True,
) -> Schema:
    """Find out from a whole table how numbers and dates are written in it, where the schema does not say so yet.

    "1.200" is 1200 where other cells of its column are "12,5" or "1.200.000", because these have one meaning only; else
    where all other columns that tell say so; else the file's separator decides, because who separates cells by commas
    writes decimal points. Nothing is learned from cells that are numbers or dates already.

    Args:
        schema: roles of the columns, and the formats that are known.
        table: the rows.
        separator: of the CSV file that they come from.
        decimal: the decimal sign, "." or ",", of the columns that leave a doubt about it.
        is_training: False for rows to predict, which must not teach new units.

    Returns:
        the schema with its ``formats``.

    Raises:
        SchemaError: a column can be read in two ways, or is written in another way than what was learned.

    Example:
        >>> table = pd.DataFrame({"area": ["1.200", "950"], "width": ["12,5", "8"]})
        >>> learn_formats(Schema(numeric=["area", "width"]), table).formats
        {'area': '1.234,5', 'width': '1.234,5'}
    """
    written = WrittenCells(schema)
    written.add(table)
    return written.learn_formats(separator=separator, decimal=decimal, is_training=is_training)


class WrittenCells:
    """What the cells of a table say about how its columns write numbers and dates; rows may come in parts.

    Args:
        schema: roles of the columns, and the formats that are known.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._numbers: dict[str, FormatCounts] = {}
        self._orders: dict[str, Counter[str]] = {}
        self._doubtful_dates: dict[str, str] = {}

    def add(self, table: pd.DataFrame) -> None:
        """Take in the next rows."""
        present = names_of_one_column(table)
        for name in present.intersection(self._schema.numbers):
            self._numbers.setdefault(name, FormatCounts()).add(count_formats(table[name]))
        for name in present.intersection(self._schema.dates):
            orders = count_orders(table[name])
            self._orders.setdefault(name, Counter()).update(orders)
            if orders["?"] and name not in self._doubtful_dates:
                texts = (cell for cell in cells_of(table[name]) if isinstance(cell, str))
                self._doubtful_dates[name] = _first(texts, lambda text: len(set(read_dates(text).values())) == 2)

    def join(self, later: WrittenCells) -> None:
        """Take in what another knows of the rows that follow."""
        for name, counts in later._numbers.items():
            self._numbers.setdefault(name, FormatCounts()).add(counts)
        for name, orders in later._orders.items():
            self._orders.setdefault(name, Counter()).update(orders)
        self._doubtful_dates = {**later._doubtful_dates, **self._doubtful_dates}

    def learn_formats(
        self, *, separator: str | None = None, decimal: str | None = None, is_training: bool = True
    ) -> Schema:
        """Return the schema with its formats, from all rows that were taken in; see `learn_formats`."""
        if decimal not in (None, ".", ","):
            raise SchemaError(f"decimal must be '.' or ',', got {decimal!r}")
        schema = self._schema
        counts = {name: self._numbers[name] for name in schema.numbers if name in self._numbers}
        known = {name: schema.number_format(name) for name in schema.numbers if name in schema.formats}
        numbers, problems = _learn_number_formats(
            counts, known, separator=separator, decimal=decimal, is_training=is_training
        )
        dates, more = self._learn_date_formats()
        if problems := problems + more:
            raise SchemaError(*problems)
        formats = {**schema.formats, **dates, **{name: str(form) for name, form in numbers.items()}}
        return replace(schema, formats=formats)

    def _learn_date_formats(self) -> tuple[dict[str, str], list[str]]:
        """Return what is known now of the order of day and month, and what cannot be read; see `learn_formats`."""
        orders = {name: self._orders[name] for name in self._schema.dates if name in self._orders}
        formats = {name: self._schema.formats[name] for name in orders if name in self._schema.formats}
        problems = []
        for name, found in orders.items():
            told = DATE_FORMATS[formats[name]][0] if name in formats else None
            own = clear_order(found)
            if own is None and told is None and found["?"] + found["day"] + found["month"]:
                example = self._doubtful_dates.get(name, "")
                problems.append(
                    f"column {name!r}: nothing says whether {example!r} has the day or the month first; write dates as "
                    f"2020-12-31, or put {name!r} under formats in the schema, as '31/12/2020' or '12/31/2020'"
                )
            elif own is not None and told is not None and own != told:
                problems.append(
                    f"column {name!r}: the {own} stands first, in training the {told} did; write them alike"
                )
            elif own is not None:
                formats[name] = next(text for text, (first, _) in DATE_FORMATS.items() if first == own)
        return formats, problems


def check_and_read(schema: Schema, table: pd.DataFrame, *, needs_target: bool = True) -> tuple[Schema, pd.DataFrame]:
    """Check training rows at the door, and read their cells: what comes later finds a table that fits.

    Args:
        schema: roles of the columns.
        table: the rows; it is not changed.
        needs_target: as for ``Schema.validate``.

    Returns:
        the schema with its formats, and the rows as from `read_cells`.

    Raises:
        SchemaError: the table does not fit; every problem is listed.
    """
    if problems := schema.find_column_problems(table, needs_target=needs_target):
        raise SchemaError(*problems)
    schema = learn_formats(schema, table)
    schema.validate(table, needs_target=needs_target)
    return schema, read_cells(schema, table, needs_target=needs_target)


def read_cells(schema: Schema, table: pd.DataFrame, *, needs_target: bool = False) -> pd.DataFrame:
    """Read the numbers and dates of rows that fit the schema, once.

    Args:
        schema: with the formats that `learn_formats` found.
        table: the rows.
        needs_target: whether the target is read too; else it stays as it is, if it is there.

    Returns:
        the same rows: numeric columns float64, ``NaN`` where a cell is missing, dates datetime64[us]; others as they
        are.
    """
    columns = schema.numbers if needs_target else schema.numeric
    numbers = {name: parse_numbers(table[name], schema.number_format(name))[0] for name in columns}
    dates = {name: parse_dates(table[name], schema.formats.get(name))[0] for name in schema.dates}
    return table.assign(**numbers, **dates)


def _learn_number_formats(
    counts: Mapping[str, FormatCounts],
    known: Mapping[str, NumberFormat],
    *,
    separator: str | None = None,
    decimal: str | None = None,
    is_training: bool = True,
) -> tuple[dict[str, NumberFormat], list[str]]:
    """Return the formats that are known now by column, and what cannot be read; see `learn_formats`."""
    own = {name: clear for name, found in counts.items() if (clear := _clear_sign(found))}
    votes = Counter(own.values())
    formats = dict(known)
    problems: list[str] = []
    for name, found in counts.items():
        told = known.get(name, UNKNOWN)
        # What the rest of the table says: the other columns that tell, if they agree, or else the separator.
        others = {sign for sign, count in votes.items() if count > (own.get(name) == sign)}
        elsewhere = others.pop() if len(others) == 1 else None
        if separator == "," and not own and not (is_training and told.decimal):
            elsewhere = "."
        here = own.get(name) or (elsewhere if own or found.signs["?"] else None)
        is_clear = _is_clear(found)
        # A file with commas between cells and points in all numbers, as this program writes them, needs no other proof.
        is_sure = is_clear or (separator == "," and here == "." and bool(own))
        if decimal is None:
            contrary = None if is_sure else told.decimal or elsewhere
            problems += _find_sign_problems(name, found, here, contrary)
        # Clear cells first, then a person's word, then a file that is sure of itself, then training.
        sign = here if is_clear else decimal or (here if is_sure and here else told.decimal or here)
        unit = told.unit or (_clear_unit(found.units) if is_training else "")
        if unit is None or (unit == "%" and found.units["%"] and found.units[""]):
            shown = ", ".join(f"{kind or 'without'} ({count})" for kind, count in found.units.most_common() if count)
            problems.append(f"column {name!r}: its numbers have different units: {shown}; write them alike")
        elif found.units.total() and (sign or unit):
            is_new = is_training and told.decimal is None
            is_kept = told.is_whole and sign == told.decimal and decimal is None
            formats[name] = NumberFormat(sign, unit, is_kept or (is_new and _is_whole(found, sign)))
            if formats[name] != told:
                is_doubtful = separator != "," and bool(found.signs["?"]) and not is_clear
                _say(name, found, formats[name], is_doubtful=is_doubtful)
    return formats, problems


def _clear_sign(found: FormatCounts) -> str | None:
    """Return the sign that the cells of a column tell, None where they do not, or not alike."""
    signs, total = found.signs, found.signs["."] + found.signs[","]
    sign = next((sign for sign in ".," if total and signs[sign] >= _MOST * total), None)
    is_slip = sign is not None and not found.proofs[sign] and total < _FEW * (total + signs["?"])
    return None if is_slip else sign


def _is_clear(found: FormatCounts) -> bool:
    """Tell whether the cells of a column leave no doubt about its sign, so that no slip of the pen decides."""
    sign, signs = _clear_sign(found), found.signs
    return sign is not None and bool(
        found.proofs[sign] or signs[sign] >= _MOST * (signs["."] + signs[","] + signs["?"])
    )


def _is_whole(found: FormatCounts, sign: str | None) -> bool:
    """Tell whether a column has thousands in groups, and no decimals."""
    has_groups = sign is not None and bool(found.signs["?"] or found.proofs[sign])
    return has_groups and found.wholes[str(sign)] == found.units.total()


def _clear_unit(units: Counter[str]) -> str | None:
    """Return the unit, "" for none, None where there are several."""
    kinds = Counter({unit: count for unit, count in units.items() if unit})
    return next((unit for unit, count in kinds.items() if count >= CLEAR_SHARE * kinds.total()), None if kinds else "")


def _find_sign_problems(name: str, found: FormatCounts, here: str | None, contrary: str | None) -> Iterator[str]:
    """Say what is wrong with the decimal sign of a column.

    Args:
        name: of the column.
        found: what its cells say.
        here: the sign that this table tells.
        contrary: the sign that training, or else the rest of the table, tells, where that of the cells is not sure.
    """
    points, commas = found.signs["."], found.signs[","]
    if points and commas and _clear_sign(found) is None:
        yield (
            f"column {name!r}: {points} numbers have a decimal point, such as {_first_with('.', found)!r}, "
            f"and {commas} a decimal comma, such as {_first_with(',', found)!r}; write them alike, or {_BY_HAND}"
        )
    elif not points + commas + found.signs["?"]:
        return
    elif here and contrary and here != contrary:
        shown = _first_with(here, found) or _first_with("?", found)
        yield (
            f"column {name!r}: numbers such as {shown!r} seem to have the decimal sign {here!r}, but training or the "
            f"rest of the table has {contrary!r}; write them alike, or {_BY_HAND}"
        )
    elif not here and not contrary:
        shown = _first_with("?", found)
        point, comma = (read_meanings(shown)[1][sign] for sign in ".,")
        yield (
            f"column {name!r}: {shown!r} may be {point:.10g} or {comma:.10g}, and nothing in the table tells the "
            f"decimal sign; {_BY_HAND}"
        )


def _first_with(sign: str, found: FormatCounts) -> str:
    return _first(found.examples.values(), lambda text: sign_of(read_meanings(text)[1]) == sign)


def _first(texts: Iterable[str], is_meant: Callable[[str], bool]) -> str:
    return next((text.strip() for text in texts if is_meant(text)), "")


def _say(name: str, found: FormatCounts, format: NumberFormat, *, is_doubtful: bool) -> None:
    """Log how numbers are read that Python would not read so, and those that have two meanings if that is doubtful."""

    def is_worth_it(text: str) -> bool:
        if not text.strip("0123456789" if is_doubtful or format.decimal == "," else "0123456789-."):
            return False
        number = format.read(text)
        is_meant = is_doubtful and sign_of(read_meanings(text)[1]) == "?"
        return number is not None and (is_meant or not _is_plain(text, number))

    if example := _first(found.examples.values(), is_worth_it):
        logger.warning("column %r: %r is read as %.10g", name, example, format.read(example))


def _is_plain(text: str, number: float) -> bool:
    """Tell whether Python reads the text as this number."""
    try:
        return float(text) == number
    except ValueError:
        return False
