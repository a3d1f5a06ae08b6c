"""How a column writes its numbers and dates is told by the table, said aloud, or refused with the remedy."""

from __future__ import annotations

import logging
from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from reliability import Case, documented

from mixed_data.schema import Schema, SchemaError, learn_formats
from mixed_data.schema.cell_values import canonical_text
from mixed_data.schema.column_formats import check_and_read, read_cells

EUROPEAN = {"area": ["1.200", "950", "1.050"], "width": ["12,5", "8", "9,25"]}


def read(columns: dict[str, list], formats: dict[str, str] | None = None, **how) -> dict[str, list]:
    """Learn the formats of numeric columns and read them."""
    table = pd.DataFrame(columns, dtype=object)
    schema = learn_formats(Schema(numeric=list(columns), formats=formats or {}), table, **how)
    schema.validate(table, needs_target=False)
    return read_cells(schema, table).to_dict("list")


TOLD = [
    Case("1.200 beside a column with 12,5", "1200", {"columns": EUROPEAN}, [1200, 950, 1050]),
    Case("1.200 beside a column with 12.5", "1.2",
         {"columns": {**EUROPEAN, "width": ["12.5", "8", "9.25"]}}, [1.2, 950, 1.05]),
    Case("1.200 in a column with 1.200.000", "1200", {"columns": {"area": ["1.200", "1.200.000"]}}, [1200, 1.2e6]),
    Case("1.200 in a column with 0.75", "1.2", {"columns": {"area": ["1.200", "0.75", "0.5"]}}, [1.2, 0.75, 0.5]),
    Case("1,200 in a file with commas between its cells", "1200",
         {"columns": {"area": ["1,200", "950"]}, "separator": ","}, [1200, 950]),
    Case("1.200 in a file with commas between its cells", "1.2",
         {"columns": {"area": ["1.200", "950"]}, "separator": ","}, [1.2, 950]),
    Case("1.200 in a file with commas between its cells, and 12,5 in quotes", "1200",
         {"columns": EUROPEAN, "separator": ","}, [1200, 950, 1050]),
    Case("1.200 and --decimal ,", "1200", {"columns": {"area": ["1.200", "950"]}, "decimal": ","}, [1200, 950]),
    Case("47.5112 and --decimal ,", "47.5112, for it has no other meaning",
         {"columns": {"area": ["47.5112"] * 9 + ["47.123"]}, "decimal": ","}, [47.5112] * 9 + [47.123]),
    Case("prices of which one is 1.200.000, beside 47.5112", "450000",
         {"columns": {"area": ["450.000"] * 9 + ["1.200.000"], "lat": ["47.5112"] * 10}}, [450000] * 9 + [1.2e6]),
]  # fmt: skip


@documented("Numbers in a table", TOLD)
def test_the_decimal_sign_is_told_by_the_table(case):
    assert read(**case.given)["area"] == case.expected


REFUSED = [
    Case("1.200 and nothing that tells the decimal sign", "error with both meanings and the remedy",
         {"columns": {"area": ["950", "1.200"]}, "separator": ";"},
         "column 'area': '1.200' may be 1.2 or 1200, and nothing in the table tells the decimal sign; say it with "
         "--decimal"),
    Case("1.200 beside a column with 12,5 and one with 47.5112", "error",
         {"columns": {**EUROPEAN, "lat": ["47.5112"] * 3}}, "column 'area': '1.200' may be 1.2 or 1200"),
    Case("1.200 often and 12.5 once in a hundred", "error, for 12.5 may be a slip of the pen",
         {"columns": {"area": ["1.200"] * 99 + ["12.5"]}}, "'1.200' may be 1.2 or 1200"),
    Case("12,5 and 12.5 in one column", "error with both",
         {"columns": {"area": ["12,5", "12.5"]}},
         "1 numbers have a decimal point, such as '12.5', and 1 a decimal comma, such as '12,5'; write them alike"),
    Case("1.200 and a few 12.5 beside a column with 12,5", "error",
         {"columns": {"area": ["1.200"] * 9 + ["12.5"], "width": ["12,5"] * 10}},
         "numbers such as '12.5' seem to have the decimal sign '.', but training or the rest of the table has ','"),
    Case("$ and € in one column", "error with both", {"columns": {"area": ["$5", "€5"]}},
         "its numbers have different units: $ (1), € (1); write them alike"),
    Case("12 % and 12 in one column", "error",
         {"columns": {"area": ["12 %", "12"]}}, "different units: % (1), without (1)"),
]  # fmt: skip


