"""Numbers as people write them are read as what they mean, or not at all."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reliability import Case, documented

from mixed_data.schema.written_numbers import (
    PLAIN,
    UNKNOWN,
    NumberFormat,
    count_formats,
    parse_numbers,
    read_meanings,
    sign_of,
)

POINT, COMMA = NumberFormat("."), NumberFormat(",")
EURO, DOLLAR, PERCENT = NumberFormat(",", "€"), NumberFormat(".", "$"), NumberFormat(",", "%")
READ = [
    Case("1200.5 and 1,200.5", "1200.5", ["1200.5", "1,200.5", " 1200.50 "], (POINT, 1200.5)),
    Case("1200,5 and 1.200,5", "1200.5", ["1200,5", "1.200,5", "1200,50"], (COMMA, 1200.5)),
    Case("1 200 (also with a no-break space), 1'200 and 1’200", "1200 whatever the decimal sign",
         ["1 200", "1'200", "1’200", "1\u00a0200", "1\u202f200", "1\u2009200", "1200"], (UNKNOWN, 1200)),
    Case("1'234'567.5 and 1 234 567.5", "1234567.5", ["1'234'567.5", "1 234 567.5", "1,234,567.5"], (POINT, 1234567.5)),
    Case("12,34,567 as in India", "1234567", ["12,34,567", "1234567", "₹12,34,567"], (NumberFormat(".", "₹"), 1234567)),
    Case("450.000,- and € 450.000,--", "450000", ["450.000,-", "€ 450.000,--", "450.000,– €", "450000 EUR"],
         (EURO, 450000)),
    Case("$463,591.00 and US$ 463,591", "463591", ["$463,591.00", "US$ 463,591", "463591 USD", "463,591"],
         (DOLLAR, 463591)),
    Case("12,5 %", "12.5", ["12,5 %", "12,5%", "12,50"], (PERCENT, 12.5)),
    Case("(1,234), -1,234, −1,234 and -$1,234", "minus 1234",
         ["(1,234)", "-1,234", "−1,234", "-$1,234", "$-1,234", "($1,234)", "$(1,234)", "- 1234"], (DOLLAR, -1234)),
    Case(".5, 5. and 1e3", "read as Python does", [".5", "0.5", "5e-1", "+.50"], (POINT, 0.5)),
]  # fmt: skip


@documented("Numbers in a table", READ)
def test_a_number_is_read_as_its_column_writes_it(case):
    written, expected = case.expected
    numbers, is_bad = parse_numbers(pd.Series(case.given), written)
    assert numbers.tolist() == [expected] * len(case.given)
    assert not is_bad.any()
    for text in case.given:  # One by one, so that no cell is read by the help of another.
        assert parse_numbers(pd.Series([text]), written)[0].tolist() == [expected]


NOT_READ = [
    Case("1.200 where nothing tells the decimal sign", "a bad cell", ["1.200", "1,200", "-12.345"], UNKNOWN),
    Case("12,5 in a column with decimal points", "a bad cell", ["12,5", "1,20", "1.200,5", "1.200.000"], POINT),
    Case("12.5 in a column with decimal commas", "a bad cell", ["12.5", "1.20", "1,200.5", "1,200,000"], COMMA),
    Case("another currency than in training", "a bad cell", ["$5", "5 EUR", "£5", "5 %"], NumberFormat(".", "¥")),
    Case("1,234 in a column that has 1.234 for 1234 and no decimals", "a bad cell", ["1,234", "-12,345"],
         NumberFormat(",", is_whole=True)),
    Case("groups that are none", "a bad cell",
         ["1,2345", "12,00,0", "0,200", "1,200'300", "1 20", "555 1234", "1,,200", "1.200.00"], POINT),
    Case("two signs or two units", "a bad cell", ["--5", "(-5)", "-5-", "$5$", "$5 %", "()", "(5", "5)"], DOLLAR),
    Case("what only a program takes for a number", "a bad cell", ["1_000", "0x1A", "inf", "1e999", "٣", "½"], POINT),
]  # fmt: skip


@documented("Numbers in a table", NOT_READ)
def test_what_could_be_another_number_is_no_number(case):
    numbers, is_bad = parse_numbers(pd.Series(case.given), case.expected)
    assert np.isnan(numbers).all()
    assert is_bad.all()


def group(number: float, decimal: str, separator: str) -> str:
    """Write a number with all its digits and thousands in groups."""
    text = f"{number:,f}" if number == round(number, 6) else f"{number:,.15f}"
    return text.translate(str.maketrans({",": separator, ".": decimal}))


SEPARATORS = {".": ["", ",", "'", "’", " ", "\u00a0", "\u202f"], ",": ["", ".", "'", " ", "\u00a0"]}
UNITS = st.sampled_from(["", "€", "$", "CHF", "%"])
NUMBERS = st.integers(-(10**12), 10**12).map(lambda number: number / 10**4)


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.sampled_from(".,"), UNITS, st.booleans(), st.data())
def test_any_number_in_any_notation_reads_back_exactly(numbers, decimal, unit, is_before, data):
    separator = data.draw(st.sampled_from(SEPARATORS[decimal]))
    texts = [group(number, decimal, separator) for number in numbers]
    texts = [f"{unit} {text}" if is_before else f"{text} {unit}" for text in texts]
    read, is_bad = parse_numbers(pd.Series(texts, dtype=object), NumberFormat(decimal, unit))
    assert read.tolist() == numbers
    assert not is_bad.any()


@given(st.floats(allow_nan=False, allow_infinity=False, width=64))
def test_what_python_writes_is_read_as_python_reads_it(number):
    for cell in (number, repr(number), f" {number!r} "):
        assert parse_numbers(pd.Series([cell], dtype=object), PLAIN)[0].tolist() == [number]


@given(
    st.lists(st.text("0123456789.,-' €$%()e", max_size=9), max_size=5), st.sampled_from([POINT, COMMA, EURO, PERCENT])
)
def test_a_column_is_read_as_its_cells_are_one_by_one(texts, written):
    read, is_bad = parse_numbers(pd.Series(texts, dtype=object), written)
    for text, number, bad in zip(texts, read, is_bad, strict=True):
        expected = written.read(text) if text.strip() else math.nan
        np.testing.assert_equal(number, math.nan if expected is None else expected)
        assert bad == (expected is None)


@given(st.lists(st.text("0123456789.,-' €$%()", max_size=9), max_size=6))
def test_what_is_counted_is_what_the_cells_say_one_by_one(texts):
    counts = count_formats(pd.Series(texts, dtype=object))
    found = [read_meanings(text) for text in texts if text.strip()]
    for sign in ".,?":
        assert counts.signs[sign] == sum(sign_of(meanings) == sign for _, meanings in found)
    for unit in ("", "€", "$", "%"):
        assert counts.units[unit] == sum(bool(meanings) for beside, meanings in found if beside == unit)
    assert counts.proofs["."] == sum(
        sign_of(read_meanings(text)[1]) == "." and sum(map(text.count, ".,")) > 1 for text in texts
    )


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "1234", "1,234", "1.234", "1.234,5 €", "1,234 $", "1234 CHF"])
def test_a_format_is_the_text_that_stands_in_the_schema(text):
    assert str(NumberFormat.from_text(text)) == text


@pytest.mark.parametrize("text", ["", "1.2", "1,234.5 parsecs", "1,234.5  €", "#,##0"])
def test_another_text_is_no_format(text):
    with pytest.raises(ValueError, match=r"expected a format such as '1,234\.5'"):
        NumberFormat.from_text(text)


def test_a_long_column_is_read_at_once_and_its_odd_cells_by_themselves():
    texts = ["1.200", "1.300,5", None, " 7 ", "x", "(2)", "nan", 5, np.nan, "€ 3", True] * 1000
    read, is_bad = parse_numbers(pd.Series(texts, dtype=object), EURO)
    nothing = math.nan
    np.testing.assert_equal(
        read[-11:].tolist(), [1200, 1300.5, nothing, 7, nothing, -2, nothing, 5, nothing, 3, nothing]
    )
    assert np.flatnonzero(is_bad[:11]).tolist() == [4, 10]
