"""Parquet files with an index, and with names of columns that are no text or stand there twice."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet
from reliability import Case, documented

from mixed_data.readers.table import read_table
from mixed_data.readers.table_file import read_file

TABLE = pd.DataFrame({"area": [70, 95], "price": [1.5, 2.5]})
PLAIN = {"area": [70, 95], "price": [1.5, 2.5]}


def indexed(values: object, name: str | None = None) -> pd.DataFrame:
    return TABLE.set_index(pd.Index(values, name=name))


def leveled(*names: str | None) -> pd.DataFrame:
    return TABLE.set_index(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=names))


def named(*names: object) -> pd.DataFrame:
    return pd.DataFrame([[70, 1.5], [95, 2.5]], columns=list(names))


READ = [
    Case("an index that is a column, too", "read once", TABLE.set_index("area", drop=False), PLAIN),
    Case("the same, one of them as decimals", "read once", indexed([70.0, 95.0], "area"), PLAIN),
    Case("a named index", "a column", indexed(["x", "y"], "house"), {"house": ["x", "y"], **PLAIN}),
    Case("an index without a name", "left out", indexed([5, 3]), PLAIN),
    Case("the index of dask without a name", "left out", indexed([5, 3], "__null_dask_index__"), PLAIN),
    Case("an index that was written as a column", "left out", TABLE.assign(__index_level_0__=[5, 3]), PLAIN),
    Case("an index of two levels", "two columns", leveled("town", "no"), {"town": ["a", "b"], "no": [1, 2], **PLAIN}),
    Case(
        "an index of two levels, one without a name", "a column", leveled("town", None), {"town": ["a", "b"], **PLAIN}
    ),
    Case("numbers as names of columns", "read as text", named(0, 1), {"0": [70, 95], "1": [1.5, 2.5]}),
    Case(
        "names of two levels",
        "read as text",
        TABLE.set_axis(pd.MultiIndex.from_tuples([("a", "x"), ("b", "y")]), axis="columns"),
        {"('a', 'x')": [70, 95], "('b', 'y')": [1.5, 2.5]},
    ),
    Case("blanks around names", "read without them", named(" area ", "price"), PLAIN),
    Case("a column without a name", "named as in a CSV", named("", "b"), {"Unnamed: 0": [70, 95], "b": [1.5, 2.5]}),
]


@documented("Parquet", READ)
def test_an_index_and_odd_names_are_read_as_columns(case, tmp_path):
    case.given.to_parquet(tmp_path / "x.parquet")
    table = read_file(tmp_path / "x.parquet", "error").table
    assert table.to_dict("list") == case.expected
    assert table.index.equals(pd.RangeIndex(2))


TWICE = pa.Table.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["area", "area"])
REFUSED = [
    Case(
        "an index and another column of one name",
        "error with the remedy",
        pa.Table.from_pandas(indexed([5, 3], "area")),
        r"an index and a column that are both called 'area', with different values; rename one .*index=False",
    ),
    Case("a column name twice", "error naming it", TWICE, "more than one column 'area'; rename or remove the others"),
    Case("a column name twice, but for blanks", "error naming it", pa.table({"price": [1], " price": [2]}), "'price'"),
    Case(
        "a null character in a cell",
        "error naming row and column",
        pa.table({"kind": ["a", "b\0"], "price": [1, 2]}),
        "row 1, column 'kind' has a null character",
    ),
]


@documented("Parquet", REFUSED)
def test_a_parquet_file_that_cannot_be_read_right_is_refused(case, tmp_path):
    parquet.write_table(case.given, tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=case.expected):
        read_table(data=tmp_path / "x.parquet", target="price")
