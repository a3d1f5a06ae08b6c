"""What one cell means: the same thing whatever dtype it arrives in."""

from __future__ import annotations

import io
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mixed_data.schema.cell_values import MISSING_WORDS, canonical_text, is_missing
from mixed_data.schema.photo_paths import split_paths, split_photos
from mixed_data.schema.written_numbers import parse_numbers

REPEATABLE = settings(derandomize=True, deadline=None)  # The same examples each time, however slow the machine.
EXACT_INTEGERS = st.integers(min_value=-(2**53), max_value=2**53)  # Floats hold exactly these one by one.
MISSING = [None, float("nan"), np.nan, pd.NaT, pd.NA, Decimal("NaN"), "", "  ", "NaN", "NA", "None"]


@pytest.mark.parametrize(
    "zipcodes",
    [
        pd.Series([85255, 2139]),
        pd.Series([85255, 2139], dtype="int32"),
        pd.Series([85255, 2139], dtype="Int64"),
        pd.Series([85255.0, 2139.0]),
        pd.Series([85255.0, 2139.0], dtype="float32"),
        pd.Series(["85255", "2139"]),
        pd.Series(["85255", "2139"], dtype=object),
        pd.Series(["85255", "2139"], dtype="category"),
        pd.Series([85255, 2139], dtype="category"),
        pd.Series([" 85255 ", "2139\t"]),
        pd.Series(["85255.0", "2139."]),
        pd.Series([Decimal("85255.0"), np.int16(2139)], dtype=object),
    ],
    ids=lambda zipcodes: f"{zipcodes.dtype}: {list(zipcodes)}",
)
def test_a_code_is_the_same_text_whatever_its_dtype(zipcodes):
    assert canonical_text(zipcodes).tolist() == ["85255", "2139"]


@REPEATABLE
@given(EXACT_INTEGERS)
def test_a_whole_number_is_the_same_text_as_integer_float_and_text(number):
    cells = pd.Series([number, float(number), str(number), f"{number}.0", f" {number} "], dtype=object)
    assert set(canonical_text(cells)) == {str(number)}


@REPEATABLE
@given(st.floats(min_value=-1e15, max_value=1e15).filter(lambda number: str(number) != "-0.0"))
def test_a_float_is_the_same_text_as_its_spelling(number):
    assert canonical_text(pd.Series([number])).tolist() == canonical_text(pd.Series([str(number)])).tolist()


@REPEATABLE
@given(st.text())
def test_canonical_text_of_canonical_text_is_itself(text):
    once = canonical_text(pd.Series([text], dtype=object))
    assert canonical_text(once).tolist() == once.tolist()


@REPEATABLE
@given(st.lists(EXACT_INTEGERS | st.booleans() | st.sampled_from(["a", "b c", "", "NA", "true", "tRue"]), min_size=1))
def test_a_column_that_went_through_a_csv_and_pandas_is_the_same(cells):
    column = pd.Series(cells, dtype=object, name="x")
    read = pd.read_csv(io.StringIO(column.to_csv(index=False)), skip_blank_lines=False)["x"]
    assert canonical_text(read).tolist() == canonical_text(column).tolist()


def test_booleans_are_one_category_in_every_spelling():
    for column in (pd.Series([True, False]), pd.Series([True, False], dtype="boolean")):
        assert canonical_text(column).tolist() == ["True", "False"]
    spellings = pd.Series(["True", "true", "TRUE", np.True_, "False", "false", "FALSE"], dtype=object)
    assert canonical_text(spellings).tolist() == ["True"] * 4 + ["False"] * 3


def test_text_keeps_leading_zeros_and_the_spelling_of_decimals():
    assert canonical_text(pd.Series(["02139", "4.10", "4.1", "1e5"])).tolist() == [
        "02139",
        "4.10",
        "4.1",
        "1e5",
    ]


def test_a_short_float_keeps_its_short_spelling():
    assert canonical_text(pd.Series([0.1, 2.5], dtype="float32")).tolist() == ["0.1", "2.5"]


def test_canonical_text_keeps_index_and_name_and_is_str_or_none():
    text = canonical_text(pd.Series([1.0, np.nan], index=[7, 3], name="zip"))
    assert text.index.tolist() == [7, 3]
    assert text.name == "zip"
    assert text.dtype == object
    assert text.tolist() == ["1", None]


@pytest.mark.parametrize("cell", MISSING, ids=repr)
def test_a_missing_cell_is_missing_as_text_as_number_and_as_path(cell):
    column = pd.Series([cell, "x"], dtype=object)
    numbers, is_bad = parse_numbers(column)
    assert is_missing(cell)
    assert canonical_text(column).tolist() == [None, "x"]
    assert np.isnan(numbers[0])
    assert is_bad.tolist() == [False, True]
    assert split_paths(cell) == []


