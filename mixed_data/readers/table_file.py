"""The cells of a CSV or Parquet file as they stand there, all at once or some rows at a time.

A CSV is read as text, cell by cell, so that "02139" keeps its zero and "abc" in a column of numbers is reported instead
of changing the column's type.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mixed_data.files.first_few import NUM_SHOWN, cut, name_some
from mixed_data.readers.csv_lines import CsvLines, cells_of_any_length
from mixed_data.readers.unpacked_file import has_parquet_ends, open_unpacked
from mixed_data.schema.cell_values import canonical_text

logger = logging.getLogger(__name__)

_PARQUET_SUFFIXES = (".parquet", ".pq")
_UNNAMED_INDEX = re.compile("__null_dask_index__|__index_level_[0-9]+__")  # as dask and pyarrow write it


class TableFile(NamedTuple):
    """Rows of a file that follow each other, perhaps all, with their cells as they stand there.

    Attributes:
        table: one row per line; without cells where the line is broken.
        lines: the line on which each row starts; None for Parquet.
        broken: position of a row to what is wrong with its line.
        separator: of the cells of a line; None for Parquet and for a single column.
        counts: what was left out, in words.
        first: position of the first row in the file.
    """

    table: pd.DataFrame
    lines: Sequence[int] | None
    broken: Mapping[int, str]
    separator: str | None = None
    counts: Sequence[str] = ()
    first: int = 0

    @property
    def whole_rows(self) -> pd.DataFrame:
        """The rows whose lines are not broken."""
        return self.table.drop(index=self.table.index[list(self.broken)]) if self.broken else self.table


PartsOf = Callable[[int | None], Iterator[TableFile]]
"""Given a number of rows, or None for all of them: yields the parts of a file, each of at most so many rows."""


def read_file(data: str | os.PathLike[str], on_bad_row: str) -> TableFile:
    """Read all cells of a file; under another policy than "error", lines with too few or too many cells are broken.

    Lines of nothing but separators, as Excel leaves them, are no rows; how many there are is logged.

    Raises:
        ValueError: the file is missing or not readable.
    """
    with open_file(data, on_bad_row) as (parts_of, find_counts):
        (file,) = parts_of(None)
        return file._replace(counts=find_counts())


@contextmanager
def open_file(data: str | os.PathLike[str], on_bad_row: str) -> Iterator[tuple[PartsOf, Callable[[], list[str]]]]:
    """Open a file to read it in parts, as often as wanted.

    Args:
        data: CSV or Parquet file.
        on_bad_row: as for `read_file`.

    Returns:
        what yields the parts, of which there is at least one; and what says, once all parts were read for the first
        time, what was left out, which it also logs. A whole file with broken lines under "error" is refused when its
        last part has been asked for.

    Raises:
        ValueError: the file is missing or not readable.
    """
    path = Path(data)
    if not path.is_file():
        what = ": it is a folder" if path.is_dir() else ""
        raise ValueError(f"there is no file {path}{what}; correct the path (--data), it starts from {Path.cwd()}")
    if path.suffix.lower() in _PARQUET_SUFFIXES or _is_parquet(path):
        yield lambda num_rows: _read_parquet(path, num_rows), list
        return
    with cells_of_any_length(), open_unpacked(path) as content:
        lines = CsvLines(content, path)
        yield (
            lambda num_rows: _read_csv(lines, path, on_bad_row, num_rows),
            lambda: _count_empty(path, lines),
        )


def _read_csv(csv: CsvLines, path: Path, on_bad_row: str, num_rows: int | None) -> Iterator[TableFile]:
    first, num_ragged = 0, 0
    shown: list[str] = []
    for text in csv.read(num_rows):
        num_columns = len(text.header)
        ragged = {row: len(cells) for row, cells in enumerate(text.rows) if len(cells) != num_columns}
        num_ragged += len(ragged)
        few = islice(ragged.items(), NUM_SHOWN - len(shown))
        shown += [f"line {text.lines[row]} has {num_cells}" for row, num_cells in few]
        for row in ragged:
            text.rows[row] = [""] * num_columns
        broken = {row: f"the line has {num_cells} cells, not {num_columns}" for row, num_cells in ragged.items()}
        index = pd.RangeIndex(first, first + len(text.rows))
        table = pd.DataFrame(text.rows, index, _name_columns(text.header), dtype=object)
        yield TableFile(table, text.lines, broken, csv.separator if num_columns > 1 else None, first=first)
        first += len(table)
    if num_ragged and (on_bad_row == "error" or num_ragged == first):
        ragged_lines = name_some(shown, total=num_ragged)
        raise ValueError(f"{path}: {_describe_ragged(csv, text.header, ragged_lines, num_ragged == first > 1)}")


def _describe_ragged(csv: CsvLines, header: Sequence[str], shown: str, all_are: bool) -> str:
    """Say which rows have another number of cells than the header, and what helps."""
    if all_are:
        remedy = (
            "remove lines above the names of the columns, name all columns, and separate all lines alike; the header "
            f"is read as {cut(csv.separator.join(header))!r}"
        )
    else:
        remedy = (
            f"quote cells that hold the separator {csv.separator!r}, remove lines that are no rows, or leave these "
            "rows out with --on-bad-row skip"
        )
    return f"expected {len(header)} cells in every line, as in the header; {shown}; {remedy}"


def _count_empty(path: Path, csv: CsvLines) -> list[str]:
    if not csv.num_empty:
        return []
    lines = "lines" if csv.num_empty > 1 else "line"
    shown = name_some((f"line {line}" for line in csv.empty), total=csv.num_empty)
    count = f"{csv.num_empty} {lines} without a value in any cell left out of {path.name}: {shown}"
    logger.warning("%s", count)
    return [count]


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return has_parquet_ends(file)


def _read_parquet(path: Path, num_rows: int | None) -> Iterator[TableFile]:
    for table, first in _read_arrow(path, num_rows):
        yield TableFile(_flatten_index(table, path, first), None, {}, first=first)


def _read_arrow(path: Path, num_rows: int | None) -> Iterator[tuple[pd.DataFrame, int]]:
    """Yield so many rows at once, as pandas reads them, and the position of the first of them."""
    try:
        import pyarrow.parquet

        file = None if num_rows is None else pyarrow.parquet.ParquetFile(path)
        if file is None or file.metadata.num_rows <= num_rows:
            yield pd.read_parquet(path), 0
            return
        names = pd.Index(file.schema_arrow.names)
        if names.has_duplicates:
            raise ValueError(f"Multiple matches for FieldRef.Name({names[names.duplicated()][0]}) in it")  # as pandas
        indexes = (file.schema_arrow.pandas_metadata or {}).get("index_columns", [])
        first = 0
        for batch in file.iter_batches(num_rows):
            table = batch.to_pandas()
            for index in indexes:
                if isinstance(index, dict):  # a range, of which pyarrow forgets the name and the start in parts
                    start, step = index["start"] + first * index["step"], index["step"]
                    table.index = pd.RangeIndex(start, start + len(table) * step, step, name=index["name"])
            yield table, first
            first += len(table)
    except ImportError:
        raise ValueError(f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]'") from None
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).partition("\n")[0]
        if repeated := re.search(r"Multiple matches for FieldRef\.Name\((.*)\) in ", reason):
            raise ValueError(f"{path} has more than one column {repeated[1]!r}; rename or remove the others") from None
        raise ValueError(f"{path} is not a readable Parquet file ({reason}); write it again, or as CSV") from None


def _flatten_index(table: pd.DataFrame, path: Path, first: int) -> pd.DataFrame:
    """Make a column, in front, of a named index, and texts of the names of columns."""
    named = [level for level, name in enumerate(table.index.names) if name is not None]
    levels = [pd.Series(table.index.get_level_values(level)) for level in named]
    table = table.reset_index(drop=True).set_axis(_name_columns(table.columns), axis="columns")
    for level in reversed(levels):
        name = str(level.name).strip()
        if name not in table:
            table.insert(0, name, level)
        elif not canonical_text(level).equals(canonical_text(table[[name]].iloc[:, 0])):
            raise ValueError(
                f"{path} has an index and a column that are both called {name!r}, with different values; rename one of "
                "them, or write the file without its index: table.to_parquet(path, index=False)"
            )
    table = table.loc[:, [not _UNNAMED_INDEX.fullmatch(name) for name in table.columns]]
    for name, column in table.select_dtypes(exclude=["number", "bool", "datetime"]).items():
        row = next((row for row, cell in enumerate(column) if isinstance(cell, str) and "\0" in cell), None)
        if row is not None:
            raise ValueError(
                f"{path}: row {first + row}, column {name!r} has a null character, as no CSV can; remove it"
            )
    return table.set_axis(pd.RangeIndex(first, first + len(table)), axis="index")


def _name_columns(names: Sequence[object]) -> list[str]:
    """Return names as text without outer blanks; a column without one is called as pandas calls it."""
    return [str(name).strip() or f"Unnamed: {position}" for position, name in enumerate(names)]
