"""What is wrong with the columns of a table, whatever stands in their cells."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence

import pandas as pd

from mixed_data.files.first_few import cut, name_some
from mixed_data.schema.bad_cells import SchemaError
from mixed_data.schema.inferred_roles import find_targets

_NUM_HINTS = 20


def find_table_problems(table: pd.DataFrame, names: Collection[str] | None = None) -> Iterator[str]:
    """Say what is wrong with a table's rows and the names of its columns; only with these names, if they are given."""
    if not isinstance(table, pd.DataFrame):
        raise SchemaError(f"expected a pandas DataFrame, got {type(table).__name__}; wrap it in pd.DataFrame")
    if len(table) == 0:
        yield "the table has no rows; give it at least one"
    names = table.columns if names is None else names
    for name in names:
        if not isinstance(name, str):
            text = "_".join(map(str, name)) if isinstance(name, tuple) else f"column_{name}"
            yield f"column name {name!r} is not text; rename it, for example to {text!r}"
    for name in table.columns[table.columns.duplicated()].unique():
        if name in names:
            yield f"the table has more than one column {name!r}; rename or remove the others"


def find_missing_columns(roles: Sequence[tuple[str, str | None]], table: pd.DataFrame) -> Iterator[str]:
    """Say which columns with a role a table lacks, and which name may be meant."""
    missing = [(role, name) for role, name in roles if name is not None and name not in table.columns]
    columns = list(map(str, table.columns))
    found = f"; the columns are {name_some(map(repr, map(cut, columns)))}"
    for position, (role, name) in enumerate(missing):
        # Comparing a name with all others is slow, and after so many nobody reads on.
        close = _find_close(str(name), columns) if position < _NUM_HINTS else []
        remedy = f"rename {close[0]!r}, if it is meant" if close else f"add it, or correct the name{found}"
        found = found if close else ""  # Once is enough.
        yield f"the table has no column {name!r} ({role}); {remedy}"


def _find_close(name: str, columns: Sequence[str]) -> list[str]:
    same = [column for column in columns if column.casefold() == name.casefold()]
    return same or difflib.get_close_matches(name, columns, n=1)


def names_of_one_column(table: pd.DataFrame) -> set[str]:
    """Return the names that one column alone has."""
    return set(table.columns[~table.columns.duplicated(keep=False)])


def find_only_target(table: pd.DataFrame, taken: Collection[str]) -> str:
    """Return the only column that is named like a target, or raise SchemaError."""
    names = find_targets(table.columns, taken)
    if len(names) != 1:
        raise SchemaError(
            f"the target is not clear: expected one column named target or price, got {names or 'none'}; "
            f"name it (target=... or --target), one of: {', '.join(table.columns)}"
        )
    return names[0]
