"""Cells that cannot be used: which they are, how they are shown to a person, and what helps."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.first_few import NUM_SHOWN, first_few
from mixed_data.schema.cell_values import is_missing
from mixed_data.schema.photo_paths import split_paths, split_photos
from mixed_data.schema.written_dates import parse_dates, read_dates
from mixed_data.schema.written_numbers import UNKNOWN, NumberFormat, parse_numbers, read_meanings, sign_of

_LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""About 3.4e38. Networks compute with float32; nothing that is measured is beyond it."""

_NUM_PROBLEMS_SHOWN = 20
_MAX_LENGTH_SHOWN = 60

_NUMBER_REMEDY = "write a finite number such as 1250.5"
_REMEDIES = {
    "target": f"{_NUMBER_REMEDY}, or remove the row",
    "numeric": f"{_NUMBER_REMEDY}, or leave the cell empty",
    "dates": "write a date such as 2020-12-31, or leave the cell empty",
    "images": "write the path of a picture file as text",
}


class SchemaError(ValueError):
    """A schema is contradictory, or a table does not fit it.

    Args:
        problems: every problem found, one text each, with its remedy.
        hint: what helps against all of them.

    Attributes:
        problems: as given, all of them; the message shows the first 20.
        hint: as given.
        file: the table's file, where it was read from one; the message names it.
    """

    def __init__(self, *problems: str, hint: str = "") -> None:
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems
        self.hint = hint
        self.file = ""

    def __str__(self) -> str:
        lines = list(self.problems[:1])
        if len(self.problems) > 1:
            lines = [f"{len(self.problems)} problems:"]
            lines += [f"- {problem}" for problem in first_few(self.problems, _NUM_PROBLEMS_SHOWN)]
        file = f"the file is {self.file}" if self.file else ""
        return "\n".join([*lines, *filter(None, [file, self.hint])])


@dataclass(frozen=True)
class RowNames:
    """What a person calls the rows of a table.

    Attributes:
        ids: the cells of the id column, if there is one.
        lines: the line of the file on which each row starts, if it is known.
        first: position of the first row, where these are a part of the rows.
        file: in which they stand, where there are several; else "".
    """

    ids: pd.Series | None = None
    lines: Sequence[int] | None = None
    first: int = 0
    file: str = ""

    def of(self, row: int) -> str:
        """Name the row at a position in these rows: by its line or else its position in the table, and by its id."""
        name = f"row {self.first + row}" if self.lines is None else f"line {self.lines[row]}"
        name += f" of {self.file}" if self.file else ""
        id = None if self.ids is None else self.ids.iloc[row]
        return name if is_missing(id) else f"{name} (id {_show_cell(id)})"


def find_bad_cells(
    role: str, column: pd.Series, written: str | None = None, *, needs_files: bool = False
) -> NDArray[np.bool_]:
    """Tell which cells a role cannot use.

    Args:
        role: of the column, as in `Schema`.
        column: (n,) cells of any dtype.
        written: how its texts write numbers or dates, as in ``Schema.formats``; None where that is not known.
        needs_files: whether a photo must be a file; else it may be the file's content.

    Returns:
        bool (n,). For numbers, what is present but no finite number of float32, for the target also what is
        missing; for images, what is neither text nor a path. Other roles can use any cell.
    """
    if role in ("target", "numeric"):
        numbers, is_bad = parse_numbers(column, UNKNOWN if written is None else NumberFormat.from_text(written))
        is_bad |= np.abs(numbers) > _LARGEST_NUMBER
        return is_bad | np.isnan(numbers) if role == "target" else is_bad
    if role == "dates":
        return parse_dates(column, written)[1]
    if role == "images":
        return np.array([not _holds_photos(cell, needs_files) for cell in column], dtype=bool)
    return np.zeros(len(column), dtype=bool)


