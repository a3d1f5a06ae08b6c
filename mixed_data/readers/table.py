"""Reader for any CSV or Parquet file with picture paths in it: people's own data."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mixed_data.readers.parquet_rows import Slice, list_slices
from mixed_data.readers.table_file import TableFile, find_table, is_parquet, open_file, read_file, read_slice
from mixed_data.schema import Schema, learn_formats
from mixed_data.schema.bad_cells import RowNames, SchemaError
from mixed_data.schema.bad_rows import CheckedRows, RowChecks, check_rows
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.column_formats import WrittenCells, read_cells
from mixed_data.schema.photo_paths import PATH_SEPARATOR, join_paths, resolve_path, split_paths

logger = logging.getLogger(__name__)

FilePath = str | os.PathLike[str]

NUM_ROWS_AT_ONCE = 1 << 14
"""Of a large file that are in memory."""

_SMALL_SHARE = 0.1  # of the targets; with more of them at or below zero, the target is no price


def read_table(
    root: FilePath | None = None,
    *,
    data: FilePath,
    target: str | None = None,
    images: Sequence[str] | None = None,
    id: str | None = None,
    group: str | None = None,
    schema: Schema | FilePath | None = None,
    decimal: str | None = None,
    on_bad_row: str = "error",
) -> tuple[pd.DataFrame, Schema]:
    """Read a table for training: learn or take its schema, check it, give every cell its type.

    A CSV is UTF-8, with or without byte order mark, or UTF-16 with one, and may be compressed: gzip, bzip2, xz,
    Zstandard (needs pyarrow), or a zip archive with nothing else in it. Its separator is the comma, semicolon, tab or
    bar that cuts all lines alike, or is declared as Excel does: ``sep=;`` as the first line. A line without a value in
    any cell is no row; how many there were is logged. Row order never changes, and with ``on_bad_row="error"`` neither
    does the row count.

    Args:
        root: folder that relative picture paths start from; by default the folder of ``data``.
        data: a CSV file, or Parquet (".parquet", ".pq"; needs pyarrow).
        target: the column to predict; see ``Schema.infer`` for it and the next three.
        images: the columns of picture paths, also as one text with commas, which may be part of a name.
        id: the column that names a row.
        group: the column whose rows stay together in every split.
        schema: known roles, or the path of a JSON file with them, instead of inference.
        decimal: the decimal sign of all its numbers, "." or ","; needed only where the file does not tell it, see
            `mixed_data.schema.learn_formats`.
        on_bad_row: "error", "skip" or "mask", see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`. How many rows were
            skipped or masked is logged.

    Returns:
        the table, with index 0 to n-1, and its schema. Numeric columns and the target are float64 (``NaN`` where
        empty), dates datetime64[us]. Categorical, code, id and group columns hold canonical text or ``None``. Image
        columns hold absolute paths, several joined by ";", or ``None``; a picture that does not exist keeps its path,
        because preprocessing masks and reports it row by row. Other columns stay as they were read.

    Raises:
        ValueError: the file is missing or not readable, or both a schema and roles are given.
        SchemaError: the table does not fit; every problem is listed.

    Example:
        >>> table, schema = read_table(data="listings.csv", target="price")  # doctest: +SKIP
    """
    checked, schema = read_checked_table(
        root,
        data=data,
        target=target,
        images=images,
        id=id,
        group=group,
        schema=schema,
        decimal=decimal,
        on_bad_row=on_bad_row,
    )
    return checked.usable.reset_index(drop=True), schema


def read_checked_table(
    root: FilePath | None = None,
    *,
    data: FilePath,
    schema: Schema | FilePath | None = None,
    decimal: str | None = None,
    on_bad_row: str = "error",
    **roles: Any,
) -> tuple[CheckedRows, Schema]:
    """Read all rows as ``read_table`` does, and what is wrong with some of them; the arguments are the same."""
    if schema is not None and any(role is not None for role in roles.values()):
        raise ValueError("expected a schema or target/images/id/group, got both; write the roles into the schema")
    if schema is not None and not isinstance(schema, Schema):
        schema = Schema.load(schema)
    file = read_file(data, on_bad_row)
    with _named_in_errors(data):
        if schema is None:
            schema = Schema.infer(file.whole_rows, **roles)
        schema = learn_formats(schema, file.whole_rows, separator=file.separator, decimal=decimal)
        checked = check_rows(file.table, schema, on_bad_row=on_bad_row, lines=file.lines, broken=file.broken)
        checked = replace(checked, counts=[*file.counts, *checked.counts])
        checked = _type_cells(checked, schema, _root_of(data, root), needs_target=True)
        if not schema.features and not schema.images:
            raise SchemaError(f"no column is left to predict {schema.target!r} from:\n{schema.explain()}")
    _warn_of_few_not_positive(checked.table[schema.target], RowNames(lines=file.lines))
    return checked, schema


def read_rows(data: FilePath, schema: Schema, **options: Any) -> pd.DataFrame:
    """Read the rows that can be used, as `open_checked_rows` does; the arguments are the same."""
    return read_checked_rows(data, schema, **options).usable


def read_checked_rows(data: FilePath, schema: Schema, **options: Any) -> CheckedRows:
    """Read all rows at once for a schema that is already known, as `open_checked_rows` does in parts."""
    with open_checked_rows(data, schema, **options, num_rows_at_once=None) as rows:
        (checked,) = rows.parts
    return replace(checked, counts=rows.counts)


class CheckedParts(NamedTuple):
    """The rows of a file that was checked, to be read once, in parts.

    Attributes:
        columns: their names.
        num_rows: of the file.
        num_skipped: how many of them are to be left out.
        counts: how many rows were skipped or have masked cells, as in `CheckedRows`, and what is no row.
        parts: the rows in order, typed as by ``read_table``, and what is wrong with some of them. The index is their
            position in the file.
    """

    columns: Sequence[str]
    num_rows: int
    num_skipped: int
    counts: Sequence[str]
    parts: Iterator[CheckedRows]


@contextmanager
def open_checked_rows(
    data: FilePath,
    schema: Schema,
    *,
    root: FilePath | None = None,
    needs_target: bool = False,
    decimal: str | None = None,
    on_bad_row: str = "error",
    num_rows_at_once: int | None = NUM_ROWS_AT_ONCE,
) -> Iterator[CheckedParts]:
    """Check a file for a schema that is already known, and open its rows: for prediction and evaluation.

    A file with more rows than are read at once is read three times, so that it need not be held in memory: what decides
    about a column, such as its decimal sign, is learned from all of it, and all of it is checked, before the first row
    is given.

    Args:
        data: a CSV or Parquet file, as in ``read_table``; or a folder of Parquet files, all rows of which are read as
            one table, in the order of the names of the files. Files of its subfolders are not read.
        schema: the roles; columns are matched by name.
        root: folder that relative picture paths start from; by default the folder of ``data``, or that folder.
        needs_target: True to evaluate: the target must be a number in every row, and id and group must be there. False
            to predict: the target may be missing, and is left as it was read.
        decimal: as in ``read_table``; needed where neither this file nor the schema's ``formats`` tell it.
        on_bad_row: as in ``read_table``.
        num_rows_at_once: of a part; None for all in one.

    Raises:
        ValueError: the file is missing or not readable.
        SchemaError: the table does not fit; every problem is listed.
    """
    root = _root_of(data, root)
    policy: dict[str, Any] = {"on_bad_row": on_bad_row, "needs_target": needs_target}
    with open_file(data, on_bad_row) as (parts_of, find_counts):
        with _named_in_errors(data):
            cells, num_parts = WrittenCells(replace(schema, target=schema.target if needs_target else None)), 0
            for num_parts, file in enumerate(parts_of(num_rows_at_once), 1):  # noqa: B007
                cells.add(file.whole_rows)
            counts = find_counts()
            schema = cells.learn_formats(separator=file.separator, decimal=decimal, is_training=False)
            checks = RowChecks(schema, **policy)
            for part in [file] if num_parts == 1 else parts_of(num_rows_at_once):
                checked = _check_part(part, checks)
            counts = [*counts, *checks.report()]
        again = RowChecks(schema, **policy)
        several = (_check_part(part, again) for part in parts_of(num_rows_at_once))
        parts = (_type_cells(part, schema, root, needs_target) for part in ([checked] if num_parts == 1 else several))
        yield CheckedParts(list(file.table), checks.num_rows, checks.num_skipped, counts, parts)


class SliceReader(NamedTuple):
    """Reads slices of Parquet for prediction, in any process that sees the files; see `open_checked_rows`.

    Attributes:
        schema: the roles; after `check_slices` with the formats that all slices together tell.
        root: folder that relative picture paths start from.
        on_bad_row: see `mixed_data.schema.bad_rows.BAD_ROW_POLICIES`.
    """

    schema: Schema
    root: str
    on_bad_row: str

    def find_formats(self, where: Slice) -> WrittenCells:
        """Find what the cells of a slice say about formats."""
        cells = WrittenCells(self.schema)
        cells.add(read_slice(where).table)
        return cells

    def find_bad_rows(self, where: Slice) -> RowChecks:
        """Check the rows of a slice, and keep what is to be said of them."""
        checks = self._checks()
        _check_part(read_slice(where), checks)
        return checks

    def read(self, where: Slice) -> CheckedRows:
        """Read a slice of checked rows."""
        return _type_cells(_check_part(read_slice(where), self._checks()), self.schema, self.root, needs_target=False)

    def _checks(self) -> RowChecks:
        return RowChecks(self.schema, on_bad_row=self.on_bad_row, needs_target=False)


def cut_table(data: FilePath) -> list[Slice]:
    """Cut a Parquet file, or a folder of such files, into slices as large as the parts of `open_checked_rows`.

    Raises:
        ValueError: a file is missing or not readable, or is no Parquet.
    """
    path = find_table(data)
    if not is_parquet(path):
        raise ValueError(f"{path} is no Parquet, which alone several processes can read; write the table as Parquet")
    return list_slices(path, NUM_ROWS_AT_ONCE)


def check_slices(
    slices: Sequence[Slice],
    data: FilePath,
    schema: Schema,
    apply: Callable[[Callable[[Slice], Any], Sequence[Slice]], Iterable[Any]],
    *,
    root: FilePath | None = None,
    decimal: str | None = None,
    on_bad_row: str = "error",
) -> tuple[SliceReader, RowChecks]:
    """Check Parquet for prediction as `open_checked_rows` does, each slice wherever ``apply`` has it read.

    Args:
        slices: from `cut_table`.
        data: what they are of.
        schema: the roles; columns are matched by name.
        apply: applies a function to slices, and gives the results in their order.
        root: as in `open_checked_rows`, and so are the next two.
        decimal: the decimal sign.
        on_bad_row: the policy.

    Returns:
        what reads the slices, and what was found in all of them.

    Raises:
        ValueError: a file is not readable.
        SchemaError: the table does not fit; every problem is listed.
    """
    reader = SliceReader(replace(schema, target=None), _root_of(data, root), on_bad_row)
    with _named_in_errors(data):
        cells = WrittenCells(reader.schema)
        for found in apply(reader.find_formats, slices):
            cells.join(found)
        reader = reader._replace(schema=cells.learn_formats(decimal=decimal, is_training=False))
        checks = reader._checks()
        for found in apply(reader.find_bad_rows, slices):
            checks.join(found)
        checks.report()
    return reader, checks


def _check_part(file: TableFile, checks: RowChecks) -> CheckedRows:
    return checks.check(file.table, lines=file.lines, broken=file.broken, first=file.first, file=file.file)


@contextmanager
def _named_in_errors(data: FilePath) -> Iterator[None]:
    """Have the errors of a table say which file it came from."""
    try:
        yield
    except SchemaError as error:
        error.file = os.fspath(data)
        raise


def _root_of(data: FilePath, root: FilePath | None) -> str:
    own = data if os.path.isdir(data) else Path(data).parent
    folder = os.path.abspath(own if root is None else root)
    if PATH_SEPARATOR in folder:
        raise ValueError(f"{PATH_SEPARATOR!r} separates picture paths, but the folder {folder} has one; rename it")
    return folder


def _type_cells(checked: CheckedRows, schema: Schema, root: str, needs_target: bool) -> CheckedRows:
    """Give every cell its type."""
    table = read_cells(schema, checked.table, needs_target=needs_target)
    for name in (*schema.categorical, *schema.codes, schema.id, schema.group):
        if name in table:
            table[name] = canonical_text(table[name])
    for name in schema.images:
        table[name] = pd.Series([_resolve(cell, root) for cell in table[name]], index=table.index, dtype=object)
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
    return join_paths([resolve_path(path, root) for path in split_paths(cell)])
