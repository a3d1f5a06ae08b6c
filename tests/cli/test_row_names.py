"""A row of a file has one name: the errors of the reader and the findings of the audit call it alike."""

from __future__ import annotations

import gzip
import io
import json

import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.cli import main

HEADER, ROWS = "area;style;price\n", "70;loft;1\n95;loft;2\n"
LAST = "70;loft;{price}\n"
NAMES = [
    Case("a CSV", "by its line", HEADER + ROWS + LAST, ("line 2", "line 4")),
    Case("Windows line ends", "by its line", (HEADER + ROWS + LAST).replace("\n", "\r\n"), ("line 2", "line 4")),
    Case(
        "cells over several lines before it",
        "by the line on which it starts",
        HEADER + '70;loft;1\n95;"ranch\nof wood";2\n' + LAST,
        ("line 2", "line 5"),
    ),
    Case("blank lines before it", "by its line", f"{HEADER}\n{ROWS}\n\n{LAST}", ("line 3", "line 7")),
    Case("lines of separators before it", "by its line", f"{HEADER};;\n{ROWS};;\n;;\n{LAST}", ("line 3", "line 7")),
    Case("a first line sep=;", "by its line", "sep=;\n" + HEADER + ROWS + LAST, ("line 3", "line 5")),
    Case(
        "an id",
        "by its line and its id",
        "id;area;style;price\nA;70;loft;1\nB;95;ranch;2\nC;70;loft;{price}\n",
        ("line 2 (id 'A')", "line 4 (id 'C')"),
    ),
]


def audit(path, *options):
    return main(["audit", "--dataset", "table", "--data", str(path), *options])


@documented("Names of rows, in errors and in the audit", NAMES)
def test_the_reader_and_the_audit_name_a_row_alike(case, tmp_path, capsys):
    path = tmp_path / "listings.csv"
    first, last = case.expected
    path.write_bytes(case.given.format(price="1").encode())
    assert audit(path) == 0
    assert f"{first} = {last}" in capsys.readouterr().out.replace("\n", " ")
    path.write_bytes(case.given.format(price="abc").encode())
    assert audit(path) == 1
    name = capsys.readouterr().err.partition(", column 'price': got 'abc'")[0]
    assert name.endswith(last), "the error names the same line"


def test_rows_that_were_left_out_do_not_change_the_names_of_the_others(tmp_path, capsys, caplog):
    path = tmp_path / "listings.csv"
    path.write_text(HEADER + "70;ranch;abc\n" + ROWS + LAST.format(price="1"))
    assert audit(path, "--on-bad-row", "skip") == 0
    output = capsys.readouterr().out
    assert "line 2: price is 'abc'" in caplog.text
    assert "line 3 = line 5" in output


def test_a_row_of_a_parquet_file_has_its_position_also_after_rows_that_were_left_out(tmp_path, capsys, caplog):
    table = pd.DataFrame({"area": [1, 70, 95, 70], "style": ["loft"] * 4, "price": ["abc", "1", "2", "1"]})
    table.to_parquet(tmp_path / "listings.parquet")
    assert audit(tmp_path / "listings.parquet", "--on-bad-row", "skip") == 0
    output = capsys.readouterr().out
    assert "row 0: price is 'abc'" in caplog.text
    assert "row 1 = row 3" in output


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_row_of_the_other_file_is_named_by_its_place_there(form, tmp_path, capsys):
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress((HEADER + ROWS).encode()))
    other = f"{HEADER};;\n120;villa;3\n{LAST.format(price=1)}"
    (tmp_path / "test.csv").write_text(other)
    pd.read_csv(io.StringIO(other), sep=";").dropna().to_parquet(tmp_path / "test.parquet")
    options = ["--against", str(tmp_path / f"test.{form}"), "--out", str(tmp_path / "audit.json")]
    assert audit(tmp_path / "train.csv.gz", *options) == 0
    place = "line 4" if form == "csv" else "row 1"
    (case,) = json.loads((tmp_path / "audit.json").read_text("utf-8"))["findings"][0]["cases"]
    assert case["ids"] == ["line 2", f"{place} of the other file"]
    assert (case["rows"], case["places"]) == ([0, 3], ["line 2", f"{place} of the other file"])
    assert "line 2 =" in capsys.readouterr().out
