"""Dates become the year, the day of the year and the age in days: the same whatever they come as."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from reliability import Case, documented
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from mixed_data.audit import audit_table
from mixed_data.boosting.boosted_trees import BoostedTrees
from mixed_data.preprocessing import TabularPreprocessor
from mixed_data.preprocessing.date_column import DateColumn
from mixed_data.schema import Schema
from mixed_data.schema.written_dates import days_of, parse_dates
from mixed_data.split import find_links

SCHEMA = Schema(target="price", dates=["sold"])
NUM_ROWS = 60
SOLD = pd.Series(
    pd.Timestamp("2014-05-01") + pd.to_timedelta(np.random.default_rng(0).permutation(NUM_ROWS) * 9, unit="D")
)
FORMS = [
    Case("dates as datetimes", "the same features", SOLD),
    Case("dates as text, 2014-05-02", "the same features", SOLD.dt.strftime("%Y-%m-%d")),
    Case("dates as text, 02.05.2014", "the same features", SOLD.dt.strftime("%d.%m.%Y")),
    Case("dates as text, 20140502T000000", "the same features", SOLD.dt.strftime("%Y%m%dT000000")),
    Case("dates as text, 05/02/2014 12:00:00 AM", "the same features", SOLD.dt.strftime("%m/%d/%Y 12:00:00 AM")),
    Case("dates as objects", "the same features", SOLD.dt.date),
    Case("dates with a time zone", "the same features", SOLD.dt.tz_localize("Europe/Berlin")),
    Case("dates of Parquet", "the same features", SOLD.astype("date32[pyarrow]")),
]


def days(*texts: str) -> np.ndarray:
    return days_of(parse_dates(pd.Series(texts))[0])


def test_a_date_becomes_its_age_its_year_and_its_day_of_the_year():
    column, notes = DateColumn.learn("sold", days("2019-12-31", "2020-12-31", "2021-01-01"))
    assert column.feature_names() == ["sold (age in days)", "sold (year)", "sold (day of year)"]
    assert notes == []
    inputs = [[part.median, part.scale] for part in column.parts]
    assert [median for median, _ in inputs] == [1.0, 2020.0, 365.0]
    found = column.encode(days("2020-12-31", "2021-02-01"))
    ages = (np.array([1, -31]) - 1) / column.parts[0].scale
    assert found[0].tolist() == [0, 0, pytest.approx(1 / column.parts[2].scale, rel=0.1)]
    assert found[1, 0] == pytest.approx(ages[1], rel=0.2)


def test_a_missing_date_is_imputed_says_so_and_has_one_indicator():
    known = days("2019-12-31", "2020-12-30", "2021-01-01", "2020-06-01")
    column, _ = DateColumn.learn("sold", np.append(known, np.nan))
    assert sum("missing" in name for name in column.feature_names()) == 1
    encoded = column.encode(np.array([np.nan]))
    assert np.isfinite(encoded).all()
    assert list(column.find_warnings(np.array([known[0], np.nan]))) == [(1, "sold is missing: imputed the usual one")]


def test_a_date_far_out_is_warned_of():
    column, _ = DateColumn.learn("sold", days(*SOLD.astype(str)))
    (warning,) = column.find_warnings(days("1200-01-01"))
    assert "sold (age in days) is 29" in warning[1]
    assert "far from the usual" in warning[1]


def test_a_column_that_says_nothing_is_dropped_with_a_note():
    assert DateColumn.learn("sold", np.full(3, np.nan)) == (None, ["sold: no value in any training row: dropped"])
    column, notes = DateColumn.learn("sold", days("2020-01-01", "2020-01-01"))
    assert column is None
    assert len(notes) == 3


def test_what_was_learned_is_the_same_after_json_and_nonsense_is_refused():
    column, _ = DateColumn.learn("sold", days(*SOLD.astype(str)))
    state = json.loads(json.dumps(column.get_state()))
    assert DateColumn.from_state(state) == column
    for broken in ({**state, "parts": []}, {**state, "parts": state["parts"][::-1]}, {**state, "latest": "x"}):
        with pytest.raises(ValueError, match="date column"):
            DateColumn.from_state(broken)


@documented("Dates in a table", FORMS)
def test_features_of_dates_are_the_same_whatever_they_come_as(case):
    table = pd.DataFrame({"sold": case.given})
    expected = TabularPreprocessor(SCHEMA).fit_transform(pd.DataFrame({"sold": SOLD}))
    np.testing.assert_array_equal(TabularPreprocessor(SCHEMA).fit_transform(table), expected)
    learned = clone(TabularPreprocessor(SCHEMA)).fit(pd.DataFrame({"sold": SOLD.dt.strftime("%m/%d/%Y")}))
    np.testing.assert_array_equal(learned.transform(table), expected)
    again = TabularPreprocessor.from_state(json.loads(json.dumps(learned.get_state())))
    np.testing.assert_array_equal(again.transform(table), expected)


def test_linear_models_and_trees_learn_what_the_age_of_a_date_says():
    table = pd.DataFrame({"sold": SOLD})
    target = 1000.0 - (SOLD.max() - SOLD).dt.days
    for model in (
        make_pipeline(TabularPreprocessor(SCHEMA), LinearRegression()),
        BoostedTrees(SCHEMA, TabularPreprocessor(SCHEMA), random_state=0),
    ):
        predicted = model.fit(table, target).predict(table.assign(sold=SOLD.dt.date))
        assert np.corrcoef(predicted, target)[0, 1] > 0.9


@pytest.mark.parametrize("categorical", [(), ("kind",)])
def test_saved_trees_read_dates_as_those_that_were_trained(tmp_path, categorical):
    schema = Schema(target="price", dates=["sold"], categorical=categorical, numeric=["area"])
    table = pd.DataFrame(
        {"sold": SOLD.dt.strftime("%m/%d/%Y"), "kind": ["a", "b"] * 30, "area": ["1.200", "12,5"] * 30}
    )
    trees = BoostedTrees(schema, TabularPreprocessor(schema), random_state=0).fit(table, np.arange(NUM_ROWS))
    trees.write(tmp_path)
    again = deepcopy(trees).restore(tmp_path)
    expected = trees.predict(table)
    np.testing.assert_array_equal(again.predict(table), expected)
    read = table.assign(sold=SOLD, area=[1200, 12.5] * 30)
    np.testing.assert_array_equal(again.predict(read), expected)


def test_rows_with_the_same_dates_stay_together_and_a_date_that_gives_the_target_away_is_found():
    target = 1000.0 - (SOLD.max() - SOLD).dt.days
    table = pd.DataFrame({"sold": SOLD.dt.strftime("%d.%m.%Y"), "price": target})
    table.loc[1] = table.loc[0]
    links = find_links(table.assign(sold=[SOLD[0].isoformat(), *table["sold"][1:]]), SCHEMA)
    assert any({0, 1} <= set(np.ravel(link.rows)) for link in links)
    problems = [finding.problem for finding in audit_table(table, SCHEMA).findings]
    assert "columns that give the target away" in problems
