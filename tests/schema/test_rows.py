"""Rows that cannot be used: refused, left out or masked; the others stay as they are, each in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.preprocessing import MixedDataPreprocessor
from mixed_data.readers.table import read_checked_rows, read_rows, read_table
from mixed_data.schema import Schema, SchemaError
from mixed_data.schema.bad_rows import BAD_ROW_POLICIES, check_rows

SCHEMA = Schema(target="price", numeric=("area", "rooms"), categorical=("style",), images=("front",), id="house")
LINES = [
    "house,area,rooms,style,front,price",
    "H0,50,1,loft,,100",
    "H1,abc,2,ranch,,200",
    "H2,70,3,loft,,sold",
    "H3,80,4,ranch,,400",
    '"H4","12,50,0",inf,loft,,500',
    "",
    "H5,100,5,ranch,500",
    "H6,110,6,loft,,600",
]
AREA, SOLD = "area is 'abc', no usable number", "price is 'sold', no usable number"
FOUR = [
    "area is '12,50,0', no usable number",
    "rooms is 'inf', no usable number",
]
RAGGED = "the line has 5 cells, not 6"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "listings.csv"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


def read_as(texts: list[str]) -> list[str]:
    return [f"{text}: read as missing" for text in texts]


POLICIES = [
    Case(
        "--on-bad-row skip in training and evaluation",
        "rows with a bad cell or target are left out and counted",
        ("skip", True),
        ([1, 2, 4, 5], {1: [AREA], 2: [SOLD], 4: FOUR, 5: [RAGGED]}),
    ),
    Case(
        "--on-bad-row skip in prediction",
        "rows with a bad cell keep their line, without a prediction, with the reason",
        ("skip", False),
        ([1, 4, 5], {1: [AREA], 4: FOUR, 5: [RAGGED]}),
    ),
    Case(
        "--on-bad-row mask in training and evaluation",
        "a bad cell is read as missing, with a warning; a row with a bad target is left out and counted",
        ("mask", True),
        ([2, 5], {1: read_as([AREA]), 2: [SOLD], 4: read_as(FOUR), 5: [RAGGED]}),
    ),
    Case(
        "--on-bad-row mask in prediction",
        "a bad cell is read as missing, with a warning; a line with too many or few cells gets no prediction",
        ("mask", False),
        ([5], {1: read_as([AREA]), 4: read_as(FOUR), 5: [RAGGED]}),
    ),
]


@documented("Rows that cannot be used", POLICIES)
def test_a_policy_says_which_rows_are_skipped_and_why(case, data):
    (policy, needs_target), (skipped, notes) = case.given, case.expected
    checked = read_checked_rows(data, SCHEMA, needs_target=needs_target, on_bad_row=policy)
    assert np.flatnonzero(checked.is_skipped).tolist() == skipped
    assert checked.notes == notes
    assert checked.table["house"].tolist() == ["H0", "H1", "H2", "H3", "H4", None, "H6"]
    np.testing.assert_array_equal(checked.table["area"], [50, np.nan, 70, 80, np.nan, np.nan, 110])
    np.testing.assert_array_equal(checked.table["rooms"], [1, 2, 3, 4, np.nan, np.nan, 6])
    assert checked.usable.index.tolist() == [row for row in range(7) if row not in skipped]
    pd.testing.assert_frame_equal(read_rows(data, SCHEMA, needs_target=needs_target, on_bad_row=policy), checked.usable)


def test_by_default_a_bad_row_refuses_the_table_and_the_message_says_how_to_go_on(data):
    with pytest.raises(
        ValueError, match=r"line 8 has 5; quote cells .*, or leave these rows out with --on-bad-row skip"
    ):
        read_rows(data, SCHEMA)
    data.write_text("\n".join(line for line in LINES if "H5" not in line), encoding="utf-8")
    with pytest.raises(SchemaError) as caught:
        read_rows(data, SCHEMA)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "line 3 (id 'H1'), column 'area'",
        "line 6 (id 'H4'), column 'area'",
        "line 6 (id 'H4'), column 'rooms'",
    ]
    assert str(caught.value).splitlines()[-1].startswith("to go on without them: --on-bad-row skip leaves these rows")


def test_how_many_rows_were_skipped_or_masked_is_logged_with_their_lines_also_where_it_is_none(data, caplog):
    caplog.set_level("INFO", logger="mixed_data.schema.bad_rows")
    read_table(data=data, schema=SCHEMA, on_bad_row="mask")
    assert caplog.messages == [
        "2 of 7 rows skipped:\n- line 4 (id 'H2'): price is 'sold', no usable number\n- line 8: " + RAGGED,
        "2 of 7 rows used with cells read as missing:\n"
        f"- line 3 (id 'H1'): {AREA}: read as missing\n- line 6 (id 'H4'): {'; '.join(read_as(FOUR))}",
    ]
    caplog.clear()
    good = pd.DataFrame({"area": range(9), "price": range(1, 10)})
    schema = Schema(target="price", numeric=["area"])
    check_rows(good, schema, on_bad_row="skip")
    check_rows(good.assign(area="x").assign(area=lambda t: [*t["area"][:8], 1]), schema, on_bad_row="skip")
    assert caplog.messages[0] == "0 of 9 rows skipped"
    assert caplog.messages[1].splitlines()[0] == "8 of 9 rows skipped:"
    assert caplog.messages[1].splitlines()[-2:] == ["- row 4: area is 'x', no usable number", "- and 3 more"]
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]


def test_training_leaves_skipped_rows_out_and_counts_the_others_anew(data):
    table, schema = read_table(data=data, schema=SCHEMA, on_bad_row="skip")
    assert schema == SCHEMA
    assert table["house"].tolist() == ["H0", "H3", "H6"]
    assert table.index.tolist() == [0, 1, 2]
    table, _ = read_table(data=data, schema=SCHEMA, on_bad_row="mask")
    assert table["house"].tolist() == ["H0", "H1", "H3", "H4", "H6"]
    assert table["price"].tolist() == [100, 200, 400, 500, 600]


def test_roles_are_inferred_from_the_lines_that_can_be_read(tmp_path):
    rows = [f"H{row},{row},{('loft', 'ranch')[row % 2]},{row}" for row in range(40)]
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("\n".join(["house,area,style,price", *rows]))
    bad.write_text("\n".join(["house,area,style,price", *rows, *(["a,b"] * 20)]))
    assert read_table(data=bad, on_bad_row="skip")[1] == read_table(data=good)[1]


STRUCTURE = [
    Case("a missing column, under every policy", "error", lambda t: t.drop(columns="style"), "no column 'style'"),
    Case(
        "a repeated column, under every policy",
        "error",
        lambda t: pd.concat([t, t["area"]], axis=1),
        "more than one column 'area'",
    ),
    Case("no rows, under every policy", "error", lambda t: t.head(0), "the table has no rows"),
    Case(
        "no row that could be used, under every policy",
        "error",
        lambda t: t.assign(price="sold"),
        "column 'price'|all 4 were skipped",
    ),
]


@documented("Rows that cannot be used", STRUCTURE)
@pytest.mark.parametrize("policy", BAD_ROW_POLICIES)
def test_what_no_policy_can_help(case, policy):
    with pytest.raises(SchemaError, match=case.expected):
        check_rows(case.given(make_rows()), SCHEMA, on_bad_row=policy)


def test_a_file_none_of_whose_lines_fits_its_header_is_refused_whatever_the_policy(tmp_path):
    path = tmp_path / "report.csv"
    path.write_text("Our houses\nhouse,area,price\nH1,50,100\n")
    for policy in BAD_ROW_POLICIES:
        with pytest.raises(ValueError, match=r"expected 1 cells in every line.*line 2 has 3, line 3 has 3"):
            read_table(data=path, on_bad_row=policy)


def test_an_unknown_policy_is_refused(data):
    with pytest.raises(ValueError, match="on_bad_row must be one of error, skip, mask, got 'ignore'"):
        read_rows(data, SCHEMA, on_bad_row="ignore")


def make_rows(**changes: Any) -> pd.DataFrame:
    rows = {
        "house": list("abcd"),
        "area": [50.0, 60, 70, 80],
        "rooms": [1, 2, 3, 4],
        "style": list("xyxy"),
        "front": None,
        "price": [1.0, 2, 3, 4],
    }
    return pd.DataFrame(rows | changes)


DTYPES = [
    Case("infinity in a float column, masked", "read as missing, with a warning", {"area": [50.0, np.inf, 70, 80]}),
    Case("text in a column of a DataFrame, masked", "read as missing, with a warning", {"area": [50, "abc", 70, 80]}),
    Case("a number beyond float32, masked", "read as missing, with a warning", {"area": [50, 1e300, 70, 80]}),
    Case("no path in an image column, masked", "no photo, with a warning", {"front": [None, 7, None, None]}),
]


@documented("Rows that cannot be used", DTYPES)
def test_a_masked_cell_is_a_missing_cell_and_the_other_rows_keep_every_bit(case):
    preprocessor = MixedDataPreprocessor(SCHEMA, image_size=8).fit(make_rows())
    table = make_rows(**case.given)
    before = table.copy()
    checked = check_rows(table, SCHEMA, on_bad_row="mask")
    (column,) = case.given
    found = preprocessor.transform(checked.usable)
    alone = preprocessor.transform(make_rows())
    missing = preprocessor.transform(
        make_rows(**{column: make_rows()[column].astype(object).mask([False, True, False, False])})
    )
    assert list(checked.notes) == [1]
    assert checked.notes[1][0].startswith(f"{column} is ")
    assert checked.notes[1][0].endswith(": read as missing")
    for name in found:
        assert found[name].tobytes() == missing[name].tobytes()
        assert found[name][[0, 2, 3]].tobytes() == alone[name][[0, 2, 3]].tobytes()
    skipped = check_rows(table, SCHEMA, on_bad_row="skip")
    assert skipped.is_skipped.tolist() == [False, True, False, False]
    for name, array in preprocessor.transform(skipped.usable).items():
        assert array.tobytes() == alone[name][[0, 2, 3]].tobytes()
    pd.testing.assert_frame_equal(table, before)


def test_a_table_in_order_comes_back_as_it_is_under_every_policy():
    table = make_rows().set_index(pd.Index([7, 3, 3, 9]))
    for policy in BAD_ROW_POLICIES:
        checked = check_rows(table, SCHEMA, on_bad_row=policy)
        pd.testing.assert_frame_equal(checked.usable, table)
        assert (checked.notes, checked.is_skipped.tolist()) == ({}, [False] * 4)


def test_predictions_are_completed_to_one_line_per_row_in_order_whatever_the_index():
    table = make_rows(area=["x", 60, 70, "y"], price=[1, 2, None, 4]).set_index(pd.Index([7, 3, 3, 9]))
    checked = check_rows(table, SCHEMA, on_bad_row="mask")
    predictions = pd.DataFrame(
        {"prediction": [1.5, 2.5, 4.5], "lower": [1.0, 2, 4], "images_used": [0, 2, 1], "warnings": ["a is b", "", ""]},
        index=[7, 3, 9],
    )
    lines = checked.complete(predictions)
    assert lines.index.tolist() == [7, 3, 3, 9]
    np.testing.assert_array_equal(lines["prediction"], [1.5, 2.5, np.nan, 4.5])
    np.testing.assert_array_equal(lines["lower"], [1, 2, np.nan, 4])
    assert lines["images_used"].tolist() == [0, 2, 0, 1]
    assert lines["images_used"].dtype == np.int64
    assert lines["warnings"].tolist() == [
        "area is 'x', no usable number: read as missing; a is b",
        "",
        "skipped: price is empty",
        "area is 'y', no usable number: read as missing",
    ]
