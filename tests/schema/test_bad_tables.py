"""Columns and cells that are not what they should be: the right number, a warning with the row, or a clear error."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor
from mixed_data.readers.table import read_rows, read_table
from mixed_data.schema import Schema, SchemaError

SCHEMA = Schema(
    target="price", numeric=("area", "rooms"), categorical=("style",), codes=("zipcode",), images=("front",), id="house"
)
ROWS = {
    "house": [f"H{row}" for row in range(24)],
    "area": [50.0 + 7 * row for row in range(24)],
    "rooms": [1 + row % 5 for row in range(24)],
    "style": [("loft", "ranch", "villa")[row % 3] for row in range(24)],
    "zipcode": [("02139", "85255")[row % 2] for row in range(24)],
    "front": [None] * 24,
    "price": [1000.0 + 90 * row for row in range(24)],
}


def make_table(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame(ROWS | changes)


def put(column: str, cell: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return a function that puts one cell into row 2."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        cells = table[column].astype(object)
        cells.iloc[2] = cell
        return table.assign(**{column: cells})

    return change


def write(table: pd.DataFrame, folder: Path, separator: str = ",") -> Path:
    path = folder / "listings.csv"
    table.to_csv(path, index=False, sep=separator)
    return path


@pytest.fixture(scope="module")
def preprocessor() -> MixedDataPreprocessor:
    return MixedDataPreprocessor(SCHEMA, image_size=8).fit(make_table())


NUMBER = "write a finite number such as 1250.5"
BAD_CELLS = [
    Case("text in a number", "error with line, id, column and remedy", put("area", "abc"), f"got 'abc'; {NUMBER}"),
    Case("a number with groups of two digits (12,00)", "error", put("area", "12,00"), "got '12,00' (in training"),
    Case(
        "a number with a decimal comma (12,5)",
        "error",
        put("area", "12,5"),
        f"got '12,5' (in training numbers are written 1,234.5); {NUMBER}",
    ),
    Case("a number with a unit or a currency", "error", put("area", "120 m2"), f"got '120 m2'; {NUMBER}"),
    Case("infinity in a number", "error", put("area", np.inf), f"got 'inf'; {NUMBER}"),
    Case("minus infinity in a number", "error", put("area", -np.inf), f"got '-inf'; {NUMBER}"),
    Case("a number beyond float32 (1e300)", "error", put("area", 1e300), "got '1e+300' (beyond 3.4e+38); write"),
    Case("a boolean in a number", "error", put("rooms", True), "got 'True' (a truth value"),
    Case("a date in a number", "error", put("rooms", date(2024, 5, 1)), f"got '2024-05-01'; {NUMBER}"),
    Case(
        "a text of many thousand characters in a number", "error that stays short", put("area", "x" * 50_000), "xxx..."
    ),
    Case("an empty target", "error in training", put("price", None), f"got an empty cell; {NUMBER}, or remove the row"),
    Case("text in the target", "error in training", put("price", "sold"), f"got 'sold'; {NUMBER}, or remove the row"),
    Case("infinity in the target", "error in training", put("price", np.inf), f"got 'inf'; {NUMBER}"),
    Case("a target beyond float32", "error in training", put("price", 1e39), "got '1e+39' (beyond 3.4e+38)"),
]


@documented("Tables", BAD_CELLS)
def test_a_cell_that_cannot_be_used_is_an_error_that_names_its_line_id_and_column(case, tmp_path):
    bad = case.given(make_table())
    (column,) = (name for name in bad if not bad[name].equals(make_table()[name]))
    with pytest.raises(SchemaError) as caught:
        read_table(data=write(bad, tmp_path), schema=SCHEMA)
    (problem,) = caught.value.problems
    assert problem.startswith(f"line 4 (id 'H2'), column '{column}': got ")
    assert case.expected in problem
    assert len(problem) < 250
    assert read_table(data=write(make_table(), tmp_path), schema=SCHEMA)[0].shape == (24, 7)


TYPED = [
    Case("a float column with infinity", "error", [np.inf] * 24, "got inf"),
    Case("a column of dates as numbers", "error", pd.date_range("2024-01-01", periods=24), "got 2024-01-01"),
    Case("a column of booleans as numbers", "error", [True, False] * 12, "got True"),
    Case("a column of complex numbers", "error", np.full(24, 1 + 2j), "got (1+2j)"),
    Case("lists in the cells", "error", [[1.0, 2.0]] * 24, "got [1.0, 2.0]"),
]


@documented("Tables", TYPED)
def test_a_column_of_the_wrong_type_is_an_error_in_training_and_prediction(case, preprocessor):
    for method in (preprocessor.transform, preprocessor.fit):
        with pytest.raises(SchemaError) as caught:
            method(make_table(area=case.given))
        assert caught.value.problems[0].startswith(f"row 0 (id 'H0'), column 'area': {case.expected}")
        assert caught.value.problems[5].startswith("column 'area': 19 more cells like these")


def twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[["area"]]], axis=1)


COLUMNS = [
    Case(
        "a column is missing",
        "error naming it",
        lambda t: t.drop(columns="style"),
        "no column 'style' (categorical); add it",
    ),
    Case(
        "a column is renamed",
        "error with the likely name",
        lambda t: t.rename(columns={"area": "Area"}),
        "no column 'area' (numeric); rename 'Area'",
    ),
    Case(
        "the columns are written in capitals",
        "error with the likely name",
        lambda t: t.rename(columns={"area": "AREA"}),
        "no column 'area' (numeric); rename 'AREA'",
    ),
    Case("a column is there twice", "error naming it", twice, "more than one column 'area'; rename or remove"),
    Case("no rows", "error", lambda t: t.head(0), "the table has no rows"),
]


@documented("Tables", COLUMNS)
def test_columns_that_do_not_fit_are_an_error_in_training_and_prediction(case, preprocessor, tmp_path):
    for method in (preprocessor.transform, preprocessor.fit):
        with pytest.raises(SchemaError) as caught:
            method(case.given(make_table()))
        assert case.expected in str(caught.value)
    with pytest.raises(SchemaError) as caught:
        read_rows(write(case.given(make_table()), tmp_path), SCHEMA)
    assert case.expected in str(caught.value)


SAME = [
    Case("columns that the schema does not name", "ignored", lambda t: t.assign(agent="Ann", zip_code=7)),
    Case("columns in another order", "matched by name", lambda t: t[list(t)[::-1]]),
    Case("the target is missing, or no number, in prediction", "not looked at", lambda t: t.assign(price="unknown")),
    Case("two rows with the same id", "both predicted, in their place", lambda t: t.assign(house="H1")),
    Case("no id", "predicted", lambda t: t.drop(columns="house")),
    Case("numbers as text", "the same numbers", lambda t: t.assign(area=t["area"].astype(str))),
    Case("numbers as decimals", "the same numbers", lambda t: t.assign(area=[Decimal(repr(x)) for x in t["area"]])),
    Case("numbers as float32", "the same numbers", lambda t: t.assign(area=t["area"].astype("float32"))),
    Case("whole numbers as floats", "the same numbers", lambda t: t.assign(rooms=t["rooms"].astype(float))),
    Case("labels as a pandas category", "the same labels", lambda t: t.assign(style=t["style"].astype("category"))),
    Case(
        "blanks around labels and numbers",
        "the same",
        lambda t: t.assign(style=" " + t["style"] + " ", rooms=[f" {x} " for x in t["rooms"]]),
    ),
]


@documented("Tables", SAME)
def test_what_makes_no_difference_changes_no_bit(case, preprocessor):
    expected, found = preprocessor.transform(make_table()), preprocessor.transform(case.given(make_table()))
    assert found["tabular"].tobytes() == expected["tabular"].tobytes()
    assert found.row_warnings == expected.row_warnings


DOUBTFUL = [
    Case("an empty number", "imputed, with a warning", put("area", None), "area is missing: imputed 130.5"),
    Case(
        "NaN, NA, null or blanks in a number",
        "imputed, with a warning",
        put("area", " NA "),
        "area is missing: imputed 130.5",
    ),
    Case(
        "an empty category",
        "none of the levels, or its own if trained, with a warning",
        put("style", ""),
        "style is missing: read as none of the known levels",
    ),
    Case(
        "an unseen category",
        "none of the levels, with a warning",
        put("style", "barn"),
        "style is 'barn', not seen in training: read as none of the known levels",
    ),
    Case(
        "an unseen code with a known beginning",
        "its region, with a warning",
        put("zipcode", "02199"),
        "read as none of the known levels, but zipcode[:3]=021 is known",
    ),
    Case(
        "a zipcode that lost its leading zero",
        "an unseen code, with a warning",
        put("zipcode", 2139),
        "zipcode is '2139', not seen in training",
    ),
    Case(
        "a number far from the usual",
        "its effect is limited, with a warning",
        put("area", 1e9),
        "area is 1000000000, far from the usual (median 130.5): its effect is limited",
    ),
    Case(
        "a negative number far from the usual",
        "its effect is limited, with a warning",
        put("area", -1e30),
        "area is -1e+30, far from the usual",
    ),
    Case("a photo that is not there", "masked, with a warning", put("front", "/nowhere/a.jpg"), "a.jpg"),
]


@documented("Tables", DOUBTFUL)
def test_a_doubtful_cell_is_reported_with_its_row_and_changes_no_bit_of_the_others(case, preprocessor):
    expected, found = preprocessor.transform(make_table()), preprocessor.transform(case.given(make_table()))
    others = np.arange(24) != 2
    assert found["tabular"][others].tobytes() == expected["tabular"][others].tobytes()
    assert [found.row_warnings[row] for row in np.flatnonzero(others)] == [
        expected.row_warnings[row] for row in np.flatnonzero(others)
    ]
    assert np.isfinite(found["tabular"]).all()
    (new,) = [warning for warning in found.row_warnings[2] if warning not in expected.row_warnings[2]]
    assert case.expected in new


def test_values_as_in_training_give_no_warning_of_being_far(preprocessor):
    warnings = preprocessor.transform(make_table(area=ROWS["area"][::-1])).row_warnings
    assert not any("far from" in warning for row in warnings for warning in row)
    heavy = pd.DataFrame({"x": np.random.default_rng(0).lognormal(7, 1.5, 500)})
    fitted = TabularPreprocessor().fit(heavy)
    assert not any(fitted.transform_with_warnings(heavy)[1])
    ((warning,),) = fitted.transform_with_warnings(pd.DataFrame({"x": [-1e30]}))[1]
    assert "was positive in training" in warning
