"""Files of other programs: named for what they are, with what makes a CSV of them. None of them is read here."""

from __future__ import annotations

import codecs
import os
import re
import zipfile
from pathlib import Path
from typing import IO

_SAVE = "open it in its program, and save the sheet as 'CSV UTF-8'"
_UNPACK = "unpack it, and give the CSV or Parquet file that is in it"
_EXPORT = "export its table as CSV"
_CONVERT = 'convert it in Python: pandas.{reader}.to_csv("{csv}", index=False)'


def _by_pandas(reader: str) -> str:
    return _CONVERT.replace("{reader}", reader)


_FORMATS = {
    "excel": ("an Excel workbook", _SAVE),
    "old excel": ("an Excel workbook of the old kind (.xls) or with a password", _SAVE),
    "opendocument": ("an OpenDocument file", _SAVE),
    "numbers": ("a Numbers spreadsheet", _SAVE),
    "document": ("a text document", _EXPORT),
    "pdf": ("a PDF document", _EXPORT),
    "database": ("a database", _EXPORT),
    "sqlite": (
        "an SQLite database",
        _by_pandas('read_sql("SELECT * FROM the_table", sqlite3.connect("{name}"))'),
    ),
    "json": ("a JSON file", _by_pandas('read_json("{name}")')),
    "json lines": ("a file of JSON lines", _by_pandas('read_json("{name}", lines=True)')),
    "html": (
        "an HTML page",
        "if a server sent it in place of the table, download that again; if the table is in it, "
        + _by_pandas('read_html("{name}")[0]'),
    ),
    "xml": ("an XML file", _by_pandas('read_xml("{name}")')),
    "feather": ("an Arrow or Feather file", _by_pandas('read_feather("{name}")')),
    "orc": ("an ORC file", _by_pandas('read_orc("{name}")')),
    "stata": ("a Stata file", _by_pandas('read_stata("{name}")')),
    "spss": ("an SPSS file", _by_pandas('read_spss("{name}")')),
    "sas": ("a SAS file", _by_pandas('read_sas("{name}")')),
    "hdf": ("an HDF5 file", _by_pandas('read_hdf("{name}")')),
    "numpy": ("a NumPy file", _EXPORT),
    "r": ("a file of R", 'write it in R: write.csv(the_table, "{csv}", row.names = FALSE)'),
    "avro": ("an Avro file", _EXPORT),
    "pickle": (
        "a pickle, which is never opened here, because reading one runs what is in it",
        "if it is your own, " + _by_pandas('read_pickle("{name}")'),
    ),
    "archive": ("an archive", _UNPACK),
    "picture": ("a picture", "give the table as --data; its cells name the pictures"),
    "git": ("a pointer of Git LFS and not the file itself", "get that with: git lfs pull"),
}
"""Format -> what a person calls such a file, and what helps."""

_STARTS = {
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old excel",
    b"{\\rtf": "document",
    b"%PDF-": "pdf",
    b"SQLite format 3\0": "sqlite",
    b"\0\1\0\0Standard ": "database",  # Access
    b"ARROW1\0": "feather",
    b"FEA1\0": "feather",
    b"<stata_dta>": "stata",
    b"$FL2@(#)": "spss",
    b"$FL3@(#)": "spss",
    b"HEADER RECORD*******": "sas",
    bytes(12) + b"\xc2\xea\x81\x60": "sas",
    b"\x89HDF\r\n\x1a\n": "hdf",
    b"\x93NUMPY": "numpy",
    b"RDX2\n": "r",
    b"RDX3\n": "r",
    b"X\n\0\0\0": "r",
    b"Obj\x01": "avro",
    b"\x80\x02": "pickle",
    b"\x80\x03": "pickle",
    b"\x80\x04": "pickle",
    b"\x80\x05": "pickle",
    b"7z\xbc\xaf\x27\x1c": "archive",
    b"Rar!\x1a\x07": "archive",
    b"\x1f\x9d": "archive",
    b"\xff\xd8\xff": "picture",
    b"\x89PNG\r\n": "picture",
    b"GIF87a": "picture",
    b"GIF89a": "picture",
    b"version https://git-lfs": "git",
}
_SUFFIXES = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb"), "excel"),
    **dict.fromkeys((".xls", ".xlt"), "old excel"),
    ".ods": "opendocument",
    ".numbers": "numbers",
    **dict.fromkeys((".json", ".geojson"), "json"),
    **dict.fromkeys((".jsonl", ".ndjson"), "json lines"),
    **dict.fromkeys((".feather", ".arrow", ".ipc"), "feather"),
    ".orc": "orc",
    ".dta": "stata",
    **dict.fromkeys((".sav", ".zsav", ".por"), "spss"),
    **dict.fromkeys((".sas7bdat", ".xpt"), "sas"),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), "hdf"),
    **dict.fromkeys((".npy", ".npz"), "numpy"),
    **dict.fromkeys((".rds", ".rda", ".rdata"), "r"),
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "pickle"),
    **dict.fromkeys((".db", ".sqlite", ".sqlite3"), "sqlite"),
    **dict.fromkeys((".mdb", ".accdb", ".dbf"), "database"),
    **dict.fromkeys((".doc", ".docx", ".odt"), "document"),
}
_IN_ZIP = {
    "xl/workbook": "excel",
    "word/document": "document",
    "Index/Document.iwa": "numbers",
    "content.xml": "opendocument",
}
_HTML = (b"<!doctype html", b"<html", b"<head", b"<table", b"<meta", b"<!--")
_JSON = re.compile(rb'\{\s*["}]|\[\s*[{\["\]]')  # not the header of a CSV such as "[m2],price"
_JSON_LINES = re.compile(rb"\{[^\r\n]*\}\s*[\r\n]\s*\{")
_NUM_BYTES = 1 << 16  # of the beginning of a file that are looked at


