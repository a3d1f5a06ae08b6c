"""Dates as people and programs write them are one and the same date, or none."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reliability import Case, documented

from mixed_data.schema.written_dates import clear_order, count_orders, days_of, parse_dates, read_dates

DAY_FIRST, MONTH_FIRST = "31/12/2020", "12/31/2020"
READ = [
    Case("2014-10-03, 2014/10/3 and 2014.10.03", "3 October", ["2014-10-03", "2014/10/3", " 2014.10.03 "], None),
    Case("20141003T000000 as in King County's table", "3 October", ["20141003T000000", "20141003T0000"], None),
    Case("dates with midnight beside them", "the date",
         ["2014-10-03 00:00:00", "2014-10-03T00:00:00Z", "2014-10-03 00:00:00.000+02:00", "2014-10-03 0:00"], None),
    Case("Excel's 10/3/2014 12:00:00 AM", "3 October",
         ["10/3/2014 12:00:00 AM", "10/03/2014", "10-3-2014"], MONTH_FIRST),
    Case("3/10/2014 where the day stands first", "3 October",
         ["3/10/2014", "03-10-2014", "03/10/2014 00:00"], DAY_FIRST),
    Case("03.10.2014", "3 October, for nobody writes the month first with dots", ["03.10.2014", "3.10.2014"], None),
    Case("names of months", "3 October", ["3 Oct 2014", "October 3, 2014", "3-October-2014", "03. oct 2014"], None),
    Case("objects of Python, NumPy and pandas", "3 October",
         [date(2014, 10, 3), datetime(2014, 10, 3), np.datetime64("2014-10-03"), pd.Timestamp("2014-10-03", tz="UTC")],
         None),
]  # fmt: skip


@documented("Dates in a table", READ)
def test_a_date_is_the_same_however_it_is_written(case):
    dates, is_bad = parse_dates(pd.Series(case.given, dtype=object), case.expected)
    assert dates.astype("datetime64[s]").astype(str).tolist() == ["2014-10-03T00:00:00"] * len(case.given)
    assert not is_bad.any()


@pytest.mark.parametrize(
    "dtype", ["datetime64[s]", "datetime64[ns]", "datetime64[ns, UTC]", "timestamp[us][pyarrow]", "date32[pyarrow]"]
)
def test_a_column_of_any_dtype_for_dates_is_read(dtype):
    column = pd.Series(pd.to_datetime(["2014-10-03", None]))
    column = column.dt.tz_localize("UTC") if dtype.endswith("UTC]") else column.astype(dtype)
    dates, is_bad = parse_dates(column)
    assert days_of(dates)[0] == 16346
    assert np.isnat(dates[1])
    assert not is_bad.any()


NOT_READ = [
    Case("1/2/2020 where nothing tells the order", "a bad cell", ["1/2/2020", "01-02-2020"], None),
    Case("12/31/2020 where the day stands first", "a bad cell", ["12/31/2020"], DAY_FIRST),
    Case("31/12/2020 where the month stands first", "a bad cell", ["31/12/2020"], MONTH_FIRST),
    Case("days that no calendar has", "a bad cell", ["2014-02-30", "31.11.2014", "2014-13-01", "0000-01-01"], None),
    Case("numbers, also 20141003", "a bad cell", ["20141003", "41915", 20141003, 41915.0, True], None),
    Case("years of two digits, months and other texts", "a bad cell",
         ["12/31/20", "2014-10", "Oct 2014", "soon"], None),
]  # fmt: skip


@documented("Dates in a table", NOT_READ)
def test_what_could_be_another_date_is_no_date(case):
    dates, is_bad = parse_dates(pd.Series(case.given, dtype=object), case.expected)
    assert np.isnat(dates).all()
    assert is_bad.all()


@given(st.datetimes(min_value=datetime(1000, 1, 1)))
def test_any_date_in_any_notation_reads_back(at):
    at = at.replace(microsecond=0)
    clock = f"{at.hour % 12 or 12}:{at:%M:%S} {'AM' if at.hour < 12 else 'PM'}"  # %p depends on the language.
    iso = [at.isoformat(), at.isoformat(" "), f"{at:%Y%m%dT%H%M%S}", f"{at:%d.%m.%Y %H:%M:%S}", at, np.datetime64(at)]
    for written, texts in {
        None: iso,
        MONTH_FIRST: [f"{at:%m/%d/%Y} {clock}"],
        DAY_FIRST: [f"{at:%d/%m/%Y}, {clock}"],
    }.items():
        dates, _ = parse_dates(pd.Series(texts, dtype=object), written)
        assert dates.tolist() == [at] * len(texts)


@given(st.text("0123456789/-. :TAPM", max_size=20))
def test_no_text_breaks_the_reading(text):
    assert set(read_dates(text)) <= {"day", "month"}


def test_the_order_is_clear_where_nearly_all_that_tell_agree():
    told = pd.Series(["13/1/2020"] * 9 + ["1/2/2020"] * 90)
    assert clear_order(count_orders(told)) == "day"
    assert clear_order(count_orders(pd.concat([told, pd.Series(["1/13/2020"])]))) == "day"
    assert clear_order(count_orders(pd.concat([told, pd.Series(["1/13/2020"] * 2)]))) is None
    assert clear_order(count_orders(pd.Series(["1/2/2020", "2020-12-31"]))) is None
    assert count_orders(pd.Series(["x", None, 5, "2020-12-31"], dtype=object)) == {"no": 2, "any": 1}