@documented("Numbers in a table", REFUSED)
def test_what_may_be_two_numbers_is_refused(case):
    with pytest.raises(SchemaError) as caught:
        read(**case.given)
    assert case.expected in str(caught.value)


COMMA = {"area": "1.234", "width": "1.234,5"}  # As learned from EUROPEAN.
LATER = [
    Case("the notation of training, one row with 1.200", "1200", {"columns": {"area": ["1.200"]}}, [1200]),
    Case("numbers written by a program (1200.0), after training with 1.200", "1200",
         {"columns": {"area": ["1200.0", "12.5"]}, "separator": ","}, [1200, 12.5]),
    Case("1,200 beside 12.5 in a file with commas, after training with 1.200", "1200",
         {"columns": {"area": ["1,200"], "width": ["12.5"]}, "separator": ","}, [1200]),
    Case("1,200.50 after training with 1.200", "1200.5", {"columns": {"area": ["1,200.50"]}}, [1200.5]),
    Case("1,200 and --decimal . after training with 1.200", "1200",
         {"columns": {"area": ["1,200"]}, "decimal": "."}, [1200]),
    Case("1,200 after training with 1.200", "error", {"columns": {"area": ["1,200"]}},
         "got '1,200' (1200 or 1.2: in training numbers are written 1.234)"),
    Case("1.200 alone in a file with commas, after training with 1.200 for 1200", "error",
         {"columns": {"area": ["1.200", "950"]}, "separator": ","}, "seem to have the decimal sign '.', but training"),
    Case("1.200 beside 12.5 in a file with semicolons, after training with 1.200 for 1200", "error",
         {"columns": {"area": ["1.200"], "width": ["12.5"]}, "separator": ";"}, "seem to have the decimal sign '.'"),
    Case("$ 5 after training without a currency", "error", {"columns": {"area": ["$ 5"]}},
         "got '$ 5' (its unit is $, in training it was none)"),
    Case("True in a column of numbers", "error that says so", {"columns": {"area": ["true"]}},
         "got 'true' (a truth value; if 1 and 0 are meant, write these)"),
]  # fmt: skip


@documented("Numbers in a table", LATER)
def test_rows_to_predict_are_read_as_in_training_or_as_they_clearly_say(case):
    if isinstance(case.expected, list):
        assert read(**case.given, formats=COMMA, is_training=False)["area"] == case.expected
    else:
        with pytest.raises(SchemaError) as caught:
            read(**case.given, formats=COMMA, is_training=False)
        assert case.expected in str(caught.value)


def test_what_was_learned_stands_in_the_schema_and_is_said_aloud(caplog):
    with caplog.at_level(logging.WARNING):
        schema = learn_formats(Schema(numeric=["area", "width"]), pd.DataFrame(EUROPEAN))
    assert schema.formats == COMMA
    assert caplog.messages == ["column 'area': '1.200' is read as 1200", "column 'width': '12,5' is read as 12.5"]
    assert Schema.from_dict(schema.to_dict()).formats == COMMA
    caplog.clear()
    learn_formats(schema, pd.DataFrame(EUROPEAN))
    assert not caplog.messages


def test_numbers_that_are_no_text_teach_nothing():
    table = pd.DataFrame({"area": [1.5, 2.0], "rooms": pd.array([1, None], dtype="Int64")})
    assert learn_formats(Schema(numeric=["area", "rooms"]), table).formats == {}


