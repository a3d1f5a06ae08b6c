"""The columns of a table: their cells as numbers or texts, and what was learned about them from a state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.files.first_few import first_few
from mixed_data.preprocessing.categorical_column import CategoricalColumn
from mixed_data.preprocessing.numeric_column import NumericColumn
from mixed_data.schema.cell_values import canonical_text, parse_numbers


def read_cells(table: pd.DataFrame, numeric: Collection[str]) -> dict[str, Any]:
    """Read every cell of a table.

    Args:
        table: (n, columns), each name once.
        numeric: names of the columns that hold numbers; the others hold texts.

    Returns:
        per column, float64 (n,) with NaN where missing, or a list of n canonical texts with None where missing.

    Raises:
        ValueError: some numeric cells are present but not finite numbers (the first five are named).
    """
    cells: dict[str, Any] = {}
    problems = []
    for name in table:
        if name not in numeric:
            cells[name] = canonical_text(table[name]).tolist()
            continue
        cells[name], is_bad = parse_numbers(table[name])
        problems += [f"row {row}, column {name!r}: {table[name].iloc[row]!r}" for row in np.flatnonzero(is_bad)]
    if problems:
        raise ValueError(
            f"expected finite numbers or empty cells, got {'; '.join(first_few(problems))}; "
            "correct or empty them, or make the column categorical"
        )
    return cells


def find_rows_with_cells(cells: Mapping[str, Any], num_rows: int) -> np.ndarray:
    """Tell which rows have a cell that is not missing.

    Args:
        cells: what `read_cells` gave.
        num_rows: of the table.

    Returns:
        bool (n, 1).
    """
    if not cells:
        return np.zeros((num_rows, 1), dtype=bool)
    return np.any([pd.notna(column) for column in cells.values()], axis=0)[:, None]


def column_from_state(state: dict[str, Any]) -> NumericColumn | CategoricalColumn:
    """Rebuild the column of `NumericColumn.get_state` or `CategoricalColumn.get_state`.

    Raises:
        ValueError: the state describes neither.
    """
    kind = state.get("kind")
    if kind == "numeric":
        return NumericColumn.from_state(state)
    if kind == "categorical":
        return CategoricalColumn.from_state(state)
    raise ValueError(f"expected the state of a numeric or categorical column, got kind {kind!r}")
