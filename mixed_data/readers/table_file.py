"""Reader for any CSV or Parquet file with picture paths in it: people's own data.

A CSV is read as text, cell by cell, so that "02139" keeps its zero and "abc" in a column of numbers is reported instead
of changing the column's type.
"""

from __future__ import annotations

import codecs
import csv
import io
import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mixed_data.files.first_few import name_some
from mixed_data.schema import Schema
from mixed_data.schema.bad_cells import RowNames, SchemaError
from mixed_data.schema.bad_rows import CheckedRows, check_rows
from mixed_data.schema.cell_values import PATH_SEPARATOR, canonical_text, parse_numbers, split_paths

logger = logging.getLogger(__name__)

FilePath = str | os.PathLike[str]

_PARQUET_SUFFIXES = (".parquet", ".pq")
_SMALL_SHARE = 0.1  # of the targets; with more of them at or below zero, the target is no price
_HEADER = re.compile(r'[^"\r\n]*(?:"[^"]*"[^"\r\n]*)*')
_REMEDY = "save it again as 'CSV UTF-8' (an Excel file first has to be exported as CSV)"


class _File(NamedTuple):
    """The cells of a file as they stand there, and what its rows are called."""

    table: pd.DataFrame  # one row per line; without cells where the line is broken
    lines: Sequence[int] | None  # the line on which each row starts; None for Parquet
    broken: Mapping[int, str]  # position of a row to what is wrong with its line


def read_table(
    root: FilePath | None = None,
    *,
    data: FilePath,
    target: str | None = None,
    images: Sequence[str] | None = None,
    id: str | None = None,
    group: str | None = None,
    schema: Schema | FilePath | None = None,
    on_bad_row: str = "error",
) -> tuple[pd.DataFrame, Schema]:
    """Read a table for training: learn or take its schema, check it, give every cell its type.

    A CSV is UTF-8, with or without byte order mark, or UTF-16 with one. Its separator is the comma; if the header has
    none, it is the semicolon or the tab. Row order never changes, and with ``on_bad_row="error"`` neither does the row
    count.

    Args:
        root: folder that relative picture paths start from; by default the folder of ``data``.
        data: a CSV file, or Parquet (".parquet", ".pq"; needs pyarrow).
        target: the column to predict; see ``Schema.infer`` for it and the next three.
        images: the columns of picture paths, also as one text with commas.
        id: the column that names a row.
        group: the column whose rows stay together in every split.
        schema: known roles, or the path of a JSON file with them, instead of inference.
        on_bad_row: "error", "skip" or "mask", see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`. How many rows were
            skipped or masked is logged.

    Returns:
        the table, with index 0 to n-1, and its schema. Numeric columns and the target are float64 (``NaN`` where
        empty). Categorical, code, id and group columns hold canonical text or ``None``. Image columns hold absolute
        paths, several joined by ";", or ``None``; a picture that does not exist keeps its path, because preprocessing
        masks and reports it row by row. Other columns stay as they were read.

    Raises:
        ValueError: the file is missing or not readable, or both a schema and roles are given.
        SchemaError: the table does not fit; every problem is listed.

    Example:
        >>> table, schema = read_table(data="listings.csv", target="price")  # doctest: +SKIP
    """
    checked, schema = read_checked_table(
        root, data=data, target=target, images=images, id=id, group=group, schema=schema, on_bad_row=on_bad_row
    )
    return checked.usable.reset_index(drop=True), schema


def read_checked_table(
    root: FilePath | None = None,
    *,
    data: FilePath,
    schema: Schema | FilePath | None = None,
    on_bad_row: str = "error",
    **roles: Any,
) -> tuple[CheckedRows, Schema]:
    """Read all rows as ``read_table`` does, and what is wrong with some of them; the arguments are the same."""
    if schema is not None and any(role is not None for role in roles.values()):
        raise ValueError("expected a schema or target/images/id/group, got both; write the roles into the schema")
    if schema is not None and not isinstance(schema, Schema):
        schema = Schema.load(schema)
    file = _read_file(data, on_bad_row)
    if schema is None:
        schema = Schema.infer(file.table.drop(index=list(file.broken)), **roles)
    checked = _check_file(file, schema, _root_of(data, root), on_bad_row=on_bad_row, needs_target=True)
    if not schema.features and not schema.images:
        raise SchemaError(f"no column is left to predict {schema.target!r} from:\n{schema.explain()}")
    _warn_of_few_not_positive(checked.table[schema.target], RowNames(lines=file.lines))
    return checked, schema


def read_rows(data: FilePath, schema: Schema, **options: Any) -> pd.DataFrame:
    """Read the rows that can be used, as ``read_checked_rows`` does; the arguments are the same."""
    return read_checked_rows(data, schema, **options).usable


