"""The cells of a CSV or Parquet file as they stand there, all at once or some rows at a time.

A CSV is read as text, cell by cell, so that "02139" keeps its zero and "abc" in a column of numbers is reported instead
of changing the column's type.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mixed_data.files.first_few import NUM_SHOWN, cut, name_some
from mixed_data.readers.csv_lines import CsvLines, cells_of_any_length
from mixed_data.readers.parquet_rows import PARQUET_SUFFIXES, Slice, list_slices, name_columns, read_slices
from mixed_data.readers.unpacked_file import has_parquet_ends, open_unpacked

logger = logging.getLogger(__name__)


class TableFile(NamedTuple):
    """Rows of a file that follow each other, perhaps all, with their cells as they stand there.

    Attributes:
        table: one row per line; without cells where the line is broken.
        lines: the line on which each row starts; None for Parquet.
        broken: position of a row to what is wrong with its line.
        separator: of the cells of a line; None for Parquet and for a single column.
        counts: what was left out, in words.
        first: position of the first row in the file.
        file: what tells the file from the others of its folder; "" for a single file.
    """

    table: pd.DataFrame
    lines: Sequence[int] | None
    broken: Mapping[int, str]
    separator: str | None = None
    counts: Sequence[str] = ()
    first: int = 0
    file: str = ""

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
        data: CSV or Parquet file, or a folder of Parquet files, which are read in parts only.
        on_bad_row: as for `read_file`.

    Returns:
        what yields the parts, of which there is at least one; and what says, once all parts were read for the first
        time, what was left out, which it also logs. A whole file with broken lines under "error" is refused when its
        last part has been asked for.

    Raises:
        ValueError: the file is missing or not readable.
    """
    path = find_table(data)
    if is_parquet(path):
        slices = cache(partial(list_slices, path))
        yield lambda num_rows: _read_parquet(slices(num_rows)), list
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
        table = pd.DataFrame(text.rows, index, name_columns(text.header), dtype=object)
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


def find_table(data: str | os.PathLike[str]) -> Path:
    """Return the path of a file or folder that is there.

    Raises:
        ValueError: there is none.
    """
    path = Path(data)
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"there is no file {path}; correct the path (--data), it starts from {Path.cwd()}")
    return path


def is_parquet(path: Path) -> bool:
    """Tell whether something is Parquet: a folder, or a file by its name or its content."""
    if path.is_dir() or path.suffix.lower() in PARQUET_SUFFIXES:
        return True
    with path.open("rb") as file:
        return has_parquet_ends(file)


def read_slice(where: Slice) -> TableFile:
    """Read one slice of a Parquet file, in any process that sees the file.

    Raises:
        ValueError: the file is not readable.
    """
    ((_, table),) = read_slices([where])
    return TableFile(table, None, {}, first=where.first, file=where.file)


def _read_parquet(slices: Sequence[Slice]) -> Iterator[TableFile]:
    for where, table in read_slices(slices):
        yield TableFile(table, None, {}, first=where.first, file=where.file)
