"""Reader for any CSV or Parquet file with picture paths in it: people's own data.

A CSV is read as text, cell by cell, so that "02139" keeps its zero and "abc" in a column of numbers is
reported instead of changing the column's type.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mixed_data.cells import PATH_SEPARATOR, canonical_text, parse_numbers, split_paths
from mixed_data.schema import Schema

FilePath = str | os.PathLike[str]

_PARQUET_SUFFIXES = (".parquet", ".pq")
_NUM_LINES_SHOWN = 5


def read_table(
    root: FilePath | None = None,
    *,
    data: FilePath,
    target: str | None = None,
    images: Sequence[str] | None = None,
    id: str | None = None,
    group: str | None = None,
    schema: Schema | FilePath | None = None,
) -> tuple[pd.DataFrame, Schema]:
    """Read a table for training: learn or take its schema, check it, give every cell its type.

    A CSV is UTF-8, with or without byte order mark. Its separator is the comma; if the header has none, it is
    the semicolon or the tab. Row order and row count never change.

    Args:
        root: Folder that relative picture paths start from; by default the folder of ``data``.
        data: A CSV file, or Parquet (".parquet", ".pq"; needs pyarrow).
        target: The column to predict; see ``Schema.infer`` for it and the next three.
        images: The columns of picture paths, also as one text with commas.
        id: The column that names a row.
        group: The column whose rows stay together in every split.
        schema: Known roles, or the path of a JSON file with them, instead of inference.

    Returns:
        The table, with index 0 to n-1, and its schema. Numeric columns and the target are float64 (``NaN``
        where empty). Categorical, code, id and group columns hold canonical text or ``None``. Image columns
        hold absolute paths, several joined by ";", or ``None``; a picture that does not exist keeps its path,
        because preprocessing masks and reports it row by row. Other columns stay as they were read.

    Raises:
        ValueError: The file is missing or not readable, or both a schema and roles are given.
        SchemaError: The table does not fit; every problem is listed.

    Example:
        >>> table, schema = read_table(data="listings.csv", target="price")  # doctest: +SKIP
    """
    if schema is None:
        table = _read_file(data)
        schema = Schema.infer(table, target=target, images=images, id=id, group=group)
    elif any(role is not None for role in (target, images, id, group)):
        raise ValueError("expected a schema or target/images/id/group, got both; write the roles into the schema")
    else:
        schema = schema if isinstance(schema, Schema) else Schema.load(schema)
        table = _read_file(data)
    return _type_cells(table, schema, _root_of(data, root), needs_target=True), schema


def read_rows(
    data: FilePath, schema: Schema, *, root: FilePath | None = None, needs_target: bool = False
) -> pd.DataFrame:
    """Read rows for a schema that is already known: for prediction and evaluation.

    Args:
        data: A CSV or Parquet file, as in ``read_table``.
        schema: The roles; columns are matched by name.
        root: Folder that relative picture paths start from; by default the folder of ``data``.
        needs_target: True to evaluate: the target must be a number in every row, and id and group must be
            there. False to predict: the target may be missing, and is left as it was read.

    Returns:
        The table, typed as by ``read_table``.

    Raises:
        ValueError: The file is missing or not readable.
        SchemaError: The table does not fit; every problem is listed.
    """
    return _type_cells(_read_file(data), schema, _root_of(data, root), needs_target=needs_target)


def _root_of(data: FilePath, root: FilePath | None) -> str:
    folder = os.path.abspath(Path(data).parent if root is None else root)
    if PATH_SEPARATOR in folder:
        raise ValueError(f"{PATH_SEPARATOR!r} separates picture paths, but the folder {folder} has one; rename it")
    return folder


def _type_cells(table: pd.DataFrame, schema: Schema, root: str, *, needs_target: bool) -> pd.DataFrame:
    schema.validate(table, needs_target=needs_target)
    numeric = (*schema.numeric, schema.target) if needs_target else schema.numeric
    for name in numeric:
        table[name], _ = parse_numbers(table[name])
    for name in (*schema.categorical, *schema.codes, schema.id, schema.group):
        if name in table:
            table[name] = canonical_text(table[name])
    for name in schema.images:
        table[name] = pd.Series([_resolve(cell, root) for cell in table[name]], dtype=object)
    return table


def _resolve(cell: object, root: str) -> str | None:
    paths = [os.path.abspath(os.path.join(root, path)) for path in split_paths(cell)]
    return PATH_SEPARATOR.join(paths) or None


def _read_file(data: FilePath) -> pd.DataFrame:
    path = Path(data)
    if not path.is_file():
        raise ValueError(f"there is no file {path}; correct the path (--data), it starts from {Path.cwd()}")
    return _read_parquet(path) if path.suffix.lower() in _PARQUET_SUFFIXES else _read_csv(path)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise ValueError(f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]'") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}); write it again, or as CSV") from None
    has_names = any(name is not None for name in table.index.names)
    return table.reset_index(drop=not has_names)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            separator = _find_separator(file.readline())
            file.seek(0)
            lines = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
            numbered = [(lines.line_num, cells) for cells in lines if cells]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not text in UTF-8 ({error}); save it again as 'CSV UTF-8' "
            f"(an Excel file first has to be exported as CSV)"
        ) from None
    except csv.Error as error:
        raise ValueError(f"{path} is not a readable CSV: line {lines.line_num}: {error}; correct the quotes") from None
    if not numbered:
        raise ValueError(f"{path} is empty; expected a CSV with a header")
    header = [name.strip() or f"Unnamed: {position}" for position, name in enumerate(numbered[0][1])]
    ragged = [f"line {line} has {len(cells)}" for line, cells in numbered if len(cells) != len(header)]
    if ragged:
        more = f", and {len(ragged) - _NUM_LINES_SHOWN} more" if len(ragged) > _NUM_LINES_SHOWN else ""
        raise ValueError(
            f"{path}: expected {len(header)} cells in every line, as in the header; "
            f"{', '.join(ragged[:_NUM_LINES_SHOWN])}{more}; quote cells that hold the separator {separator!r}"
        )
    return pd.DataFrame([cells for _, cells in numbered[1:]], columns=header, dtype=object)


def _find_separator(header: str) -> str:
    outside_quotes = re.sub(r'"[^"]*"', "", header)
    if "," in outside_quotes:
        return ","
    return max(",;\t", key=outside_quotes.count)