class BadCells:
    """Where the bad cells of columns are, what stands there and what helps; rows may come in parts."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], list[str]] = {}
        self._num_cells: Counter[tuple[str, str]] = Counter()

    def add(
        self, role: str, column: pd.Series, is_bad: NDArray[np.bool_], names: RowNames, written: str | None = None
    ) -> None:
        """Take in the bad cells of the next rows of a column; the arguments are those of `find_bad_cells`."""
        key = (role, str(column.name))
        shown = self._shown.setdefault(key, [])
        self._num_cells[key] += int(is_bad.sum())
        for row in np.flatnonzero(is_bad)[: NUM_SHOWN - len(shown)]:
            cell = _show_bad_cell(role, column.iloc[row], written)
            shown.append(f"{names.of(row)}, column {column.name!r}: got {cell}; {_REMEDIES[role]}")

    def join(self, later: BadCells) -> None:
        """Take in the bad cells that others are of the rows that follow."""
        self._num_cells.update(later._num_cells)
        for key, shown in later._shown.items():
            ours = self._shown.setdefault(key, [])
            ours += shown[: NUM_SHOWN - len(ours)]

    def describe(self, roles: Iterable[tuple[str, str]]) -> list[str]:
        """Say of each (role, column) in turn where its bad cells are: the first five, then the count."""
        problems = []
        for role, name in (key for key in roles if key in self._shown):
            problems += self._shown[role, name]
            if (num_more := self._num_cells[role, name] - NUM_SHOWN) > 0:
                more = f"column {name!r}: {num_more} more cells like these"
                problems.append(f"{more}; if it holds labels, make it categorical" if role == "numeric" else more)
        return problems


def describe_bad_cell(role: str, name: str, cell: object, written: str | None = None) -> str:
    """Say in a few words what is wrong with one cell, for the notes of its row."""
    if is_missing(cell):
        return f"{name} is empty"
    wanted = {"images": "path of a picture", "dates": "date"}.get(role, "usable number")
    return f"{name} is {_show_bad_cell(role, cell, written)}, no {wanted}"


def _show_cell(cell: object) -> str:
    """Show a cell so that a person recognises it, the beginning of a long one."""
    if is_missing(cell):
        return "an empty cell"
    if isinstance(cell, bytes | bytearray | memoryview):
        return f"{len(cell):,} bytes"
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= _MAX_LENGTH_SHOWN else f"{text[: _MAX_LENGTH_SHOWN - 3]}..."


def _show_bad_cell(role: str, cell: object, written: str | None) -> str:
    reasons = {"images": lambda: "", "dates": lambda: _why_no_date(cell, written)}
    why = "" if is_missing(cell) else reasons.get(role, lambda: _why_no_number(cell, written))()
    return f"{_show_cell(cell)}{f' ({why})' if why else ''}"


def _why_no_number(cell: object, written: str | None) -> str:
    """Say why a cell is no number of its column, where that is more than "it is none"."""
    if _is_huge(cell):
        return f"beyond {_LARGEST_NUMBER:.1e}"
    if isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and cell.strip().lower() in ("true", "false")):
        return "a truth value; if 1 and 0 are meant, write these"
    if isinstance(cell, date | timedelta | np.datetime64 | np.timedelta64 | pd.Period):
        return "a date or a span of time"
    if isinstance(cell, complex | np.complexfloating):
        return "a complex number"
    if not isinstance(cell, str):
        return ""
    form = UNKNOWN if written is None else NumberFormat.from_text(written)
    unit, meanings = read_meanings(cell)
    if meanings and unit and unit != form.unit:
        return f"its unit is {unit}, in training it was {form.unit or 'none'}"
    if sign_of(meanings) == "?":
        told = f"in training numbers are written {form}" if form.decimal else "the training rows tell no decimal sign"
        return f"{meanings['.']:.10g} or {meanings[',']:.10g}: {told}"
    return f"in training numbers are written {form}" if meanings else ""


def _why_no_date(cell: object, written: str | None) -> str:
    """Say why a text is no date of its column, where that is more than "it is none"."""
    dates = list(read_dates(cell).values()) if isinstance(cell, str) else []
    if len(dates) == 2 and written is None:
        return f"{dates[0]:%Y-%m-%d} or {dates[1]:%Y-%m-%d}: the training rows do not tell the order of day and month"
    return f"in training dates are written {written}" if dates and written else ""


def _is_huge(cell: object) -> bool:
    try:
        return isinstance(cell, str | Real | Decimal) and _LARGEST_NUMBER < abs(float(cell)) < math.inf
    except (ValueError, OverflowError):
        return False


def _holds_photos(cell: object, needs_files: bool) -> bool:
    try:
        (split_paths if needs_files else split_photos)(cell)
    except ValueError:
        return False
    return True