def read_checked_rows(
    data: FilePath,
    schema: Schema,
    *,
    root: FilePath | None = None,
    needs_target: bool = False,
    on_bad_row: str = "error",
) -> CheckedRows:
    """Read rows for a schema that is already known: for prediction and evaluation.

    Args:
        data: a CSV or Parquet file, as in ``read_table``.
        schema: the roles; columns are matched by name.
        root: folder that relative picture paths start from; by default the folder of ``data``.
        needs_target: True to evaluate: the target must be a number in every row, and id and group must be there. False
            to predict: the target may be missing, and is left as it was read.
        on_bad_row: as in ``read_table``.

    Returns:
        all rows, typed as by ``read_table``, and what is wrong with some of them. The index is their position in the
        file.

    Raises:
        ValueError: the file is missing or not readable.
        SchemaError: the table does not fit; every problem is listed.
    """
    root = _root_of(data, root)
    return _check_file(_read_file(data, on_bad_row), schema, root, on_bad_row=on_bad_row, needs_target=needs_target)


def _root_of(data: FilePath, root: FilePath | None) -> str:
    folder = os.path.abspath(Path(data).parent if root is None else root)
    if PATH_SEPARATOR in folder:
        raise ValueError(f"{PATH_SEPARATOR!r} separates picture paths, but the folder {folder} has one; rename it")
    return folder


def _check_file(file: _File, schema: Schema, root: str, *, on_bad_row: str, needs_target: bool) -> CheckedRows:
    """Apply the policy to bad rows, and give every cell its type."""
    checked = check_rows(
        file.table, schema, on_bad_row=on_bad_row, needs_target=needs_target, lines=file.lines, broken=file.broken
    )
    table = checked.table.copy()
    numeric = (*schema.numeric, schema.target) if needs_target else schema.numeric
    for name in numeric:
        table[name], _ = parse_numbers(table[name])
    for name in (*schema.categorical, *schema.codes, schema.id, schema.group):
        if name in table:
            table[name] = canonical_text(table[name])
    for name in schema.images:
        table[name] = pd.Series([_resolve(cell, root) for cell in table[name]], dtype=object)
    return replace(checked, table=table)


def _warn_of_few_not_positive(target: pd.Series, names: RowNames) -> None:
    """Say so where a few targets are zero or negative: they may be mistakes, and matter more than others."""
    rows = np.flatnonzero(target <= 0)
    if 0 < len(rows) < _SMALL_SHARE * len(target):
        logger.warning(
            "%d of %d rows have a %s of 0 or less, the first is %s. Correct or remove them if these are mistakes: "
            "one of them keeps the network off the logarithmic scale, and errors in percent of 0 are not defined.",
            *(len(rows), len(target), target.name, names.of(rows[0])),
        )


def _resolve(cell: object, root: str) -> str | None:
    paths = [os.path.abspath(os.path.join(root, path)) for path in split_paths(cell)]
    return PATH_SEPARATOR.join(paths) or None


def _read_file(data: FilePath, on_bad_row: str) -> _File:
    path = Path(data)
    if not path.is_file():
        raise ValueError(f"there is no file {path}; correct the path (--data), it starts from {Path.cwd()}")
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return _File(_read_parquet(path), None, {})
    lines, records, separator = _read_csv(path)
    header = [name.strip() or f"Unnamed: {position}" for position, name in enumerate(records[0])]
    lines, rows = lines[1:], records[1:]
    ragged = {row: len(cells) for row, cells in enumerate(rows) if len(cells) != len(header)}
    if ragged and (on_bad_row == "error" or len(ragged) == len(rows)):
        shown = name_some(f"line {lines[row]} has {num_cells}" for row, num_cells in ragged.items())
        raise ValueError(
            f"{path}: expected {len(header)} cells in every line, as in the header; {shown}; quote cells that hold the "
            f"separator {separator!r}, or leave these rows out with --on-bad-row skip"
        )
    for row in ragged:
        rows[row] = [""] * len(header)
    broken = {row: f"the line has {num_cells} cells, not {len(header)}" for row, num_cells in ragged.items()}
    return _File(pd.DataFrame(rows, columns=header, dtype=object), lines, broken)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise ValueError(f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]'") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not a readable Parquet file ({error}); write it again, or as CSV") from None
    return table.reset_index(drop=all(name is None for name in table.index.names))


def _read_csv(path: Path) -> tuple[list[int], list[list[str]], str]:
    """Return the line on which each record starts, the cells of each, header included, and the separator."""
    text = _read_text(path)
    separator = _find_separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    lines, records = [], []
    start = 1
    try:
        for cells in reader:
            if cells:
                lines.append(start)
                records.append(cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{path} is not a readable CSV: line {reader.line_num}: {error}; correct the quotes") from None
    if not records:
        raise ValueError(f"{path} is empty; expected a CSV with a header")
    return lines, records, separator


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path} is not text in UTF-8 or UTF-16 (line {line}: {error}); {_REMEDY}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"{path} is not text in UTF-8 (line {line} has a null character); {_REMEDY}")
    return text


def _find_separator(text: str) -> str:
    match = _HEADER.match(text.lstrip("\r\n"))
    outside_quotes = re.sub(r'"[^"]*"', "", match.group() if match else "")
    if "," in outside_quotes:
        return ","
    return max(",;\t", key=outside_quotes.count)
