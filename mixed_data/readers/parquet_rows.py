"""The rows of a Parquet file, or of a folder of such files, in slices that can be read apart, in any process."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from mixed_data.files.first_few import name_some
from mixed_data.schema.cell_values import canonical_text

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET_SUFFIXES = (".parquet", ".pq")

_UNNAMED_INDEX = re.compile("__null_dask_index__|__index_level_[0-9]+__")  # as dask and pyarrow write it


class Slice(NamedTuple):
    """Rows of a Parquet file that follow each other.

    Attributes:
        path: of the file, absolute.
        name: of the file, for errors, as the user gave it.
        first: position of the first row in the file.
        num_rows: how many; None for the whole file.
        position: of the first row among all rows that are read, of which this file may hold a part.
        file: what tells the file from the others of its folder; "" for a single file.
    """

    path: str
    name: str
    first: int = 0
    num_rows: int | None = None
    position: int = 0
    file: str = ""


def list_slices(data: Path, num_rows: int | None) -> list[Slice]:
    """Cut Parquet into slices of so many rows; only the footers of the files are read.

    Args:
        data: a file, or a folder of files, which are taken in the order of their names, "part.2" before "part.10".
            Hidden files and those of subfolders are not read.
        num_rows: of a slice; the last one of a file has fewer. None: the whole file in one, not for folders.

    Returns:
        at least one slice; no others that are empty.

    Raises:
        ValueError: a file cannot be read, there is none, or the files of a folder have different columns.
    """
    if num_rows is None:
        if data.is_dir():
            raise ValueError(f"there is no file {data}: it is a folder; correct the path (--data), or give one file")
        return [Slice(os.path.abspath(data), str(data))]
    files = _list_files(data) if data.is_dir() else [data]
    slices, num_before, first_names = [], 0, None
    for path in files:
        with _readable(str(path)):
            import pyarrow.parquet

            found = pyarrow.parquet.read_metadata(path)
            names = set(found.schema.to_arrow_schema().names)
        if first_names is not None and names != first_names:
            others = name_some(map(repr, sorted(names ^ first_names)))
            raise ValueError(
                f"{path} and {files[0]} have not the same columns: {others}; write them with the same ones"
            )
        first_names = names
        where = Slice(os.path.abspath(path), str(path), file=path.name if data.is_dir() else "")
        for first in range(0, found.num_rows, num_rows):
            here = min(num_rows, found.num_rows - first)
            slices.append(where._replace(first=first, num_rows=here, position=num_before + first))
        num_before += found.num_rows
    return slices or [where._replace(num_rows=0)]


def read_slices(slices: Sequence[Slice]) -> Iterator[tuple[Slice, pd.DataFrame]]:
    """Read slices that follow each other, each file once, from the row group on in which the first one of them begins.

    Returns:
        each slice and its rows, whose index are their positions among all rows; columns have names of text.

    Raises:
        ValueError: a file cannot be read, or has no usable columns.
    """
    for _, group in groupby(slices, key=lambda one: one.path):
        of_file = list(group)
        tables = _read_arrow(of_file[0])
        for one, table in zip(of_file, tables, strict=False):
            yield one, _flatten_index(table, one)


def _list_files(folder: Path) -> list[Path]:
    found = [file for file in folder.iterdir() if file.suffix.lower() in PARQUET_SUFFIXES and file.is_file()]
    files = [file for file in found if not file.name.startswith((".", "_"))]
    if not files:
        raise ValueError(
            f"there is no Parquet file in the folder {folder}; files of its subfolders are not read: write all rows "
            "into files beside each other, which end with .parquet"
        )
    return sorted(files, key=lambda file: [(len(part), part) for part in re.split("([0-9]+)", file.name)])


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Have whatever goes wrong say which file it is, and what helps."""
    try:
        yield
    except ImportError:
        raise ValueError(f"reading {name} needs pyarrow; type: pip install 'mixed_data[parquet]'") from None
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).partition("\n")[0]
        if repeated := re.search(r"Multiple matches for FieldRef\.Name\((.*)\) in ", reason):
            raise ValueError(f"{name} has more than one column {repeated[1]!r}; rename or remove the others") from None
        raise ValueError(f"{name} is not a readable Parquet file ({reason}); write it again, or as CSV") from None


