"""The columns of a table by their roles: how their cells are read, and what each learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mixed_data.files.first_few import first_few
from mixed_data.preprocessing.categorical_column import CategoricalColumn
from mixed_data.preprocessing.date_column import DateColumn
from mixed_data.preprocessing.numeric_column import NumericColumn
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.written_dates import days_of, parse_dates
from mixed_data.schema.written_numbers import parse_numbers

FeatureColumn = NumericColumn | CategoricalColumn | DateColumn

_KINDS: dict[str, type[FeatureColumn]] = {
    "numeric": NumericColumn,
    "categorical": CategoricalColumn,
    "date": DateColumn,
}


def kind_of(name: str, schema: Schema | None) -> type[FeatureColumn]:
    """Return what a column becomes; without a schema every column is numeric."""
    if schema is None or name in schema.numeric:
        return NumericColumn
    return DateColumn if name in schema.dates else CategoricalColumn


def read_features(table: pd.DataFrame, schema: Schema | None) -> dict[str, Any]:
    """Read the cells of all columns of a table once.

    Returns:
        per column: numbers, or dates in days since 1970, float64 (n,), NaN where missing; or a list of n canonical
        texts, None where missing.

    Raises:
        ValueError: a number or date is present but none.
    """
    cells: dict[str, Any] = {}
    problems = []
    for name in table:
        kind = kind_of(name, schema)
        if kind is CategoricalColumn:
            cells[name] = canonical_text(table[name]).tolist()
            continue
        if kind is DateColumn and schema is not None:
            dates, is_bad = parse_dates(table[name], schema.formats.get(name))
            cells[name] = days_of(dates)
        elif schema is None:
            cells[name], is_bad = parse_numbers(table[name])
        else:
            cells[name], is_bad = parse_numbers(table[name], schema.number_format(name))
        problems += [f"row {row}, column {name!r}: {table[name].iloc[row]!r:.80}" for row in np.flatnonzero(is_bad)]
    if problems:
        raise ValueError(
            f"expected finite numbers, dates or empty cells, got {'; '.join(first_few(problems))}; "
            "correct or empty them, or make the column categorical"
        )
    return cells


def learn_column(
    name: str, cells: Any, schema: Schema | None, *, log: str, min_frequency: int, code_prefixes: Sequence[int]
) -> tuple[FeatureColumn | None, list[str]]:
    """Learn one column from its training cells, as `read_features` gives them.

    Returns:
        the column, None if it says nothing; and what a person should know about it.
    """
    kind = kind_of(name, schema)
    if kind is NumericColumn:
        return NumericColumn.learn(name, cells, log=log)
    if kind is DateColumn:
        return DateColumn.learn(name, cells)
    is_code = schema is not None and name in schema.codes
    prefixes = [int(prefix) for prefix in code_prefixes] if is_code else []
    return CategoricalColumn.learn(name, cells, min_frequency=min_frequency, prefixes=prefixes)


def column_from_state(state: Any) -> FeatureColumn:
    """Rebuild a column from its ``get_state``.

    Raises:
        ValueError: the state describes none.
    """
    kind = state.get("kind") if isinstance(state, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"expected the state of a column of kind {', '.join(_KINDS)}, got kind {kind!r:.80}")
    return _KINDS[kind].from_state(state)
