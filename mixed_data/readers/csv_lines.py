"""The lines of a CSV, some at a time, as lists of cells; how the file is encoded and cut, it says itself."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any, NamedTuple

from mixed_data.files.first_few import NUM_SHOWN
from mixed_data.files.whole_files import CSV_SEPARATORS
from mixed_data.readers.foreign_formats import describe_by_name

_CUTS = re.escape("".join(CSV_SEPARATORS))
_QUOTED = ' *"(?:[^"]|"")*"'
_CELL = f"(?:{_QUOTED})?[^{_CUTS}\r\n]*"
_HEADER = re.compile(f"{_CELL}(?:[{_CUTS}]{_CELL})*")
_QUOTED_CELL = re.compile(f"(^|[{_CUTS}]){_QUOTED}")
# Programs that save such a file again quote the line, or fill it up with separators.
_SEPARATOR_LINE = re.compile(r"(\"?)sep=([^\w\r\n\"])\1\2*[ \t]*(?=\r|\n|$)", re.IGNORECASE)
_CUTTING_COMMA = re.compile("(?<![0-9]),|,(?![0-9])")
_REMEDY = "save it again as 'CSV UTF-8' (an Excel file first has to be exported as CSV)"
_NUM_BYTES_AT_ONCE = 1 << 20
_MAX_HEADER = 1 << 20  # characters that are looked at for the names of the columns


class CsvRows(NamedTuple):
    """Rows of a CSV that follow each other.

    Attributes:
        header: the names of the columns, as they stand there.
        rows: the cells of each row that has a value.
        lines: the line on which each row starts.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]


class CsvLines:
    """An open CSV that can be read from its beginning as often as wanted, in parts of as many rows as wanted.

    Args:
        file: its content, unpacked.
        path: where it comes from, for errors.

    Attributes:
        separator: what stands between the cells of a line.
        num_empty: how many lines, of those that were read, have cells but no value.
        empty: the first of them.

    Raises:
        ValueError: the content is not text in UTF-8 or UTF-16.
    """

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._path = path
        self._text = io.TextIOWrapper(file, encoding=_check_text(file, path), newline="")
        self.num_empty = 0
        self.empty: list[int] = []
        self._skipped = 0  # characters of the first line that are for Excel alone
        first = next(self._lines(), "")
        declared = _SEPARATOR_LINE.match(first)
        self._skipped = declared.end() if declared else 0
        self.separator = declared.group(2) if declared else self._find_separator()

    def read(self, num_rows: int | None = None) -> Iterator[CsvRows]:
        """Yield the rows from the first to the last, so many at once; None for all. There is at least one part.

        Raises:
            ValueError: there is no header, or the quotes of a line are wrong.
        """
        self.num_empty, self.empty = 0, []
        reader = self._start_reader(self._lines())
        part = CsvRows([], [], [])
        start = 1
        try:
            for cells in reader:
                if not cells:
                    pass
                elif not part.header and _has_value(cells):
                    part.header.extend(cells)
                # In a file of one column, an empty cell in quotes is the only way to write that there is none.
                elif part.header and (_has_value(cells) or len(part.header) == len(cells) == 1):
                    if len(part.rows) == num_rows:
                        yield part
                        part = CsvRows(part.header, [], [])
                    part.lines.append(start)
                    part.rows.append(cells)
                else:
                    self.num_empty += 1
                    self.empty += [start][: NUM_SHOWN - len(self.empty)]
                start = reader.line_num + 1
        except csv.Error as error:
            raise ValueError(
                f"{self._path} is not a readable CSV: line {reader.line_num}: {error}; correct the quotes, double "
                "those in a cell"
            ) from None
        except OSError as error:
            raise ValueError(f"{self._path} cannot be read: {error.strerror or error}; get it again") from None
        if not part.header:
            raise ValueError(f"{self._path} is empty; expected a CSV with a header")
        yield part

    def _lines(self) -> Iterator[str]:
        self._text.seek(0)
        # Byte order marks; two where a program took the first for text.
        yield next(self._text, "").lstrip("\ufeff")[self._skipped :]
        yield from iter(self._text.readline, "")  # the file itself would be closed with a reader that stops early

    def _start_reader(self, lines: Iterable[str], separator: str | None = None) -> Any:
        separator = separator or self.separator
        return csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)

    def _find_separator(self) -> str:
        """Find the separator of the header; of several, the one that cuts the rows as it cuts the header."""
        match = _HEADER.match(_beginning(self._lines()).lstrip("\r\n"))
        outside_quotes = _QUOTED_CELL.sub(r"\1", match.group() if match else "")
        possible = [separator for separator in CSV_SEPARATORS if separator in outside_quotes]
        if not possible:  # One column: commas that all stand in numbers do not cut.
            has_commas = any("," in line for line in self._lines())
            return ";" if has_commas and not any(map(_CUTTING_COMMA.search, self._lines())) else ","
        if len(possible) == 1:
            return possible[0]
        return max(possible, key=self._rate_separator)

    def _rate_separator(self, separator: str) -> float:
        """Return the share of the rows that have as many cells as the header."""
        width, num_alike, num_rows = 0, 0, 0
        try:
            for cells in self._start_reader(self._lines(), separator):
                if _has_value(cells):
                    width = width or len(cells)
                    num_alike += len(cells) == width
                    num_rows += 1
        except csv.Error:
            num_rows += 1
        return num_alike / num_rows if num_rows else 0.0


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Let csv read cells beyond its limit of 131,072 characters, such as a picture in base64."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _beginning(lines: Iterator[str]) -> str:
    parts, size = [], 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size > _MAX_HEADER:
            break
    return "".join(parts)


def _has_value(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _check_text(file: IO[bytes], path: Path) -> str:
    """Return the encoding of a file, which is at its beginning again.

    Raises:
        ValueError: it is neither UTF-8 nor UTF-16 with its mark, or has a null character.
    """
    file.seek(0)
    is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding = "utf-16" if is_utf16 else "utf-8"
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    position, line = 0, 1  # of the first byte that the decoder has not yet turned into text
    text_line = 1
    for content in chain(iter(lambda: file.read(_NUM_BYTES_AT_ONCE), b""), [b""]):
        waiting = decoder.getstate()[0]
        try:
            text = decoder.decode(content, final=not content)
        except UnicodeDecodeError as error:
            line += (waiting + content).count(b"\n", 0, error.start)
            byte, at = error.object[error.start], position + error.start
            why = f"{encoding!r} codec can't decode byte 0x{byte:02x} in position {at}: {error.reason}"
            refused = f"{path} is not text in UTF-8 or UTF-16 (line {line}: {why}); {_REMEDY}"
            raise ValueError(describe_by_name(path) or refused) from None
        if "\0" in text:
            text_line += text.count("\n", 0, text.index("\0"))
            refused = f"{path} is not text in UTF-8 (line {text_line} has a null character); {_REMEDY}"
            raise ValueError(describe_by_name(path) or refused)
        text_line += text.count("\n")
        taken = len(waiting) + len(content) - len(decoder.getstate()[0])
        line += (waiting + content).count(b"\n", 0, taken)
        position += taken
    file.seek(0)
    return encoding