def test_every_missing_word_is_one_for_pandas_and_the_other_way_round():
    words = sorted(MISSING_WORDS | {"na", "none", "-", "?", "missing", "Null", "nil", "inf", "#REF!"})
    read = pd.read_csv(io.StringIO("x\n" + "".join(f'"{word}"\n' for word in words)))["x"]
    assert read.isna().tolist() == [is_missing(word) for word in words]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([1, 2]),
        pd.Series([1.0, 2.0]),
        pd.Series(["1", " 2.0 "]),
        pd.Series(["+1e0", ".2E+1"]),
        pd.Series([np.float32(1), Decimal(2)], dtype=object),
    ],
    ids=lambda column: str(list(column)),
)
def test_numbers_are_read_from_every_dtype(column):
    numbers, is_bad = parse_numbers(column)
    assert numbers.dtype == np.float64
    assert numbers.tolist() == [1.0, 2.0]
    assert is_bad.dtype == bool
    assert not is_bad.any()


@pytest.mark.parametrize(
    "cell",
    ["abc", "inf", "-Infinity", "1,20", "1_000", "$5", "12 m2", "0x1A", "1e999", "٣", True, np.False_]
    + [np.inf, -np.inf, 10**400, 1j, [1], pd.Timestamp("2020-01-01")],
    ids=repr,
)
def test_what_is_no_finite_number_is_bad_and_nan(cell):
    for neighbour in (1, "1"):
        numbers, is_bad = parse_numbers(pd.Series([cell, neighbour], dtype=object))
        assert np.isnan(numbers[0])
        assert numbers[1] == 1
        assert is_bad.tolist() == [True, False]


def test_infinity_in_a_float_column_is_bad_and_nan_is_not():
    values = pd.Series([np.inf, np.nan, 3.0])
    numbers, is_bad = parse_numbers(values)
    np.testing.assert_array_equal(numbers, [np.nan, np.nan, 3.0])
    assert is_bad.tolist() == [True, False, False]
    assert values[0] == np.inf, "the column of the caller must not change"


def test_nullable_integers_and_boolean_columns():
    numbers, is_bad = parse_numbers(pd.Series([1, None], dtype="Int64"))
    np.testing.assert_array_equal(numbers, [1.0, np.nan])
    assert not is_bad.any()
    for dtype in (bool, "boolean"):
        assert parse_numbers(pd.Series([True, False], dtype=dtype))[1].all()


@REPEATABLE
@given(st.floats(allow_infinity=False))
def test_a_number_and_its_spelling_are_read_exactly(number):
    from_float, _ = parse_numbers(pd.Series([number]))
    from_text, is_bad = parse_numbers(pd.Series([repr(number)]))
    np.testing.assert_array_equal(from_text, from_float)
    assert not is_bad.any()


@REPEATABLE
@given(st.text(st.sampled_from("0123456789.+-eE _infaNTru\n٣\u3000"), max_size=8))
def test_a_text_means_the_same_among_texts_only_and_beside_other_cells(text):
    among_texts, beside_others = pd.Series([text, "2"], dtype=object), pd.Series([text, 2], dtype=object)
    for left, right in zip(parse_numbers(among_texts), parse_numbers(beside_others), strict=True):
        np.testing.assert_array_equal(left, right)
    assert canonical_text(among_texts).tolist() == canonical_text(beside_others).tolist()


@pytest.mark.parametrize("convert", [canonical_text, lambda column: parse_numbers(column)[0]])
@pytest.mark.parametrize("dtype", ["float64", "object", "str", "Int64"])
def test_no_rows_are_no_problem(convert, dtype):
    assert len(convert(pd.Series([], dtype=dtype))) == 0


@pytest.mark.parametrize(
    ("cell", "paths"),
    [
        ("a.jpg", ["a.jpg"]),
        ("a.jpg;b.jpg", ["a.jpg", "b.jpg"]),
        (" a b.jpg ; ;b.jpg;", ["a b.jpg", "b.jpg"]),
        (";", []),
        (Path("photos/a.jpg"), ["photos/a.jpg"]),
        ("c:\\photos\\a.jpg", ["c:\\photos\\a.jpg"]),
    ],
)
def test_paths_of_a_cell(cell, paths):
    assert split_paths(cell) == paths


def test_the_content_of_a_picture_may_stand_where_a_path_may_but_not_where_a_file_is_needed():
    content = b"\xff\xd8\xff none of it is read here; "
    assert split_photos(content) == [content]
    assert split_photos([bytearray(content), " a;b.jpg ", memoryview(content), None]) == [content, "a;b.jpg", content]
    with pytest.raises(ValueError, match="got its content, which is for predicting only"):
        split_paths(["a.jpg", content])


def test_any_path_object_is_a_path(tmp_path):
    (tmp_path / "a.jpg").touch()
    with os.scandir(tmp_path) as entries:
        assert [split_paths(entry) for entry in entries] == [[f"{tmp_path}/a.jpg"]]


@pytest.mark.parametrize("cell", [7, 1.5, [7]], ids=repr)
def test_a_cell_that_holds_no_path_is_an_error_with_a_remedy(cell):
    with pytest.raises(ValueError, match=r"as text, got .*; write several paths as one text, separated by ';'"):
        split_paths(cell)
