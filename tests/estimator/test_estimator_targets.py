"""What the target may come as: it follows the rules of cells, and no column of X takes its place unsaid."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented
from sklearn.compose import TransformedTargetRegressor

from mixed_data.estimator import MixedDataRegressor
from mixed_data.estimator.settings import read_training_rows
from mixed_data.schema import Schema, SchemaError

NUM_ROWS = 40
PRICES = 463591.0 + 1000 * np.random.default_rng(0).permutation(NUM_ROWS)
X = pd.DataFrame({"area": np.random.default_rng(1).uniform(50, 200, NUM_ROWS), "kind": ["a", "b"] * (NUM_ROWS // 2)})
SCHEMA = Schema(target="price", numeric=["area"], categorical=["kind"])


def read(y: Any, schema: Schema | None = None, table: pd.DataFrame = X) -> tuple[tuple[str, ...], list[float]]:
    """Return the features and the target that a fit works with."""
    schema, _, target = read_training_rows(schema, "tabular", table, y)
    return schema.features, target.tolist()


TAKEN = [
    Case("y as an array, also with one column", "fitted", [PRICES, PRICES[:, None], PRICES.astype(object)]),
    Case("y as a list or a tuple", "fitted", [list(PRICES), tuple(PRICES)]),
    Case("y as a frame with one column", "fitted", [pd.DataFrame({"price": PRICES}), pd.DataFrame(PRICES)]),
    Case("y as a Series without a name, or with another index", "fitted",
         [pd.Series(PRICES), pd.Series(PRICES, index=range(100, 100 + NUM_ROWS)), pd.Series(PRICES, name=0)]),
    Case("y of nullable, Arrow, integer, sparse and decimal dtypes", "fitted",
         [pd.array(PRICES, dtype="Int64"), pd.Series(PRICES, dtype="double[pyarrow]"), PRICES.astype(int),
          pd.arrays.SparseArray(PRICES), [Decimal(int(price)) for price in PRICES]]),
    Case('y as text such as "$463,591.00"', "read as in a table",
         [[f"${price:,.2f}" for price in PRICES], [f"${price:,.2f}" for price in PRICES[:1]] + list(PRICES[1:]),
          [f"{price:.0f},- €" for price in PRICES], [f" {price} " for price in PRICES]]),
]  # fmt: skip


@documented("Targets in Python", TAKEN)
def test_the_target_is_the_same_whatever_it_comes_as(case):
    for y in case.given:
        assert read(y) == (("area", "kind"), PRICES.tolist())
        assert read(y, SCHEMA) == (("area", "kind"), PRICES.tolist())


DAYS = pd.Series(pd.date_range("2020", periods=NUM_ROWS))
SPANS = pd.Series(pd.to_timedelta(np.arange(NUM_ROWS), unit="D"))
MASKED = np.ma.masked_array(PRICES, mask=[True] + [False] * (NUM_ROWS - 1))
REFUSED = [
    Case("y holds dates", "error with row and value", [DAYS, DAYS.to_numpy(), DAYS.dt.tz_localize("UTC")],
         "got 2020-01-01 00:00:00"),
    Case("y holds dates as objects of Python", "error with row and value", [[date(2020, 1, 1)] * NUM_ROWS],
         "got 2020-01-01 (a date or a span of time); write a finite number such as 1250.5"),
    Case("y holds dates as text", "error with row and value", [DAYS.astype(str)], "got '2020-01-01'"),
    Case("y holds spans of time", "error with row and value",
         [SPANS, SPANS.to_numpy(), list(SPANS), [timedelta(0)] * NUM_ROWS, SPANS.astype("duration[ns][pyarrow]")],
         "(a date or a span of time)"),
    Case("y holds truth values", "error that says so",
         [PRICES < 0, list(PRICES < 0), pd.array(PRICES < 0, dtype="boolean")],
         "got False (a truth value; if 1 and 0 are meant, write these)"),
    Case("y holds complex numbers", "error that says so", [PRICES + 0j, list(PRICES + 0j)], "(a complex number)"),
    Case("y lacks a value", "error with its row",
         [np.append(np.nan, PRICES[1:]), [None, *PRICES[1:]], pd.Series([pd.NA, *PRICES[1:]]), MASKED],
         "got an empty cell; write a finite number such as 1250.5, or remove the row"),
    Case("y holds infinity or more than float32 can hold", "error with row and value",
         [np.append(np.inf, PRICES[1:]), np.append(1e40, PRICES[1:])], "row 0, column 'target': got "),
    Case("y holds words", "error with row and value", [["dear"] * NUM_ROWS], "row 0, column 'target': got 'dear'"),
    Case("y holds 463.591 and nothing tells the decimal sign", "error with both meanings",
         [[f"{price:,.0f}".replace(",", ".") for price in PRICES]], "nothing in the table tells the decimal sign"),
    Case("y has another number of rows, or two columns", "error with both shapes",
         [PRICES[1:], np.zeros((NUM_ROWS, 2)), 5, None, "price"], "expected one target per row, (40,), got shape ("),
]  # fmt: skip


@documented("Targets in Python", REFUSED)
def test_a_target_that_is_no_number_is_refused(case):
    for y in case.given:
        with pytest.raises(ValueError) as caught:
            read(y)
        assert case.expected in str(caught.value)
        with pytest.raises(ValueError, match=r"column 'price'|expected one target per row"):
            read(y, SCHEMA)


ROLES = [
    Case("X has columns called price and target, and y another name", "they are features",
         pd.Series(PRICES, name="rent"), ("area", "price", "target", "kind")),
    Case("X has columns called price and target, and y has no name", "they are features",
         PRICES, ("area", "price", "target", "kind")),
]  # fmt: skip


@documented("Targets in Python", ROLES)
def test_no_column_is_taken_for_the_target_unless_it_has_its_name(case):
    table = X.assign(price=PRICES % 7000, target=PRICES % 9000)[["area", "price", "target", "kind"]]
    assert read(case.given, table=table) == (case.expected, PRICES.tolist())


COPIES = [
    Case("X has a copy of y by another name", "error with its name", PRICES),
    Case("X has a copy of y as text", "error with its name", [f"${price:,.2f}" for price in PRICES]),
    Case("X has a copy of y as decimals", "error with its name", [Decimal(int(price)) for price in PRICES]),
]


@documented("Targets in Python", COPIES)
def test_a_copy_of_the_target_is_refused(case):
    with pytest.raises(SchemaError, match="column 'cost' of X equals y; take it out of X, or call y the same"):
        read(PRICES, table=X.assign(cost=case.given))
    assert read(PRICES, SCHEMA, X.assign(cost=case.given))[0] == ("area", "kind")


NAMES = [
    Case("integers as column names", "error that names them", [0, 1], "column name 0 is not text; rename it, for"),
    Case("tuples as column names", "error that names them", [("a", 1), ("b", 2)], "column name ('a', 1) is not text"),
    Case("two columns of one name", "error that names it", ["a", "a"], "more than one column 'a'; rename or remove"),
]


@documented("Targets in Python", NAMES)
def test_columns_without_a_name_of_their_own_are_refused(case):
    for y in (PRICES, pd.Series(PRICES, name="price")):
        with pytest.raises(SchemaError) as caught:
            read(y, table=X.set_axis(case.given, axis="columns"))
        assert case.expected in str(caught.value)


def test_a_target_may_be_transformed_by_scikit_learn_without_a_schema():
    regressor = MixedDataRegressor(modalities="tabular", epochs=1, units=4, members=1, intervals=False, random_state=0)
    whole = TransformedTargetRegressor(regressor, func=np.log, inverse_func=np.exp).fit(
        X, pd.Series(PRICES, name="price")
    )
    assert whole.regressor_.feature_names_in_.tolist() == ["area", "kind"]
    assert (np.abs(np.log(whole.predict(X) / PRICES)) < 0.5).all()
