"""What cuts the lines of a CSV into cells, and the lines without a value that Excel leaves behind."""

from __future__ import annotations

import logging

import pytest
from reliability import Case, documented

from mixed_data.readers.table import read_rows, read_table
from mixed_data.readers.table_file import read_file
from mixed_data.schema import Schema, SchemaError


def read(folder, text, on_bad_row="error"):
    path = folder / "listings.csv"
    path.write_bytes(text.encode())
    return read_file(path, on_bad_row)


SEPARATORS = [
    Case(
        "a comma in a name of a ; file",
        "read",
        "price, USD;area\n100;70\n200;80\n",
        (";", {"price, USD": ["100", "200"], "area": ["70", "80"]}),
    ),
    Case(
        "a comma in a name of a ; file with decimal commas",
        "read",
        "price, USD;area, m2\n12,5;7,0\n13,5;8,0\n",
        (";", {"price, USD": ["12,5", "13,5"], "area, m2": ["7,0", "8,0"]}),
    ),
    Case(
        "a comma in a name of a file of tabs",
        "read",
        "price, USD\tarea\n100\t70\n",
        ("\t", {"price, USD": ["100"], "area": ["70"]}),
    ),
    Case(
        "a comma in a name of a file of bars",
        "read",
        "price, USD|area\n100|70\n",
        ("|", {"price, USD": ["100"], "area": ["70"]}),
    ),
    Case(
        "a semicolon in a name of a comma file",
        "read",
        "front;back,area\na.jpg;b.jpg,70\nc.jpg,80\n",
        (",", {"front;back": ["a.jpg;b.jpg", "c.jpg"], "area": ["70", "80"]}),
    ),
    Case(
        "a semicolon in a quoted name and in every cell",
        "read",
        'id,"front;back",area\n1,a.jpg;b.jpg,70\n',
        (",", {"id": ["1"], "front;back": ["a.jpg;b.jpg"], "area": ["70"]}),
    ),
    Case(
        "decimal commas in a ; file",
        "read as one number",
        "area;price\n12,5;3,4\n",
        (";", {"area": ["12,5"], "price": ["3,4"]}),
    ),
    Case(
        "inches in the names of a ; file",
        "read",
        'width 5";height 6";price\n1;2;3\n',
        (";", {'width 5"': ["1"], 'height 6"': ["2"], "price": ["3"]}),
    ),
    Case(
        "inches in a name of a comma file",
        "read",
        'width 5",price\n1,2\n',
        (",", {'width 5"': ["1"], "price": ["2"]}),
    ),
    Case("one column", "read", "price\n1\n2\n", (None, {"price": ["1", "2"]})),
    Case("one column of decimal commas", "read", "price\n12,5\n2\n", (None, {"price": ["12,5", "2"]})),
    Case(
        "one column of photos, several in a cell",
        "read",
        'front\na.jpg;b.jpg\n""\n',
        (None, {"front": ["a.jpg;b.jpg", ""]}),
    ),
    Case(
        "sep=; and a comma in a name",
        "read",
        "sep=;\nprice, USD;area\n1;2\n",
        (";", {"price, USD": ["1"], "area": ["2"]}),
    ),
]


@documented("Tables", SEPARATORS)
def test_the_separator_is_what_cuts_all_lines_alike(case, tmp_path):
    file = read(tmp_path, case.given)
    assert (file.separator, file.table.to_dict("list")) == case.expected


def test_a_line_that_is_cut_otherwise_does_not_change_the_separator(tmp_path):
    text = "price, USD;area\n1;2\n3;4\n5;6;7\n8;9\n"
    with pytest.raises(ValueError, match=r"expected 2 cells in every line.*line 4 has 3"):
        read(tmp_path, text)
    with pytest.raises(ValueError, match="line 5: unexpected end of data"):
        read(tmp_path, text.replace("5;6;7", '5;"6'))


EMPTY_LINES = [
    Case("lines of separators at the end", "left out and counted", "a;price\n1;2\n3;4\n;\n;\n", [4, 5]),
    Case("a line of separators in the middle", "left out and counted", "a;price\n1;2\n;\n3;4\n", [3]),
    Case("a line of more or fewer separators", "left out and counted", "a;price\n1;2\n;;;;\n3;4\n  \n", [3, 5]),
    Case("a line of blanks and empty quotes", "left out and counted", 'a,price\n1,2\n"","\t "\n3,4\n', [3]),
    Case("lines of separators before the header", "left out and counted", ";\n;\na;price\n1;2\n3;4\n", [1, 2]),
    Case("a last column without name and cells", "left out", "a;price;\n1;2;\n3;4;\n;;\n", [4]),
    Case("sep=; and lines of separators", "left out and counted", "sep=;\na;price\n1;2\n3;4\n;\n", [5]),
    Case("blank lines", "left out", "a,price\n\n1,2\n\n3,4\n\n", []),
]


@documented("Tables", EMPTY_LINES)
def test_a_line_without_a_value_is_no_row_and_is_counted(case, tmp_path, caplog):
    (tmp_path / "listings.csv").write_bytes(case.given.encode())
    with caplog.at_level(logging.WARNING):
        table, schema = read_table(data=tmp_path / "listings.csv", target="price")
    assert schema.features == ("a",)
    assert table[["a", "price"]].to_numpy().tolist() == [[1, 2], [3, 4]]
    lines = ", ".join(f"line {line}" for line in case.expected)
    number = f"{len(case.expected)} line{'s' if len(case.expected) > 1 else ''}"
    said = f"{number} without a value in any cell left out of listings.csv: {lines}"
    assert [said in message for message in caplog.messages] == [True] * bool(case.expected)
    rows = read_rows(tmp_path / "listings.csv", schema, needs_target=False)
    assert rows["a"].tolist() == [1, 3], "the same holds for rows to predict"


def test_the_lines_of_the_other_rows_stay_right(tmp_path):
    text = 'sep=;\n;\na;price\n"x\ny";2\n;\n3;abc\n;\n'
    assert read(tmp_path, text).lines == [4, 7]
    with pytest.raises(SchemaError, match="line 7, column 'price': got 'abc'"):
        read_rows(tmp_path / "listings.csv", Schema(target="price", categorical=("a",)), needs_target=True)


def test_lines_without_a_value_are_counted_under_every_policy(tmp_path):
    file = read(tmp_path, "a;price\n1;2\n;\n3;4;5\n;\n6;7\n", "skip")
    assert file.lines == [2, 4, 6]
    assert file.broken == {1: "the line has 3 cells, not 2"}
    assert file.counts == ["2 lines without a value in any cell left out of listings.csv: line 3, line 5"]
