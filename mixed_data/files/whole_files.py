"""Files that appear whole or not at all."""

from __future__ import annotations

import csv
import ctypes
import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import pandas as pd

CSV_SEPARATORS = (";", "\t", "|", ",")
"""What may stand between the cells of a line; the comma last, for it also stands in numbers and names."""

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
    r"""Write a table without its index, whole or not at all, so that every reader of CSV finds the same cells in it.

    UTF-8, commas, line ends "\n". Quoted is only what has to be. A null character and half a surrogate pair, which
    readers refuse, are written as the text ``\x00`` and ``\ud800``.
    """
    with (
        replacing(path) as temporary,
        open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        write_csv_lines(file, table)


def write_csv_lines(file: TextIO, table: pd.DataFrame) -> None:
    """Write a table to an open file as `write_csv` does."""
    lines = _Lines(file)
    # csv quotes a cell with a character of the line end. Another separator, or a byte order mark, in the name of a
    # column would mislead those who guess the form of a file from its first line.
    header_end = "".join((_LINE_END, "\ufeff", *CSV_SEPARATORS))
    csv.writer(lines, lineterminator=header_end).writerow(table.columns)
    table.to_csv(lines, index=False, header=False, lineterminator=_LINE_END)


def check_parquet(path: str | os.PathLike[str]) -> None:
    """Check that Parquet can be written.

    Raises:
        ValueError: pyarrow is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ValueError(f"writing {path} needs pyarrow; type: pip install 'mixed_data[parquet]'")


def write_parquet(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write a table without its index as Parquet, whole or not at all; needs pyarrow, see `check_parquet`."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, engine="pyarrow", index=False)


class _Lines:
    """A file to which csv writes one line at a time, with an end of its own.

    Before 3.11.9 and 3.12.3, Python's csv leaves a lone carriage return unquoted where the line end has none.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, line: str) -> None:
        cells = line[: line.rindex(_LINE_END)].replace("\0", "\\x00")
        self._file.write(f"{cells}\n")
