"""The cells of a CSV or Parquet file as they stand there.

A CSV is read as text, cell by cell, so that "02139" keeps its zero and "abc" in a column of numbers is reported instead
of changing the column's type.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from mixed_data.files.first_few import name_some

_PARQUET_SUFFIXES = (".parquet", ".pq")
_HEADER = re.compile(r'[^"\r\n]*(?:"[^"]*"[^"\r\n]*)*')
_REMEDY = "save it again as 'CSV UTF-8' (an Excel file first has to be exported as CSV)"


class TableFile(NamedTuple):
    """The cells of a file as they stand there, and what its rows are called."""

    table: pd.DataFrame  # one row per line; without cells where the line is broken
    lines: Sequence[int] | None  # the line on which each row starts; None for Parquet
    broken: Mapping[int, str]  # position of a row to what is wrong with its line
    separator: str | None = None  # of the cells of a line; None for Parquet


def read_file(data: str | os.PathLike[str], on_bad_row: str) -> TableFile:
    """Read all cells of a file; under another policy than "error", lines with too few or too many cells are broken.

    Raises:
        ValueError: the file is missing or not readable.
    """
    path = Path(data)
    if not path.is_file():
        raise ValueError(f"there is no file {path}; correct the path (--data), it starts from {Path.cwd()}")
    if path.suffix.lower() in _PARQUET_SUFFIXES:
        return TableFile(_read_parquet(path), None, {})
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
    return TableFile(pd.DataFrame(rows, columns=header, dtype=object), lines, broken, separator)


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
