"""Files that appear whole or not at all."""

from __future__ import annotations

import csv
import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pandas as pd

CSV_SEPARATORS = (";", "\t", "|", ",")
"""What may stand between the cells of a line; the comma last, for it also stands in numbers and names."""

Append = Callable[["pd.DataFrame"], None]
"""Writes the next rows of a table; all parts have the same columns."""

_LINE_END = "\r\n"
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``, and move what was written there to ``path``.

    Whoever reads ``path``, also after a crash in the middle, finds the old file or the whole new one. After an error
    the temporary file is removed.

    Args:
        path: of the file to write.

    Raises:
        OSError: the file cannot be written; it says which and why.

    Example:
        >>> with replacing("numbers.csv") as temporary:
        ...     table.to_csv(temporary)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise name_unwritten(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def exchange(first: Path, second: Path) -> bool:
    """Exchange what two paths of one file system name, in one step, so that neither is ever missing.

    Returns:
        False, and nothing has changed, where the system or the file system has no such call (all but Linux).

    Reference:
        renameat2(2), Linux manual pages, ``RENAME_EXCHANGE``.
    """
    if sys.platform != "linux":
        return False
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0


def name_unwritten(path: Path, error: OSError) -> OSError:
    """Return an error of the same kind that says what cannot be written: many, such as a full disk's, do not."""
    return OSError(error.errno or errno.EIO, f"{path} cannot be written: {error.strerror or error}")


def write_csv(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a table without its index, whole or not at all; see `open_csv`."""
    with open_csv(path) as append:
        append(table)


@contextmanager
def open_csv(path: str | os.PathLike[str]) -> Iterator[Append]:
    r"""Write a table in parts, so that every reader of CSV finds the same cells in it; it appears whole or not at all.

    UTF-8, commas, line ends "\n". Quoted is only what has to be. A null character and half a surrogate pair, which
    readers refuse, are written as the text ``\x00`` and ``\ud800``.
    """
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        yield append_csv_lines(file)


def append_csv_lines(file: TextIO) -> Append:
    """Return what writes the parts of a table to an open file as `open_csv` does."""
    lines = _Lines(file)
    is_first = True

    def append(table: pd.DataFrame) -> None:
        nonlocal is_first
        if is_first:
            # csv quotes a cell with a character of the line end. Another separator, or a byte order mark, in the name
            # of a column would mislead those who guess the form of a file from its first line.
            header_end = "".join((_LINE_END, "\ufeff", *CSV_SEPARATORS))
            csv.writer(lines, lineterminator=header_end).writerow(table.columns)
            is_first = False
        table.to_csv(lines, index=False, header=False, lineterminator=_LINE_END)

    return append


def check_parquet(path: str | os.PathLike[str]) -> None:
    """Check that Parquet can be written.

    Raises:
        ValueError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ValueError(f"writing {path} needs pyarrow; type: pip install 'mixed_data[parquet]'")


@contextmanager
def open_parquet(path: str | os.PathLike[str]) -> Iterator[Append]:
    """Write a table without its index in parts, as Parquet, whole or not at all; needs pyarrow, see `check_parquet`.

    A part is a row group. A column that has no value in the first part is one of text.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    writer: ParquetWriter | None = None
    with replacing(path) as temporary, ExitStack() as stack:

        def append(table: pd.DataFrame) -> None:
            nonlocal writer
            if writer is None:
                form = pa.Schema.from_pandas(table, preserve_index=False)
                for position, field in enumerate(form):
                    if pa.types.is_null(field.type):
                        form = form.set(position, field.with_type(pa.string()))
                writer = stack.enter_context(ParquetWriter(temporary, form))
            writer.write_table(pa.Table.from_pandas(table, schema=writer.schema, preserve_index=False))

        yield append


class _Lines:
    """A file to which csv writes one line at a time, with an end of its own.

    Before 3.11.9 and 3.12.3, Python's csv leaves a lone carriage return unquoted where the line end has none.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        cells = line[: line.rindex(_LINE_END)].replace("\0", "\\x00")
        self._file.write(f"{cells}\n")