def refuse_foreign(file: IO[bytes], path: Path) -> None:
    """Raise a ValueError with the remedy where a content, perhaps unpacked from the path, is no CSV, but known."""
    if (found := _find_format(file, path)) is not None:
        raise ValueError(_describe(found, path))


def describe_by_name(path: Path) -> str | None:
    """Say what a file that is no text is by its name, with the remedy; None where the name does not say."""
    found = next((_SUFFIXES[suffix] for suffix in _suffixes(path) if suffix in _SUFFIXES), None)
    return None if found is None else _describe(found, path)


def _describe(found: str, path: Path) -> str:
    what, remedy = _FORMATS[found]
    csv_name = f"{path.name.partition('.')[0]}.csv"
    remedy = remedy.format(name=path.name, csv=f"new_{csv_name}" if csv_name == path.name else csv_name)
    return f"expected a CSV or Parquet file, but {path} is {what}; {remedy}"


def _suffixes(path: Path) -> list[str]:
    return [suffix.lower() for suffix in path.suffixes]


def read_ends(file: IO[bytes], num_bytes: int) -> tuple[bytes, bytes]:
    """Return the first and the last bytes of a file, which is at its beginning again."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - num_bytes))
    end = file.read(num_bytes)
    file.seek(0)
    start = file.read(num_bytes)
    file.seek(0)
    return start, end


def _find_format(file: IO[bytes], path: Path) -> str | None:
    content, end = read_ends(file, _NUM_BYTES)
    for start, found in _STARTS.items():
        if content.startswith(start):
            return found
    if b"\x69" <= content[:1] <= b"\x73" and content[1:3] in (b"\1\1", b"\2\1"):
        return "stata"  # versions 105 to 115
    if content.startswith(b"ORC") and end[-4:-1] == b"ORC":
        return "orc"
    if content[257:262] == b"ustar":
        return "archive"
    if content.startswith(b"PK\x03\x04"):
        return _find_in_zip(file)
    if {".pkl", ".pickle"}.intersection(_suffixes(path)):  # the oldest pickles are text
        return "pickle"
    return _find_in_text(content, path)


def _find_in_zip(file: IO[bytes]) -> str | None:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return None
    finally:
        file.seek(0)
    for start, found in _IN_ZIP.items():
        if any(name.startswith(start) for name in names):
            return found
    return "numpy" if names and all(name.endswith(".npy") for name in names) else None


def _find_in_text(content: bytes, path: Path) -> str | None:
    start = content.removeprefix(codecs.BOM_UTF8).lstrip()
    lower = start.lower()
    if lower.startswith(b"<?xml") and (b"excel.sheet" in lower or b"office:spreadsheet" in lower):
        return "excel"
    if lower.startswith(_HTML) or (lower.startswith(b"<?xml") and b"<html" in lower):
        return "html"
    if lower.startswith(b"<?xml"):
        return "xml"
    if not _JSON.match(start):
        return None
    return "json lines" if _JSON_LINES.match(start) or path.suffix.lower() in (".jsonl", ".ndjson") else "json"