@given(
    st.lists(st.integers(0, 10**8), min_size=3, max_size=9), st.sampled_from(".,"), st.sampled_from([None, ",", ";"])
)
def test_a_column_with_evidence_is_read_right_or_refused_whatever_the_file(cents, decimal, separator):
    signs = str.maketrans(",.", ",." if decimal == "." else ".,")
    texts = [f"{number / 100:,.2f}".translate(signs) for number in cents]
    whole = [f"{number // 100:,}".translate(signs) for number in cents]
    assert read({"a": texts}, separator=separator)["a"] == [number / 100 for number in cents]
    assume(separator != "," or decimal == ".")
    found = read({"a": texts, "whole": whole}, separator=separator)
    assert found["whole"] == [number // 100 for number in cents]


DATES = [
    Case("13/1/2020 in the column", "the day stands first in all of it", ["13/1/2020", "1/2/2020"], "2020-02-01"),
    Case("1/13/2020 in the column", "the month stands first in all of it", ["1/13/2020", "1/2/2020"], "2020-01-02"),
    Case("1/2/2020 and nothing that tells the order of day and month", "error with the remedy",
         ["2020-12-31", "1/2/2020"],
         "column 'day': nothing says whether '1/2/2020' has the day or the month first; write dates as 2020-12-31, or "
         "put 'day' under formats in the schema, as '31/12/2020' or '12/31/2020'"),
]  # fmt: skip


@documented("Dates in a table", DATES)
def test_the_order_of_day_and_month_is_told_by_the_column(case):
    table, schema = pd.DataFrame({"day": case.given}), Schema(dates=["day"])
    if case.expected.startswith("2020"):
        found = check_and_read(schema, table, needs_target=False)[1]
        assert found["day"].dt.strftime("%Y-%m-%d")[1] == case.expected
    else:
        with pytest.raises(SchemaError) as caught:
            check_and_read(schema, table, needs_target=False)
        assert case.expected in str(caught.value)


def test_rows_with_the_other_order_than_in_training_are_refused():
    schema = Schema(dates=["day"], formats={"day": "31/12/2020"})
    assert learn_formats(schema, pd.DataFrame({"day": ["1/2/2020"]})) == schema
    with pytest.raises(SchemaError, match="column 'day': the month stands first, in training the day did; write them"):
        learn_formats(schema, pd.DataFrame({"day": ["12/31/2020"]}))
    with pytest.raises(SchemaError, match=r"got '12/31/2020' \(in training dates are written 31/12/2020\)"):
        schema.validate(pd.DataFrame({"day": ["12/31/2020"]}), needs_target=False)


def test_a_format_of_a_column_without_a_role_and_a_format_that_is_none_are_refused():
    with pytest.raises(SchemaError, match=r"formats: \['x'\] have no role"):
        Schema.from_dict({"numeric": ["a"], "formats": {"x": "1,234.5"}})
    for role, text in (("numeric", "31/12/2020"), ("dates", "1,234.5"), ("numeric", 5)):
        with pytest.raises(SchemaError, match="'a'"):
            Schema.from_dict({role: ["a"], "formats": {"a": text}})


DAYS = ["2014-10-13", "2015-02-25"]
SAME = [
    Case("dates as labels: objects, datetimes and text", "one label",
         [pd.Series(pd.to_datetime(DAYS)), pd.Series(pd.to_datetime(DAYS)).astype("datetime64[s]"),
          pd.Series([date(2014, 10, 13), date(2015, 2, 25)]), pd.Series(DAYS), pd.Series(DAYS, dtype="string"),
          pd.Series([f"{day} 00:00:00" for day in DAYS]), pd.Series([f"{day}T00:00:00" for day in DAYS]),
          pd.Series(pd.to_datetime(DAYS)).astype("timestamp[us][pyarrow]"),
          pd.Series(pd.to_datetime(DAYS)).astype("date32[pyarrow]"), pd.Series(DAYS, dtype="category")], DAYS),
    Case("decimals as labels: Decimal, float32, nullable, Arrow and text", "one label",
         [pd.Series([4.1, 5.0]), pd.Series([4.1, 5], dtype="float32"), pd.Series([4.1, 5], dtype="Float64"),
          pd.Series([Decimal("4.10"), Decimal(5)]), pd.Series([4.1, 5], dtype="float64[pyarrow]"),
          pd.Series(["4.1", "5"]), pd.Series([4.1, 5], dtype="category")], ["4.1", "5"]),
    Case("truth values as labels: bool, nullable, Arrow and text", "one label",
         [pd.Series([True, False]), pd.Series([True, False], dtype="boolean"), pd.Series(["true", "FALSE"]),
          pd.Series([True, False], dtype="bool[pyarrow]"), pd.Series([np.True_, False], dtype=object)],
         ["True", "False"]),
]  # fmt: skip


@documented("Cells of a table", SAME)
def test_the_same_value_is_the_same_label_whatever_its_dtype(case):
    for column in case.given:
        assert canonical_text(column).tolist() == case.expected, column.dtype
