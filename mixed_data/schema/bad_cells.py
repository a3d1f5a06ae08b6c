"""Cells that cannot be used: which they are, how they are shown to a person, and what helps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mixed_data.files.first_few import NUM_SHOWN, first_few
from mixed_data.schema.cell_values import is_missing
from mixed_data.schema.photo_paths import split_paths
from mixed_data.schema.written_numbers import parse_numbers

_LARGEST_NUMBER = float(np.finfo(np.float32).max)
"""About 3.4e38. Networks compute with float32; nothing that is measured is beyond it."""

_NUM_PROBLEMS_SHOWN = 20
_MAX_LENGTH_SHOWN = 60

_NUMBER_REMEDY = "write a finite number such as 1250.5, without separators or units"
_REMEDIES = {
    "target": f"{_NUMBER_REMEDY}, or remove the row",
    "numeric": f"{_NUMBER_REMEDY}, or leave the cell empty",
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
    """

    def __init__(self, *problems: str, hint: str = "") -> None:
        super().__init__(*problems)
        self.problems: tuple[str, ...] = problems
        self.hint = hint

    def __str__(self) -> str:
        lines = list(self.problems[:1])
        if len(self.problems) > 1:
            lines = [f"{len(self.problems)} problems:"]
            lines += [f"- {problem}" for problem in first_few(self.problems, _NUM_PROBLEMS_SHOWN)]
        return "\n".join([*lines, *([self.hint] if self.hint else [])])


@dataclass(frozen=True)
class RowNames:
    """What a person calls the rows of a table.

    Attributes:
        ids: the cells of the id column, if there is one.
        lines: the line of the file on which each row starts, if it is known.
    """

    ids: pd.Series | None = None
    lines: Sequence[int] | None = None

    def of(self, row: int) -> str:
        """Name the row at a position, counted from 0: by its line or else that position, and by its id."""
        name = f"row {row}" if self.lines is None else f"line {self.lines[row]}"
        id = None if self.ids is None else self.ids.iloc[row]
        return name if is_missing(id) else f"{name} (id {_show_cell(id)})"


def find_bad_cells(role: str, column: pd.Series) -> NDArray[np.bool_]:
    """Tell which cells a role cannot use.

    Args:
        role: of the column, as in `Schema`.
        column: (n,) cells of any dtype.

    Returns:
        bool (n,). For numbers, what is present but no finite number of float32, for the target also what is
        missing; for images, what is neither text nor a path. Other roles can use any cell.
    """
    if role in ("target", "numeric"):
        numbers, is_bad = parse_numbers(column)
        is_bad |= np.abs(numbers) > _LARGEST_NUMBER
        return is_bad | np.isnan(numbers) if role == "target" else is_bad
    if role == "images":
        return np.array([not _holds_paths(cell) for cell in column], dtype=bool)
    return np.zeros(len(column), dtype=bool)


def describe_bad_cells(role: str, column: pd.Series, is_bad: NDArray[np.bool_], names: RowNames) -> list[str]:
    """Say where the bad cells of a column are, what stands there and what helps: the first five, then the count."""
    rows = np.flatnonzero(is_bad)
    problems = [
        f"{names.of(row)}, column {column.name!r}: got {_show_bad_cell(role, column.iloc[row])}; {_REMEDIES[role]}"
        for row in rows[:NUM_SHOWN]
    ]
    if len(rows) > NUM_SHOWN:
        more = f"column {column.name!r}: {len(rows) - NUM_SHOWN} more cells like these"
        problems.append(f"{more}; if it holds labels, make it categorical" if role == "numeric" else more)
    return problems


def describe_bad_cell(role: str, name: str, cell: object) -> str:
    """Say in a few words what is wrong with one cell, for the notes of its row."""
    if is_missing(cell):
        return f"{name} is empty"
    wanted = "path of a picture" if role == "images" else "usable number"
    return f"{name} is {_show_bad_cell(role, cell)}, no {wanted}"


def _show_cell(cell: object) -> str:
    """Show a cell so that a person recognises it, the beginning of a long one."""
    if is_missing(cell):
        return "an empty cell"
    text = repr(cell) if isinstance(cell, str) else str(cell)
    return text if len(text) <= _MAX_LENGTH_SHOWN else f"{text[: _MAX_LENGTH_SHOWN - 3]}..."


def _show_bad_cell(role: str, cell: object) -> str:
    beyond = f" (beyond {_LARGEST_NUMBER:.1e})" if role != "images" and _is_huge(cell) else ""
    return f"{_show_cell(cell)}{beyond}"


def _is_huge(cell: object) -> bool:
    try:
        return isinstance(cell, str | Real | Decimal) and _LARGEST_NUMBER < abs(float(cell)) < math.inf
    except (ValueError, OverflowError):
        return False


def _holds_paths(cell: object) -> bool:
    try:
        split_paths(cell)
    except ValueError:
        return False
    return True
