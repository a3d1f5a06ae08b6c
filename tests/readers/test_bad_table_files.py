"""Files as people have them: read right, or refused with line and remedy, and never read as something else."""

from __future__ import annotations

import codecs
from pathlib import Path

import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.readers.table import read_table
from mixed_data.schema import Schema, SchemaError

TEXT = "house,größe,style,price\nH7,70.5,Häuschen,100\nH3,95,loft,200\nH5,120.5,Häuschen,300\n"


def read(folder: Path, content: bytes, name: str = "listings.csv") -> tuple[pd.DataFrame, Schema]:
    path = folder / name
    path.write_bytes(content)
    return read_table(data=path)


def separated(separator: str, *, quote: str = "") -> str:
    return "".join(
        separator.join(f"{quote}{cell}{quote}" for cell in line.split(",")) + "\n" for line in TEXT.splitlines()
    )


READ_RIGHT = [
    Case("UTF-8 with byte order mark", "read", codecs.BOM_UTF8 + TEXT.encode()),
    Case("UTF-16 with byte order mark, little endian", "read", codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le")),
    Case("UTF-16 with byte order mark, big endian", "read", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be")),
    Case("Excel's 'Unicode text': UTF-16 and tabs", "read", separated("\t").replace("\n", "\r\n").encode("utf-16")),
    Case("semicolons", "read", separated(";").encode()),
    Case("semicolons, every cell quoted", "read", separated(";", quote='"').encode()),
    Case("bars", "read", separated("|").encode()),
    Case("tabs", "read", separated("\t").encode()),
    Case("tabs, every cell quoted", "read", separated("\t", quote='"').encode()),
    Case("every cell quoted", "read", separated(",", quote='"').encode()),
    Case("Windows line ends", "read", TEXT.replace("\n", "\r\n").encode()),
    Case("old Macintosh line ends", "read", TEXT.replace("\n", "\r").encode()),
    Case("mixed line ends", "read", TEXT.replace("\n", "\r\n", 2).encode()),
    Case("no line end after the last line", "read", TEXT.rstrip("\n").encode()),
    Case("blank lines before, between and after", "read", ("\n\r\n" + separated(";").replace("\n", "\n\n")).encode()),
    Case("Excel's first line sep=;", "read without it", f"sep=;\n{separated(';')}".encode()),
    Case("a first line sep=^, Windows line ends", "read", f"SEP=^\n{separated('^')}".replace("\n", "\r\n").encode()),
    Case("sep=; in quotes", "read without it", f'"sep=;"\n{separated(";")}'.encode()),
    Case("sep=; filled up with separators", "read without it", f"sep=;;;;\n{separated(';')}".encode()),
    Case("a byte order mark, twice", "read", 2 * codecs.BOM_UTF8 + TEXT.encode()),
    Case("blanks around names and cells", "read without them", separated(" , ").encode()),
]


@documented("Tables", READ_RIGHT)
def test_the_table_is_the_same_however_it_was_saved(case, tmp_path):
    table, schema = read(tmp_path, case.given)
    expected = Schema(target="price", numeric=["größe"], categorical=["style"], id="house")
    assert schema == expected
    assert table.to_dict("list") == {
        "house": ["H7", "H3", "H5"],
        "größe": [70.5, 95.0, 120.5],
        "style": ["Häuschen", "loft", "Häuschen"],
        "price": [100.0, 200.0, 300.0],
    }


CELLS = [
    Case("a line end inside quotes", "one cell", '"a\nb"', "a\nb"),
    Case("a Windows line end inside quotes", "one cell", '"a\r\nb"', "a\r\nb"),
    Case("a separator inside quotes", "one cell", '"a, b"', "a, b"),
    Case("a doubled quote inside quotes", "one quote", '"a ""b"""', 'a "b"'),
    Case("a quote inside an unquoted cell", "kept", '5" pipe', '5" pipe'),
    Case("a cell of 200,000 characters", "read", "x" * 200_000, "x" * 200_000),
]


@documented("Tables", CELLS)
def test_a_cell_is_read_as_it_was_meant_and_the_next_row_is_the_next_row(case, tmp_path):
    content = f"style,area,price\n{case.given},1,10\nloft,2,20\nloft,3,30\n"
    table, _ = read(tmp_path, content.encode())
    assert table["style"].tolist() == [case.expected, "loft", "loft"]
    assert table["price"].tolist() == [10.0, 20.0, 30.0]


def test_a_line_end_or_a_separator_inside_the_quotes_of_the_header_belongs_to_a_name(tmp_path):
    table, _ = read(tmp_path, b'"area\nin m2, net";style;price\n1;a;10\n2;b;20\n3;b;30\n')
    assert table.columns.tolist() == ["area\nin m2, net", "style", "price"]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    content = b'style,area,price\r\n"a\r\nb",1,10\r\n\r\nloft,x,20\r\n"c\r\nd",y,30\r\n'
    path = tmp_path / "listings.csv"
    path.write_bytes(content)
    with pytest.raises(SchemaError, match=r"line 5, .* got 'x'.*\n- line 6, .* got 'y'"):
        read_table(data=path, schema=Schema(target="price", numeric=["area"]))


REMEDY = r"\); save it again as 'CSV UTF-8'"
CP1252 = TEXT.replace("größe", "area").encode("cp1252")
REFUSED = [
    Case("an empty file", "error", b"", "is empty; expected a CSV with a header"),
    Case("nothing but a byte order mark", "error", codecs.BOM_UTF8, "is empty; expected a CSV with a header"),
    Case("nothing but blank lines", "error", b"\n\r\n", "is empty; expected a CSV with a header"),
    Case(
        "a header and no rows",
        "error naming the file",
        b"area,price\n",
        r"the table has no rows.*\nthe file is .*\.csv",
    ),
    Case(
        "a comment above the header",
        "error quoting the line that is read as the header",
        b"# my export\na,price\n1,2\n3,4\n",
        "remove lines above the names of the columns.* read as '# my export'",
    ),
    Case("a note under the rows", "error naming the line", b"a,price\n1,2\n3,4\n(2 rows)\n", "line 4 .*no rows"),
    Case(
        "rows and no header", "error naming the columns found", b"3,1\n4,2\n", "the target is not clear.*one of: 3, 1"
    ),
    Case(
        "a separator that is not known (:)",
        "error naming the columns found",
        b"area:price\n3:1\n",
        "one of: area:price",
    ),
    Case(
        "umlauts in Latin-1 or Windows-1252",
        "error naming the line",
        CP1252,
        rf"UTF-8 or UTF-16 \(line 2: .*0xe4.*{REMEDY}",
    ),
    Case(
        "UTF-16 without byte order mark",
        "error",
        "area,price\n1,2\n".encode("utf-16-le"),
        f"line 1 has a null character{REMEDY}",
    ),
    Case("a null character", "error naming the line", b"area,price\n1,2\n3\0,4\n", r"\(line 3 has a null character\)"),
    Case(
        "a line with too many cells",
        "error naming the line",
        b"a,price\n1,2\n1,2,3\n",
        "expected 2 cells.*line 3 has 3; quote",
    ),
    Case(
        "a line with too few cells",
        "error naming the line",
        b"a,price\n1,2\n\n1\n",
        "expected 2 cells.*line 4 has 1; quote",
    ),
    Case(
        "a trailing separator in every row",
        "error naming the lines",
        b"a,price\n1,2,\n1,2,\n",
        "line 2 has 3, line 3 has 3",
    ),
    Case(
        "a quote that is not closed",
        "error naming the line",
        b'a,price\n"1,2\n3,4\n',
        "line 3: unexpected end of data; correct the",
    ),
    Case(
        "text behind a closing quote",
        "error naming the line",
        b'a,price\n"1"x,2\n',
        "line 2: ',' expected after '\"'; correct the",
    ),
    Case(
        "a column name twice",
        "error naming it",
        b"area,area,price\n1,2,3\n",
        "more than one column 'area'; rename or remove",
    ),
]


NO_HEADER = [
    Case(
        "a title above the header",
        "error naming the columns found",
        b"My houses,\n,\na,cost\n1,2\n3,4\n",
        r"no column 'price' \(target\).*; the columns are 'My houses', 'Unnamed: 1'\nthe file is ",
    ),
    Case(
        "lines cut by blanks",
        "error naming the columns found",
        b"a  price\n1  2\n",
        "rename 'a  price', if it is meant\\nthe file is ",
    ),
]


@documented("Tables", REFUSED)
def test_a_file_that_cannot_be_read_right_is_refused(case, tmp_path):
    with pytest.raises(ValueError, match=case.expected) as caught:
        read(tmp_path, case.given)
    assert len(str(caught.value)) < 500


@documented("Tables", NO_HEADER)
def test_the_error_of_a_missing_target_tells_what_was_read_as_the_header(case, tmp_path):
    (tmp_path / "listings.csv").write_bytes(case.given)
    with pytest.raises(SchemaError, match=case.expected):
        read_table(data=tmp_path / "listings.csv", target="price")


BROKEN = [
    Case("a file that is not there", "error", None, "there is no file .*correct the path"),
    Case("a folder in place of a file", "error", "folder", "there is no file .*it is a folder; correct the path"),
    Case("a broken Parquet file", "error", b"PAR1", "is not a readable Parquet file"),
]


@documented("Tables", BROKEN)
def test_a_path_that_leads_to_no_table_is_refused(case, tmp_path):
    path = tmp_path / "listings.parquet"
    if case.given == "folder":
        path.mkdir()
    elif case.given is not None:
        path.write_bytes(case.given)
    with pytest.raises(ValueError, match=case.expected):
        read_table(data=path)
