"""Whatever text stands in a cell or in the name of a column, every reader finds it again in the CSV that is written."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reliability import Case, documented

from mixed_data.files import write_csv
from mixed_data.readers.table import read_rows, read_table
from mixed_data.readers.table_file import read_file
from mixed_data.schema import Schema
from mixed_data.schema.cell_values import canonical_text

HOSTILE = [
    Case("a lone carriage return", "read again", "flat\rwith balcony"),
    Case("a carriage return at the end", "read again, without it", "flat\r"),
    Case("a line feed", "read again", "a\nb"),
    Case("a Windows line end", "read again", "a\r\nb"),
    Case("a quote", "read again", 'a 5" pipe'),
    Case("nothing but a quote", "read again", '"'),
    Case("two quotes", "read again", '""'),
    Case("a comma", "read again", "a,b"),
    Case("a semicolon", "read again", "a;b"),
    Case("a tab", "read again", "a\tb"),
    Case("a bar", "read again", "a|b"),
    Case("all separators and quotes", "read again", '";"|"\t","'),
    Case("blanks around it", "read again, without them", "  a  "),
    Case("nothing but blanks", "missing", "   "),
    Case("a blank before a quote", "read again", ' "a'),
    Case("a formula", "read again, unchanged", "=1+1"),
    Case("a leading zero", "read again", "007"),
    Case("the word NA", "missing, as it is everywhere", "NA"),
    Case("the word nan", "missing, as it is everywhere", "nan"),
    Case("an emoji", "read again", "🏠"),
    Case("a byte order mark in front", "read again", "\ufeffa"),
    Case("a Unicode line separator", "read again", "a\u2028b\x85c\x0bd\x0ce\x1cf"),
    Case("what Excel takes for a declaration", "read again", "sep=;"),
    Case("200,000 characters", "read again", "x" * 200_000),
]


def write(path: Path, texts: list[str], name: str = "kind") -> Path:
    """Write a table with texts in a column, beside an ordinary one."""
    write_csv(path, pd.DataFrame({name: texts, "price": np.arange(len(texts)) + 1.5}))
    return path


@documented("Written files", HOSTILE)
def test_a_label_is_found_again_by_every_reader(case, tmp_path):
    texts = [case.given, "plain", case.given]
    path = write(tmp_path / "held_out.csv", texts)
    file = read_file(path, "error")
    assert file.table.columns.tolist() == ["kind", "price"]
    assert canonical_text(file.table["kind"]).tolist() == canonical_text(pd.Series(texts)).tolist()
    assert file.table["price"].tolist() == ["1.5", "2.5", "3.5"]
    pandas = pd.read_csv(path, keep_default_na=False, dtype={"kind": str})
    assert pandas["kind"].tolist() == texts
    limit = csv.field_size_limit(1_000_000)
    with path.open(encoding="utf-8", newline="") as lines:
        assert [row[0] for row in csv.reader(lines)] == ["kind", *texts]
    csv.field_size_limit(limit)


@pytest.mark.parametrize("text", [case.given for case in HOSTILE if case.given.strip()])
def test_the_name_of_a_column_is_found_again(text, tmp_path):
    for name in (text, f"x{text}"):
        path = write(tmp_path / "held_out.csv", [text, text], name)
        file = read_file(path, "error")
        assert file.table.columns.tolist() == [name.strip(), "price"]
        assert (file.separator, file.table["price"].tolist()) == (",", ["1.5", "2.5"])
        assert pd.read_csv(path).columns.tolist() == [name, "price"]


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6), min_size=1, max_size=4),
    st.text(st.sampled_from('a;,|\t"\r\n =\ufeff'), min_size=1, max_size=6).filter(str.strip),
)
def test_any_text_is_found_again(tmp_path_factory, texts, name):
    path = write(tmp_path_factory.mktemp("any") / "held_out.csv", texts, name)
    file = read_file(path, "error")
    assert file.table.columns.tolist() == [name.strip(), "price"]
    assert canonical_text(file.table[name.strip()]).tolist() == canonical_text(pd.Series(texts)).tolist()


def test_a_table_that_was_read_is_the_same_when_it_is_written_and_read_again(tmp_path):
    texts = [case.given for case in HOSTILE] * 2
    write(tmp_path / "listings.csv", texts)
    table, schema = read_table(data=tmp_path / "listings.csv", target="price")
    assert schema.categorical == ("kind",)
    write_csv(tmp_path / "held_out.csv", table)
    pd.testing.assert_frame_equal(read_rows(tmp_path / "held_out.csv", schema, needs_target=True), table)


def test_an_ordinary_table_is_written_as_pandas_writes_it(tmp_path):
    random = np.random.default_rng(0)
    texts = ["loft", "a, b", 'a "b"', "a\nb", "photos/1.jpg;photos/2.jpg", None, "  blank", "ö"]
    table = pd.DataFrame(
        {
            "area": random.lognormal(7, 3, 200).astype("float32"),
            "price": np.where(random.random(200) < 0.1, np.nan, random.lognormal(7, 9, 200)),
            "rooms": random.integers(0, 9, 200),
            "floor": pd.array(random.choice([1, 2, None], 200), dtype="Int64"),
            "is_new": random.random(200) < 0.5,
            "sold": pd.date_range("2024-01-01", periods=200),
            "kind": random.choice(texts, 200),
        }
    )
    write_csv(tmp_path / "table.csv", table)
    assert (tmp_path / "table.csv").read_text("utf-8") == table.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize(("text", "written"), [("a\0b", r"a\x00b"), ("a\ud800b", r"a\ud800b")], ids=["null", "half"])
def test_what_no_reader_takes_is_written_as_an_escape(text, written, tmp_path):
    write_csv(tmp_path / "held_out.csv", pd.DataFrame({"kind": pd.Series([text], dtype=object), "price": [1.5]}))
    rows = read_rows(tmp_path / "held_out.csv", Schema(target="price", categorical=("kind",)))
    assert rows["kind"].tolist() == [written]


def test_a_row_of_one_column_without_a_value_is_still_a_row(tmp_path):
    write_csv(tmp_path / "photos.csv", pd.DataFrame({"front": ["a.jpg", None, "b.jpg"]}))
    assert read_file(tmp_path / "photos.csv", "error").table["front"].tolist() == ["a.jpg", "", "b.jpg"]