def _read_arrow(where: Slice) -> Iterator[pd.DataFrame]:
    """Yield the rows of a file from a slice on, so many at once as it has, as pandas reads them."""
    with _readable(where.name):
        import pyarrow.parquet

        num_rows = where.num_rows
        file = None if num_rows is None else pyarrow.parquet.ParquetFile(where.path)
        if file is None or num_rows is None or file.metadata.num_rows <= num_rows:
            yield pd.read_parquet(where.path)
            return
        names = pd.Index(file.schema_arrow.names)
        if names.has_duplicates:
            raise ValueError(f"Multiple matches for FieldRef.Name({names[names.duplicated()][0]}) in it")  # as pandas
        indexes = (file.schema_arrow.pandas_metadata or {}).get("index_columns", [])
        first = where.first
        for rows in _equal_parts(file, first, num_rows):
            table = rows.to_pandas()
            for index in indexes:
                if isinstance(index, dict):  # a range, of which pyarrow forgets the name and the start in parts
                    start, step = index["start"] + first * index["step"], index["step"]
                    table.index = pd.RangeIndex(start, start + len(table) * step, step, name=index["name"])
            yield table
            first += len(table)


def _equal_parts(file: pa.parquet.ParquetFile, first: int, num_rows: int) -> Iterator[pa.Table]:
    """Yield so many rows at once, from a position on. What pyarrow yields also ends with each row group, at times."""
    import pyarrow as pa

    sizes = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    group = 0
    while first >= sizes[group]:
        first -= sizes[group]
        group += 1
    waiting: list[pa.RecordBatch] = []
    missing = num_rows
    for batch in file.iter_batches(num_rows, row_groups=range(group, len(sizes))):
        batch, first = batch.slice(first), max(0, first - batch.num_rows)
        while batch.num_rows:
            waiting.append(batch.slice(0, missing))
            batch, missing = batch.slice(missing), missing - waiting[-1].num_rows
            if not missing:
                yield pa.Table.from_batches(waiting).unify_dictionaries()
                waiting, missing = [], num_rows
    if waiting:
        yield pa.Table.from_batches(waiting).unify_dictionaries()


def _flatten_index(table: pd.DataFrame, where: Slice) -> pd.DataFrame:
    """Make a column, in front, of a named index, and texts of the names of columns."""
    named = [level for level, name in enumerate(table.index.names) if name is not None]
    levels = [pd.Series(table.index.get_level_values(level)) for level in named]
    table = table.reset_index(drop=True).set_axis(name_columns(table.columns), axis="columns")
    for level in reversed(levels):
        name = str(level.name).strip()
        if name not in table:
            table.insert(0, name, level)
        elif not canonical_text(level).equals(canonical_text(table[[name]].iloc[:, 0])):
            raise ValueError(
                f"{where.name} has an index and a column that are both called {name!r}, with different values; rename "
                "one of them, or write the file without its index: table.to_parquet(path, index=False)"
            )
    table = table.loc[:, [not _UNNAMED_INDEX.fullmatch(name) for name in table.columns]]
    for name, column in table.select_dtypes(exclude=["number", "bool", "datetime"]).items():
        row = next((row for row, cell in enumerate(column) if isinstance(cell, str) and "\0" in cell), None)
        if row is not None:
            raise ValueError(
                f"{where.name}: row {where.first + row}, column {name!r} has a null character, as no CSV can; remove it"
            )
    return table.set_axis(pd.RangeIndex(where.position, where.position + len(table)), axis="index")


def name_columns(names: Sequence[object]) -> list[str]:
    """Return names as text without outer blanks; a column without one is called as pandas calls it."""
    return [str(name).strip() or f"Unnamed: {position}" for position, name in enumerate(names)]
