"""The cells of a CSV or Parquet file as they stand there.

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from mixed_data.files.first_few import cut, name_some
from mixed_data.files.whole_files import CSV_SEPARATORS
from mixed_data.readers.foreign_formats import describe_by_name
from mixed_data.readers.unpacked_file import has_parquet_ends, read_unpacked
from mixed_data.schema.cell_values import canonical_text

logger = logging.getLogger(__name__)

_PARQUET_SUFFIXES = (".parquet", ".pq")
_UNNAMED_INDEX = re.compile("__null_dask_index__|__index_level_[0-9]+__")  # as dask and pyarrow write it
_CUTS = re.escape("".join(CSV_SEPARATORS))
_QUOTED = ' *"(?:[^"]|"")*"'
_CELL = f"(?:{_QUOTED})?[^{_CUTS}\r\n]*"
_HEADER = re.compile(f"{_CELL}(?:[{_CUTS}]{_CELL})*")
_QUOTED_CELL = re.compile(f"(^|[{_CUTS}]){_QUOTED}")
# Programs that save such a file again quote the line, or fill it up with separators.
_SEPARATOR_LINE = re.compile(r"(\"?)sep=([^\w\r\n\"])\1\2*[ \t]*(?=\r|\n|$)", re.IGNORECASE)
_CUTTING_COMMA = re.compile("(?<![0-9]),|,(?![0-9])")
_REMEDY = "save it again as 'CSV UTF-8' (an Excel file first has to be exported as CSV)"


class TableFile(NamedTuple):
    """The cells of a file as they stand there, and what its rows are called."""

    table: pd.DataFrame  # one row per line; without cells where the line is broken
    lines: Sequence[int] | None  # the line on which each row starts; None for Parquet
    broken: Mapping[int, str]  # position of a row to what is wrong with its line
    separator: str | None = None  # of the cells of a line; None for Parquet and for a single column
    counts: Sequence[str] = ()  # what was left out, in words


class _Text(NamedTuple):
    """The lines of a CSV that have a value."""

    header: list[str]
    lines: list[int]  # the line on which each row starts
    rows: list[list[str]]
    separator: str
    empty: list[int]  # the lines that have cells, but no value


def read_file(data: str | os.PathLike[str], on_bad_row: str) -> TableFile:
    """Read all cells of a file; under another policy than "error", lines with too few or too many cells are broken.

    Lines of nothing but separators, as Excel leaves them, are no rows; how many there are is logged.

    Raises:
        ValueError: the file is missing or not readable.
    """
    path = Path(data)
    if not path.is_file():
        what = ": it is a folder" if path.is_dir() else ""
        raise ValueError(f"there is no file {path}{what}; correct the path (--data), it starts from {Path.cwd()}")
    if path.suffix.lower() in _PARQUET_SUFFIXES or _has_parquet_ends(path):
        return TableFile(_read_parquet(path), None, {})
    with _cells_of_any_length():
        text = _read_csv(path)
    rows, num_columns = text.rows, len(text.header)
    ragged = {row: len(cells) for row, cells in enumerate(rows) if len(cells) != num_columns}
    if ragged and (on_bad_row == "error" or len(ragged) == len(rows)):
        raise ValueError(f"{path}: {_describe_ragged(text, ragged)}")
    for row in ragged:
        rows[row] = [""] * num_columns
    broken = {row: f"the line has {num_cells} cells, not {num_columns}" for row, num_cells in ragged.items()}
    table = pd.DataFrame(rows, columns=_name_columns(text.header), dtype=object)
    separator = text.separator if num_columns > 1 else None
    return TableFile(table, text.lines, broken, separator, _count_empty(path, text.empty))


def _describe_ragged(text: _Text, ragged: Mapping[int, int]) -> str:
    """Say which rows have another number of cells than the header, and what helps."""
    shown = name_some(f"line {text.lines[row]} has {num_cells}" for row, num_cells in ragged.items())
    if len(ragged) == len(text.rows) > 1:
        header = cut(text.separator.join(text.header))
        remedy = (
            "remove lines above the names of the columns, name all columns, and separate all lines alike; the header "
            f"is read as {header!r}"
        )
    else:
        remedy = (
            f"quote cells that hold the separator {text.separator!r}, remove lines that are no rows, or leave these "
            "rows out with --on-bad-row skip"
        )
    return f"expected {len(text.header)} cells in every line, as in the header; {shown}; {remedy}"


def _has_parquet_ends(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(max(0, path.stat().st_size - 4))
        return has_parquet_ends(start, file.read(4))


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path)
    except ImportError:
        raise ValueError(f"reading {path} needs pyarrow; type: pip install 'mixed_data[parquet]'") from None
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).partition("\n")[0]
        if repeated := re.search(r"Multiple matches for FieldRef\.Name\((.*)\) in ", reason):
            raise ValueError(f"{path} has more than one column {repeated[1]!r}; rename or remove the others") from None
        raise ValueError(f"{path} is not a readable Parquet file ({reason}); write it again, or as CSV") from None
    return _flatten_index(table, path)


def _flatten_index(table: pd.DataFrame, path: Path) -> pd.DataFrame:
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
            raise ValueError(f"{path}: row {row}, column {name!r} has a null character, as no CSV can; remove it")
    return table


def _name_columns(names: Sequence[object]) -> list[str]:
    """Return names as text without outer blanks; a column without one is called as pandas calls it."""
    return [str(name).strip() or f"Unnamed: {position}" for position, name in enumerate(names)]


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """Let csv read cells beyond its limit of 131,072 characters, such as a picture in base64."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _read_csv(path: Path) -> _Text:
    content = _read_text(path)
    text, separator = content, None
    if declared := _SEPARATOR_LINE.match(content):  # a line for Excel alone
        text, separator = content[declared.end() :], declared.group(2)
    separator = separator or _find_separator(text)
    reader = _start_reader(text, separator)
    header: list[str] = []
    lines, rows, empty = [], [], []
    start = 1
    try:
        for cells in reader:
            if not cells:
                pass
            elif not header and _has_value(cells):
                header = cells
            # In a file of one column, an empty cell in quotes is the only way to write that there is none.
            elif header and (_has_value(cells) or len(header) == len(cells) == 1):
                lines.append(start)
                rows.append(cells)
            else:
                empty.append(start)
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path} is not a readable CSV: line {reader.line_num}: {error}; correct the quotes, double those in a cell"
        ) from None
    if not header:
        raise ValueError(f"{path} is empty; expected a CSV with a header")
    return _Text(header, lines, rows, separator, empty)


