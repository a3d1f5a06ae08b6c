"""What training makes of columns that say nothing, or not what they seem to say; and of very many columns."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented

from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor, TargetTransformer
from mixed_data.readers.table import read_table
from mixed_data.schema import Schema, SchemaError
from mixed_data.split import find_groups, hold_out

NUMBER = "write a finite number such as 1250.5"
SCHEMA = Schema(target="price", numeric=("area", "rooms"), categorical=("style",), id="house")
ROWS = {
    "house": [f"H{row}" for row in range(24)],
    "area": [50.0 + 7 * row for row in range(24)],
    "rooms": [1 + row % 5 for row in range(24)],
    "style": [("loft", "ranch", "villa")[row % 3] for row in range(24)],
    "price": [1000.0 + 90 * row for row in range(24)],
}


def make_rows(**changes: Any) -> pd.DataFrame:
    return pd.DataFrame(ROWS | changes)


def write(table: pd.DataFrame, folder: Path) -> Path:
    path = folder / "listings.csv"
    table.to_csv(path, index=False)
    return path


LEARNED = [
    Case(
        "a column of numbers with thousands separators",
        "read: 1,200 is 1200 in a file with commas",
        [f"{row},200" for row in range(1, 25)],
        [1000.0 * row + 200 for row in range(1, 25)],
    ),
    Case(
        "a column of numbers with decimal commas",
        "read: 12,5 is 12.5",
        [f"{row},5" for row in range(24)],
        [row + 0.5 for row in range(24)],
    ),
    Case(
        "a column of prices with their currency",
        "read without it",
        [f"${row}00.50" for row in range(24)],
        [100.0 * row + 0.5 for row in range(24)],
    ),
    Case(
        "a column of percentages",
        "read as such: 12 % is 12",
        [f"{row} %" for row in range(24)],
        [*map(float, range(24))],
    ),
]


@documented("Tables", LEARNED)
def test_numbers_as_people_write_them_are_numbers(case, tmp_path):
    table, schema = read_table(data=write(make_rows(new=case.given), tmp_path))
    assert "new" in schema.numeric
    assert table["new"].tolist() == case.expected


ROLES = [
    Case("a constant column", "left out, and said so", ["same"] * 24, "left out new every cell is 'same'"),
    Case("an empty column", "left out, and said so", [None] * 24, "left out new every cell is empty"),
    Case("booleans", "labels", [True, False, False] * 8, "categorical new 2 different values"),
    Case(
        "dates, some of them repeated",
        "dates",
        ["2024-05-01", "2024-06-01"] * 12,
        "dates new 24 of 24 cells are dates",
    ),
    Case("German dates", "dates", ["01.05.2024", "01.06.2024"] * 12, "dates new 24 of 24 cells are dates"),
    Case(
        "dates, all different",
        "dates",
        [f"2024-05-{day}" for day in range(1, 25)],
        "dates new 24 of 24 cells are dates",
    ),
    Case(
        "dates of which none tells whether the day or the month stands first",
        "left out, and said so",
        [f"0{1 + row % 9}/0{1 + row % 7}/2024" for row in range(24)],
        "left out new dates that do not tell whether the day or the month stands first",
    ),
]


@documented("Tables", ROLES)
def test_what_a_column_is_taken_for_is_shown(case, tmp_path):
    _, schema = read_table(data=write(make_rows(new=case.given), tmp_path))
    (line,) = (line for line in schema.explain().splitlines() if " new " in line)
    assert " ".join(line.split()).startswith(case.expected)


def test_an_id_with_repeated_values_is_no_id_unless_it_is_named(tmp_path):
    data = write(make_rows(house=["a", "b"] * 12).rename(columns={"house": "house_id"}), tmp_path)
    assert "house_id" in read_table(data=data)[1].categorical
    table, schema = read_table(data=data, id="house_id")
    assert (schema.id, "house_id" in schema.features) == ("house_id", False)
    assert table["house_id"].tolist() == ["a", "b"] * 12


NOTHING = [
    Case("one row", "error: nothing varies", lambda t: t.head(1), "no column is left to predict 'price' from:"),
    Case(
        "all rows equal",
        "error: nothing varies",
        lambda t: t.head(1).loc[[0] * 9],
        "no column is left to predict 'price'",
    ),
    Case(
        "no column for the target",
        "error saying how to name it",
        lambda t: t.drop(columns="price"),
        "the target is not clear",
    ),
    Case("every target is empty", "error", lambda t: t.assign(price=None), "column 'price': 19 more cells like these"),
]


@documented("Tables", NOTHING)
def test_a_table_that_teaches_nothing_is_an_error(case, tmp_path):
    with pytest.raises(SchemaError) as caught:
        read_table(data=write(case.given(make_rows()), tmp_path))
    assert case.expected in str(caught.value)


def test_equal_rows_of_a_known_schema_are_one_group_and_cannot_be_split():
    equal = make_rows().loc[[0] * 9].reset_index(drop=True)
    with pytest.raises(ValueError, match="the 9 rows form 1"):
        hold_out(find_groups(equal, SCHEMA))


def test_a_constant_number_of_a_known_schema_is_dropped_and_reported():
    preprocessor = TabularPreprocessor(SCHEMA).fit(make_rows(rooms=3))
    assert "rooms: the same value in every training row (3): dropped" in preprocessor.report_
    assert not any("rooms" in name for name in preprocessor.get_feature_names_out())


PRICES = [
    Case(
        "a price of zero",
        "used, with a warning that names it",
        0,
        "1 of 24 rows have a price of 0 or less, the first is line 4.",
    ),
    Case(
        "a negative price",
        "used, with a warning that names it",
        -5,
        "1 of 24 rows have a price of 0 or less, the first is line 4.",
    ),
]


@documented("Tables", PRICES)
def test_a_price_that_is_not_positive_is_a_number_but_said_aloud(case, tmp_path, caplog):
    table, _ = read_table(data=write(make_rows(price=[*ROWS["price"][:2], case.given, *ROWS["price"][3:]]), tmp_path))
    assert table["price"][2] == case.given
    (message,) = caplog.messages
    assert message.startswith(case.expected)
    caplog.clear()
    read_table(data=write(make_rows(price=[-1.0, 1.0] * 12), tmp_path))
    assert not caplog.messages, "a target that is often negative is no price"
    with pytest.raises(ValueError, match="a logarithmic target must be positive, but is not in row 2"):
        TargetTransformer("log").fit(table["price"])


def test_one_huge_value_does_not_take_the_logarithm_away_from_the_others():
    values = np.random.default_rng(0).lognormal(size=100)
    for huge in (1e20, 1e200, 1.7e308):
        preprocessor = TabularPreprocessor().fit(pd.DataFrame({"x": [*values, huge]}))
        assert preprocessor.columns_[0].log_above == values.min()


NUM_COLUMNS = 5_000
WIDE = [
    Case("5,000 columns", "read, learned and applied", "as they are"),
    Case("5,000 columns, all renamed", "error with the first 20 of them", "renamed"),
]


@documented("Tables", WIDE)
def test_thousands_of_columns_take_seconds_and_a_short_message(case, tmp_path):
    numbers = np.random.default_rng(0).normal(size=(6, NUM_COLUMNS)).round(2)
    names = [f"column {number}" for number in range(NUM_COLUMNS)]
    table = pd.DataFrame(numbers, columns=names).assign(price=range(6))
    schema = Schema(target="price", numeric=names)
    started = time.process_time()
    if case.given == "as they are":
        read, inferred = read_table(data=write(table, tmp_path))
        assert inferred == schema
        assert MixedDataPreprocessor(schema).fit_transform(read)["tabular"].shape == (6, NUM_COLUMNS)
    else:
        with pytest.raises(SchemaError) as caught:
            schema.validate(table.add_suffix("!"))
        assert len(caught.value.problems) >= NUM_COLUMNS
        assert len(str(caught.value)) < 5_000
    assert time.process_time() - started < 10  # seconds; comparing each name with all others took 66
