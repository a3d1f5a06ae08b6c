"""Files of other programs are named for what they are, with what makes a CSV of them, and never opened."""

from __future__ import annotations

import io
import pickle
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, orc
from reliability import Case, documented

from mixed_data.readers.table_file import read_file

TABLE = pd.DataFrame({"area": [70, 95], "kind": ["flat", "loft"]})
SHEET = "save the sheet as 'CSV UTF-8'"


def zipped(*names: str) -> Callable[[Path], None]:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "<xml/>")
    return lambda path: path.write_bytes(stream.getvalue())


def holding(content: bytes | str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        TABLE.to_sql("the_table", connection, index=False)


EXCEL = zipped("[Content_Types].xml", "xl/workbook.xml")
FOREIGN = [
    Case("an Excel workbook", "error naming it", ("x.xlsx", EXCEL), f"x.xlsx is an Excel workbook; .*{SHEET}"),
    Case("an Excel workbook called .csv", "error naming it", ("x.csv", EXCEL), f"is an Excel workbook; .*{SHEET}"),
    Case(
        "an old Excel workbook",
        "error naming it",
        ("x.xls", holding(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99))),
        f"an Excel workbook of the old kind .*{SHEET}",
    ),
    Case(
        "an Excel workbook in XML",
        "error naming it",
        ("x.xml", holding('<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>')),
        "is an Excel workbook",
    ),
    Case("an OpenDocument sheet", "error naming it", ("x.ods", zipped("mimetype", "content.xml")), SHEET),
    Case("a Numbers sheet", "error naming it", ("x.numbers", zipped("Index/Document.iwa")), f"a Numbers .*{SHEET}"),
    Case("a Word document", "error naming it", ("x.docx", zipped("word/document.xml")), "is a text document; export"),
    Case(
        "JSON",
        "error with the command that helps",
        ("x.json", holding(TABLE.to_json(orient="records", indent=1))),
        r'is a JSON file; .*pandas.read_json\("x.json"\).to_csv\("x.csv"',
    ),
    Case(
        "JSON lines",
        "error with the command that helps",
        ("x.jsonl", holding(TABLE.to_json(orient="records", lines=True))),
        r'is a file of JSON lines; .*pandas.read_json\("x.jsonl", lines=True\).to_csv\("x.csv"',
    ),
    Case(
        "JSON lines called .csv",
        "error with a command that keeps the file",
        ("x.csv", holding(TABLE.to_json(orient="records", lines=True))),
        r'read_json\("x.csv", lines=True\).to_csv\("new_x.csv"',
    ),
    Case(
        "an HTML page in place of the file",
        "error naming it",
        ("x.csv", holding("\n<!DOCTYPE html>\n<html><title>Not found</title>")),
        "is an HTML page; if a server sent it in place of the table, download that again",
    ),
    Case(
        "an HTML table called .xls",
        "error naming it",
        ("x.xls", holding(TABLE.to_html())),
        r'is an HTML page; .*pandas.read_html\("x.xls"\)\[0\]',
    ),
    Case("XML", "error naming it", ("x.xml", holding('<?xml version="1.0"?><houses/>')), "is an XML file; .*read_xml"),
    Case("an SQLite database", "error naming it", ("x.db", database), "is an SQLite database; .*read_sql"),
    Case(
        "a Feather file", "error naming it", ("x.feather", lambda path: feather.write_feather(TABLE, path)), "Feather"
    ),
    Case("an ORC file", "error naming it", ("x.orc", lambda path: orc.write_table(pa.table(TABLE), path)), "an ORC"),
    Case("a Stata file", "error naming it", ("x.dta", lambda path: TABLE.to_stata(path)), "a Stata file; .*read_stata"),
    Case(
        "an older Stata file",
        "error naming it",
        ("x.csv", lambda path: TABLE.to_stata(path, version=114)),
        "a Stata file",
    ),
    Case(
        "an SPSS file", "error naming it", ("x.sav", holding(b"$FL2@(#) SPSS DATA FILE")), "an SPSS file; .*read_spss"
    ),
    Case(
        "a SAS file",
        "error naming it",
        ("x.sas7bdat", holding(bytes(12) + b"\xc2\xea\x81\x60\xb3\x14")),
        "a SAS file; .*read_sas",
    ),
    Case("a PDF document", "error naming it", ("x.pdf", holding("%PDF-1.7")), "is a PDF document; export its table"),
    Case("a photo in place of the table", "error naming it", ("x.csv", holding(b"\xff\xd8\xff\xe0")), "is a picture"),
    Case(
        "a pointer of Git LFS",
        "error naming it",
        ("x.csv", holding("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
        "is a pointer of Git LFS and not the file itself; get that with: git lfs pull",
    ),
    Case("an unknown format, known by its name", "error naming it", ("x.mdb", holding(b"\xff\0")), "is a database"),
    Case("an empty .xlsx file", "error", ("x.xlsx", holding("")), "is empty; expected a CSV with a header"),
]


@documented("Files of other programs", FOREIGN)
def test_a_file_of_another_program_is_named_with_what_makes_a_csv_of_it(case, tmp_path):
    name, write = case.given
    write(tmp_path / name)
    with pytest.raises(ValueError, match=case.expected):
        read_file(tmp_path / name, "error")


class Trap:
    """What writes a file when its pickle is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(("name", "protocols"), [("x.pkl", range(6)), ("x.csv", range(2, 6))], ids=["named", "hidden"])
def test_a_pickle_is_never_opened(name, protocols, tmp_path):
    for protocol in protocols:
        (tmp_path / name).write_bytes(pickle.dumps(Trap(tmp_path / "opened"), protocol))
        with pytest.raises(ValueError, match="is a pickle, which is never opened here"):
            read_file(tmp_path / name, "error")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    "header", ["[m2],kind", "{m2},kind", "ORC,kind", "PAR1,kind", "<5,kind", "BZh,kind", "PK,kind"]
)
def test_a_csv_that_begins_like_another_format_is_a_csv(header, tmp_path):
    (tmp_path / "x.csv").write_text(f"{header}\n70,flat\n")
    assert read_file(tmp_path / "x.csv", "error").table.columns.tolist() == header.split(",")
