"""How people who come from scikit-learn and pandas call the regressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow
import pytest
from reliability import Case, documented
from sklearn.compose import TransformedTargetRegressor
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from mixed_data.estimator import MixedDataRegressor
from mixed_data.schema import Schema, SchemaError

SECTION = "Python, scikit-learn and pandas"
TABLE = pd.DataFrame({"area": np.arange(40) * 7 % 90 + 60, "kind": ["flat", "house"] * 20})
PRICE = pd.Series(TABLE["area"] * 1500.0 + 1, name="price")

pytestmark = pytest.mark.usefixtures("without_training")


def make_plain(**options: Any) -> MixedDataRegressor:
    return MixedDataRegressor(modalities="tabular", units=4, **options)


def say(call: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as error:
        call()
    return str(error.value)


TARGETS = [
    Case("y as a NumPy array", "read", lambda y: y.to_numpy(), "target"),
    Case("y as a list", "read", list, "target"),
    Case("y as a tuple", "read", tuple, "target"),
    Case("y as a table of one column", "read, with its name", lambda y: y.to_frame(), "price"),
    Case("y as an array of one column", "read", lambda y: y.to_numpy()[:, None], "target"),
    Case("y as a Series without a name", "read", lambda y: y.rename(None), "target"),
    Case(
        "y as a Series with another index than X", "read in its order", lambda y: y.set_axis(range(100, 140)), "price"
    ),
    Case("y of nullable integers", "read", lambda y: y.astype("Int64"), "price"),
    Case("y as an Arrow array", "read", pyarrow.array, "target"),
    Case("y as text with currency and separators", "read", lambda y: y.map("${:,.2f}".format), "price"),
]


@documented(SECTION, TARGETS)
def test_a_target_without_a_schema_is_read_in_any_form(case: Case, without_training: list[dict[str, Any]]) -> None:
    regressor = make_plain().fit(TABLE, case.given(PRICE))
    assert regressor.preprocessor_.schema.target == case.expected
    assert regressor.feature_names_in_.tolist() == ["area", "kind"]
    scaled = without_training[0]["target"]
    np.testing.assert_allclose(regressor.target_transformer_.inverse_transform(scaled), PRICE, rtol=1e-6)


NO_PHOTOS = [
    Case(
        "photos as objects, without a schema", "error with the role of each column", {"path": "1.jpg"}, "(dict) are no"
    ),
    Case(
        "photos as arrays, without a schema", "error with the role of each column", np.ones((4, 4)), "(ndarray) are no"
    ),
    Case("no column of photos, without a schema", "error with the role of each column", None, "photo  every cell is"),
]


@documented(SECTION, NO_PHOTOS)
def test_without_photos_and_a_schema_the_error_says_what_each_column_is(case: Case) -> None:
    message = say(lambda: MixedDataRegressor().fit(TABLE.assign(photo=[case.given] * 40), PRICE))
    assert message.startswith("no column of X clearly holds paths of photos; name it (schema=Schema.infer(")
    assert case.expected in message


NO_TARGETS = [
    Case("y of dates", "error", pd.Series(pd.date_range("2020", periods=40)), "a date or a span of time"),
    Case("y of spans of time", "error", pd.to_timedelta(np.arange(40), unit="D"), "a date or a span of time"),
    Case("y of NumPy dates", "error", np.arange(40).astype("datetime64[D]"), "a date or a span of time"),
    Case("y of booleans", "error", np.arange(40) % 2 == 0, "got True (a truth value"),
    Case("y of complex numbers", "error", np.arange(40) * 1j, "row 0, column 'target': got 0j"),
    Case(
        "y as a masked array",
        "error naming the masked rows",
        np.ma.masked_array(np.arange(40.0), mask=np.arange(40) == 3),
        "row 3, column 'target': got an empty cell",
    ),
    Case("y with words", "error naming the row", ["sold", *range(39)], "row 0, column 'target': got 'sold'"),
    Case("y of two columns", "error", np.ones((40, 2)), "expected one target per row, (40,), got shape (40, 2)"),
    Case("y of another length", "error", np.ones(5), "expected one target per row, (40,), got shape (5,)"),
    Case("no y", "error", None, "expected one target per row"),
]


@documented(SECTION, NO_TARGETS)
def test_what_is_no_number_per_row_is_no_target(case: Case) -> None:
    assert case.expected in say(lambda: make_plain().fit(TABLE, case.given))


def test_a_target_that_could_be_two_numbers_is_refused_with_the_remedy() -> None:
    text = (TABLE["area"] % 900 + 100).map(lambda number: f"{number},500").rename("price")
    assert "may be 160500 or 160.5" in say(lambda: make_plain().fit(TABLE[["kind"]].assign(x=range(40)), text))


@documented(
    SECTION,
    [
        Case("`score` with y as text with currency", "as of the numbers", lambda y: y.map("${:,.2f}".format)),
        Case(
            "`score` with y as decimal commas", "as of the numbers", lambda y: [f"{cell},00" for cell in y.astype(int)]
        ),
        Case("`score` with y as a table of one column", "as of the numbers", lambda y: y.to_frame()),
        Case("`score` with y as an Arrow array", "as of the numbers", pyarrow.array),
    ],
)
def test_a_score_reads_the_target_as_fit_does(case: Case) -> None:
    regressor = make_plain().fit(TABLE, PRICE)
    assert regressor.score(TABLE, case.given(PRICE)) == regressor.score(TABLE, PRICE) != 0


@documented(
    SECTION,
    [
        Case(
            "`score` with y of dates", "error", pd.Series(pd.date_range("2020", periods=40)), "a date or a span of time"
        ),
        Case("`score` with an empty cell in y", "error naming the row", [None, *range(39)], "row 0, column 'price'"),
        Case("`score` with y of another length", "error", [1.0], "expected one target per row, (40,), got shape (1,)"),
    ],
)
def test_a_score_refuses_what_fit_refuses(case: Case) -> None:
    regressor = make_plain().fit(TABLE, PRICE)
    assert case.expected in say(lambda: regressor.score(TABLE, case.given))


CLASHES = [
    Case(
        "without a schema, a column of X equals y under another name",
        "error: it would tell the target away",
        (TABLE.assign(copy=PRICE), PRICE.to_numpy()),
        "column 'copy' of X equals y; take it out of X",
    ),
    Case(
        "without a schema, a column of X has the name of y and other values",
        "error: which is meant is not clear",
        (TABLE, (TABLE["area"] * 2.0)),
        "y is called 'area' like a column of X with other values",
    ),
    Case("X as an array", "error", (TABLE.to_numpy(), PRICE), "expected a pandas DataFrame with named columns"),
    Case("column names that are numbers", "error", (TABLE.set_axis([0, 1], axis=1), PRICE), "'column_0'"),
    Case(
        "column names that are tuples",
        "error",
        (pd.concat({"x": TABLE}, axis="columns"), PRICE),
        "column name ('x', 'area') is not text; rename it, for example to 'x_area'",
    ),
]


@documented(SECTION, CLASHES)
def test_rows_that_do_not_go_with_the_target_are_refused(case: Case) -> None:
    assert case.expected in say(lambda: make_plain().fit(*case.given))


def test_a_column_called_price_is_a_feature_where_y_is_something_else() -> None:
    rent = (PRICE * 0.004).rename("rent")
    regressor = make_plain().fit(TABLE.assign(price=PRICE), rent)
    assert (regressor.preprocessor_.schema.target, "price" in regressor.feature_names_in_) == ("rent", True)
    free = make_plain().fit(TABLE.assign(target=PRICE), rent.to_numpy())
    assert (free.preprocessor_.schema.target, "target" in free.feature_names_in_) == ("target_", True)


def test_the_column_that_is_the_target_by_name_and_values_is_no_feature() -> None:
    regressor = make_plain().fit(TABLE.assign(price=PRICE), PRICE)
    assert regressor.feature_names_in_.tolist() == ["area", "kind"]


WEIGHTS = [
    Case("weights as the third argument of fit", "error", np.ones(40), "got ndarray; there are no sample weights"),
    Case("a callback that is in no list", "error", keras.callbacks.Callback(), "expected a list of Keras callbacks"),
    Case("a list of something else", "error", ["early"], "expected a list of Keras callbacks"),
]


@documented(SECTION, WEIGHTS)
def test_a_third_argument_that_is_no_list_of_callbacks_is_refused(case: Case) -> None:
    assert case.expected in say(lambda: make_plain().fit(TABLE, PRICE, case.given))


def test_a_pipeline_may_be_asked_for_pandas() -> None:
    pipeline = make_pipeline(FunctionTransformer(), make_plain()).set_output(transform="pandas")
    predicted = pipeline.fit(TABLE, PRICE).predict(TABLE)
    np.testing.assert_array_equal(predicted, make_plain().fit(TABLE, PRICE).predict(TABLE))
    assert not hasattr(MixedDataRegressor, "transform")


def test_a_transformed_target_needs_no_schema() -> None:
    model = TransformedTargetRegressor(make_plain(), func=np.log, inverse_func=np.exp).fit(TABLE, PRICE)
    np.testing.assert_allclose(model.predict(TABLE), np.exp(model.regressor_.predict(TABLE)))


def test_a_grid_reaches_the_default_preprocessor() -> None:
    grid = {"preprocessor__min_frequency": [1, 30], "units": [2, 4]}
    search = GridSearchCV(make_plain(), grid, cv=KFold(2), error_score="raise").fit(TABLE, PRICE)
    assert search.best_estimator_.preprocessor_.min_frequency in (1, 30)
    eager = make_plain().set_params(image_branch="pretrained", preprocessor__image_size=8)
    assert (eager.preprocessor.image_size, eager.preprocessor.resize) == (8, "stretch")
    with pytest.raises(ValueError, match="Invalid parameter 'size'"):
        make_plain().set_params(preprocessor__size=8)


def test_tables_of_other_libraries_are_read() -> None:
    regressor = make_plain().fit(pyarrow.Table.from_pandas(TABLE), PRICE)
    np.testing.assert_array_equal(regressor.predict(pyarrow.Table.from_pandas(TABLE)), regressor.predict(TABLE))
    assert Schema.infer(pyarrow.Table.from_pandas(TABLE.assign(price=PRICE))).numeric == ("area",)


def test_a_polars_table_is_read_like_a_pandas_one() -> None:
    polars = pytest.importorskip("polars", reason="polars is not among the requirements")
    table = polars.DataFrame({"area": TABLE["area"].tolist(), "kind": TABLE["kind"].tolist()})
    regressor = make_plain().fit(table, polars.Series("price", PRICE.tolist()))
    assert regressor.preprocessor_.schema.target == "price"
    np.testing.assert_array_equal(regressor.predict(table), regressor.predict(TABLE))


def test_the_problems_of_a_fit_are_those_of_a_schema() -> None:
    with pytest.raises(SchemaError):
        make_plain().fit(TABLE, PRICE.where(PRICE.index > 2))