def _start_reader(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)


def _has_value(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _count_empty(path: Path, empty: Sequence[int]) -> list[str]:
    if not empty:
        return []
    lines = "lines" if len(empty) > 1 else "line"
    shown = name_some(f"line {line}" for line in empty)
    count = f"{len(empty)} {lines} without a value in any cell left out of {path.name}: {shown}"
    logger.warning("%s", count)
    return [count]


def _read_text(path: Path) -> str:
    content = read_unpacked(path)
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        refused = f"{path} is not text in UTF-8 or UTF-16 (line {line}: {error}); {_REMEDY}"
        raise ValueError(describe_by_name(path) or refused) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        refused = f"{path} is not text in UTF-8 (line {line} has a null character); {_REMEDY}"
        raise ValueError(describe_by_name(path) or refused)
    return text.lstrip("\ufeff")  # byte order marks; two where a program took the first for text


def _find_separator(text: str) -> str:
    """Find the separator of the header; if it may have several, the one that cuts the rows as it cuts the header."""
    match = _HEADER.match(text.lstrip("\r\n"))
    outside_quotes = _QUOTED_CELL.sub(r"\1", match.group() if match else "")
    possible = [separator for separator in CSV_SEPARATORS if separator in outside_quotes]
    if not possible:  # One column: commas that all stand in numbers do not cut.
        return ";" if "," in text and not _CUTTING_COMMA.search(text) else ","
    if len(possible) == 1:
        return possible[0]
    return max(possible, key=lambda separator: _rate_separator(text, separator))


def _rate_separator(text: str, separator: str) -> float:
    """Return the share of the rows that have as many cells as the header."""
    widths: list[int] = []
    try:
        for cells in _start_reader(text, separator):
            if _has_value(cells):
                widths.append(len(cells))
    except csv.Error:
        if not widths:
            return 0.0
        widths.append(0)
    return widths.count(widths[0]) / len(widths) if widths else 0.0
