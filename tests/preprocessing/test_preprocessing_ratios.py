"""Facts about the ratios of numeric columns; NumPy and hand-worked cases are the oracles."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixed_data.preprocessing import MixedDataPreprocessor, TabularPreprocessor
from mixed_data.preprocessing.column_ratios import MOST_COLUMNS, LogRatio, learn_ratios
from mixed_data.schema import Schema

# Areas per bedroom are 500, 600, 400, 700 and 500: their logs have the median log(500) and the quartiles
# log(500) and log(600).
HOUSES = pd.DataFrame({"bedrooms": [1, 2, 4, 3, 5], "area": [500, 1200, 1600, 2100, 2500]})
SCHEMA = Schema(numeric=["bedrooms", "area"])
LEAST = np.finfo(np.float64).smallest_subnormal
MOST = np.finfo(np.float64).max


def fit(table: pd.DataFrame = HOUSES, **settings: Any) -> TabularPreprocessor:
    return TabularPreprocessor(Schema(numeric=list(table)), **settings).fit(table)


def ratios_of(preprocessor: TabularPreprocessor, table: pd.DataFrame) -> np.ndarray:
    names = preprocessor.get_feature_names_out().tolist()
    return preprocessor.transform(table)[:, [names.index(ratio.name) for ratio in preprocessor.ratios_]]


def smoothly_clipped(values: Any) -> np.ndarray:
    return values / np.sqrt(1 + (values / 3) ** 2)


def learn(**columns: Any) -> list[str]:
    return [ratio.name for ratio in learn_ratios({name: np.array(cells, float) for name, cells in columns.items()})]


def test_what_is_learned_is_hand_worked() -> None:
    (ratio,) = fit().ratios_
    assert ratio == LogRatio(
        numerator="area",
        denominator="bedrooms",
        numerator_median=1600.0,
        denominator_median=3.0,
        numerator_floor=500.0,
        denominator_floor=1.0,
        centre=pytest.approx(np.log(500)),
        scale=pytest.approx(np.log(600) - np.log(500)),
    )


def test_features_equal_numpy_for_every_pair() -> None:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(generator.lognormal(0, 1, (200, 3)), columns=["a", "b", "c"])
    preprocessor = fit(table)
    features = ratios_of(preprocessor, table)
    assert [ratio.name for ratio in preprocessor.ratios_] == ["log(b/a)", "log(c/a)", "log(c/b)"]
    for position, (top, bottom) in enumerate([("b", "a"), ("c", "a"), ("c", "b")]):
        logs = np.log(table[top] / table[bottom])
        lower, median, upper = np.percentile(logs, [25, 50, 75])
        expected = smoothly_clipped((logs - median) / (upper - lower))
        np.testing.assert_allclose(features[:, position], expected, rtol=1e-5, atol=1e-6)


def test_a_missing_cell_counts_as_the_median_of_its_column() -> None:
    preprocessor = fit()
    cells = pd.DataFrame({"bedrooms": [None, 2, None], "area": [900, None, None]}, dtype=float)
    filled = pd.DataFrame({"bedrooms": [3, 2, 3], "area": [900, 1600, 1600]})
    np.testing.assert_array_equal(ratios_of(preprocessor, cells), ratios_of(preprocessor, filled))
    assert preprocessor.transform_with_warnings(cells)[1][0] == ["bedrooms is missing: imputed 3"]


def test_training_rows_with_a_missing_cell_teach_the_ratio_nothing() -> None:
    more = pd.DataFrame({"bedrooms": [3.0, None], "area": [None, 1600.0]})
    (with_gaps,) = fit(pd.concat([HOUSES, more])).ratios_
    assert with_gaps == fit().ratios_[0]


@pytest.mark.parametrize("cell", [0.5, 0, -7, -MOST])
def test_a_cell_below_the_smallest_training_value_counts_as_that_value(cell: float) -> None:
    preprocessor = fit()
    for name, least in (("bedrooms", 1), ("area", 500)):
        below, floor = (HOUSES.astype(float).assign(**{name: value}) for value in (cell, least))
        np.testing.assert_array_equal(ratios_of(preprocessor, below), ratios_of(preprocessor, floor))


@pytest.mark.parametrize("cell", [MOST, LEAST, -MOST, 0.0, np.nan])
@pytest.mark.parametrize("other", [MOST, LEAST, np.nan])
def test_the_hugest_and_smallest_cells_stay_finite_and_inside_the_clip(cell: float, other: float) -> None:
    table = pd.DataFrame({"bedrooms": [cell], "area": [other]})
    tiny = pd.DataFrame({"bedrooms": [LEAST, 1.0, 1e300], "area": [1e300, 1.0, LEAST]})
    for training in (HOUSES, tiny):
        features = ratios_of(fit(training), table)
        assert features.shape == (1, 1)
        assert (np.abs(features) <= 3).all()


def test_a_huge_ratio_comes_out_at_the_clip() -> None:
    table = pd.DataFrame({"bedrooms": [1.0, 1e300], "area": [1e300, 500.0]})
    np.testing.assert_allclose(ratios_of(fit(), table)[:, 0], [3, -3], atol=1e-4)


def test_constant_empty_and_non_positive_columns_are_in_no_ratio() -> None:
    a, b = [1, 2, 3, 5], [7, 4, 9, 6]
    others = {"same": [2, 2, 2, 2], "zero": [0, 1, 2, 3], "loss": [-1, 1, 2, 3], "none": [np.nan] * 4}
    noise = [0.3, 0.1 + 0.2, 0.3, 0.1 + 0.2]
    assert learn(a=a, **others, noise=noise, b=b) == ["log(b/a)"]
    assert learn(**others, a=a) == []
    assert learn(a=a) == learn() == []


def test_columns_in_a_constant_proportion_have_no_ratio() -> None:
    values = np.random.default_rng(0).lognormal(3, 2, 100)
    assert learn(metres=values, feet=values / 0.3048) == []


def test_columns_never_observed_together_have_no_ratio() -> None:
    assert learn(a=[1, 2, np.nan, np.nan], b=[np.nan, np.nan, 3, 4]) == []


def test_half_the_range_is_the_scale_where_the_quartiles_coincide() -> None:
    # 3/2, 6/4 and 9/6 are one ratio, but their logs differ in the last digit.
    columns = {"bedrooms": np.array([2.0, 4.0, 6.0] * 10 + [2.0]), "bathrooms": np.array([3.0, 6.0, 9.0] * 10 + [6.0])}
    logs = np.log(columns["bathrooms"]) - np.log(columns["bedrooms"])
    assert 0 < np.subtract(*np.quantile(logs, [0.75, 0.25])) < 1e-15
    (ratio,) = learn_ratios(columns)
    assert ratio.scale == pytest.approx(np.log(2) / 2)


def test_more_than_five_positive_columns_have_no_ratios() -> None:
    assert MOST_COLUMNS == 5
    generator = np.random.default_rng(0)
    five = {name: generator.lognormal(size=20) for name in "abcde"}
    assert len(learn(**five, negative=-five["a"], same=np.ones(20))) == 10
    assert learn(**five, f=generator.lognormal(size=20)) == []


def test_a_row_does_not_depend_on_the_other_rows_of_the_call() -> None:
    table = pd.DataFrame({"bedrooms": [2, None, 0, 1e9, 3], "area": [900, 1200, None, 1e-9, 1e300]})
    preprocessor = fit()
    together = preprocessor.transform(table)
    for row in range(len(table)):
        assert preprocessor.transform(table.iloc[[row]]).tobytes() == together[[row]].tobytes()
    assert preprocessor.transform(table.iloc[::-1]).tobytes() == together[::-1].tobytes()


def test_ratios_come_after_the_columns_and_are_told_in_the_report() -> None:
    table = HOUSES.assign(bathrooms=[1, 2, 2, 1, 3], heated=["yes", "no", "no", "yes", "no"])
    schema = Schema(numeric=["bedrooms", "bathrooms", "area"], categorical=["heated"])
    preprocessor = TabularPreprocessor(schema).fit(table)
    assert preprocessor.get_feature_names_out().tolist() == [
        *["bedrooms", "bathrooms", "area", "heated=no", "heated=yes"],
        *["log(bathrooms/bedrooms)", "log(area/bedrooms)", "log(area/bathrooms)"],
    ]
    assert preprocessor.report_ == ["ratios: log(bathrooms/bedrooms), log(area/bedrooms), log(area/bathrooms)"]
    features = preprocessor.transform(table)
    assert (features.dtype, features.shape) == (np.float32, (5, 8))


def test_without_ratios_or_without_a_schema_there_are_none() -> None:
    for preprocessor in (fit(ratios=False), TabularPreprocessor().fit(HOUSES)):
        assert preprocessor.ratios_ == []
        assert preprocessor.report_ == []
        assert preprocessor.get_feature_names_out().tolist() == ["bedrooms", "area"]
        np.testing.assert_array_equal(preprocessor.transform(HOUSES), fit().transform(HOUSES)[:, :2])


def test_a_refit_forgets_the_ratios() -> None:
    preprocessor = fit()
    assert preprocessor.fit(HOUSES.assign(area=-1.0 * HOUSES["area"])).ratios_ == []
    assert preprocessor.report_ == []


@pytest.mark.parametrize("ratios", [True, False])
def test_the_whole_preprocessor_passes_the_setting_on_and_keeps_it_in_its_state(ratios: bool) -> None:
    preprocessor = MixedDataPreprocessor(SCHEMA, ratios=ratios).fit(HOUSES)
    loaded = MixedDataPreprocessor.from_state(json.loads(json.dumps(preprocessor.get_state())))
    for each in (preprocessor, loaded):
        assert each.ratios is ratios
        assert each.get_feature_names_out().tolist() == ["bedrooms", "area"] + ["log(area/bedrooms)"] * ratios
        np.testing.assert_array_equal(each.transform(HOUSES)["tabular"], fit(ratios=ratios).transform(HOUSES))


# State


def test_state_round_trip_through_json_is_exact() -> None:
    preprocessor = fit(pd.DataFrame(np.random.default_rng(0).lognormal(size=(30, 3)), columns=["a", "b", "c"]))
    state = json.loads(json.dumps(preprocessor.get_state(), allow_nan=False))
    loaded = TabularPreprocessor.from_state(state)
    assert loaded.ratios_ == preprocessor.ratios_
    assert loaded.get_state() == preprocessor.get_state()
    table = pd.DataFrame({"a": [1, None, 0], "b": [2, 3, 1e300], "c": [None, 5, -1]})
    assert loaded.transform(table).tobytes() == preprocessor.transform(table).tobytes()


def test_whole_numbers_of_a_state_become_floats() -> None:
    (ratio,) = fit().ratios_
    state = {**ratio.get_state(), "scale": 2, "centre": 6}
    assert all(isinstance(LogRatio.from_state(state).get_state()[name], float) for name in ("scale", "centre"))


NUMBERS = ["numerator_median", "denominator_median", "numerator_floor", "denominator_floor", "centre", "scale"]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 10**400, None, "1", True, [1.0]], ids=lambda x: str(x)[:5])
def test_no_number_of_a_state_may_be_anything_but_finite(name: str, value: Any) -> None:
    state = fit().ratios_[0].get_state()
    with pytest.raises(ValueError, match=f"ratio: '{name}' must be a finite number"):
        LogRatio.from_state({**state, name: value})


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "centre"])
@pytest.mark.parametrize("value", [0, -1.5])
def test_medians_floors_and_the_scale_of_a_state_must_be_positive(name: str, value: float) -> None:
    state = fit().ratios_[0].get_state()
    with pytest.raises(ValueError, match=f"ratio: {name} must be positive, got {value}"):
        LogRatio.from_state({**state, name: value})


@pytest.mark.parametrize("state", [None, [], "log(area/bedrooms)", {}])
def test_a_state_that_is_no_ratio_is_refused(state: Any) -> None:
    with pytest.raises(ValueError, match=r"ratio: (expected an object|'numerator' is missing)"):
        LogRatio.from_state(state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numerator": 3}, "'numerator' must be a text"),
        ({"numerator": "price"}, r"expected columns out of \['bedrooms', 'area'\], got \['price'\]"),
        ({"denominator": "pool"}, r"expected columns out of \['bedrooms', 'area'\], got \['pool'\]"),
        ({"denominator": "area"}, "expected two columns, got 'area' twice"),
        ({"kind": "ratio"}, "'kind' is unknown"),
    ],
)
def test_a_ratio_that_does_not_fit_the_schema_is_refused(change: dict[str, Any], message: str) -> None:
    schema = Schema(numeric=["bedrooms", "area"], categorical=["pool"])
    state = TabularPreprocessor(schema).fit(HOUSES.assign(pool=list("aabbb"))).get_state()
    state["ratios"][0] |= change
    with pytest.raises(ValueError, match=message):
        TabularPreprocessor.from_state(state)


def test_a_pair_that_is_there_twice_is_refused() -> None:
    state = fit().get_state()
    turned = {**state["ratios"][0], "numerator": "bedrooms", "denominator": "area"}
    for second in (state["ratios"][0], turned):
        with pytest.raises(ValueError, match="a pair is there twice"):
            TabularPreprocessor.from_state({**state, "ratios": [state["ratios"][0], second]})


def test_ratios_in_a_state_whose_settings_have_none_are_refused() -> None:
    state = fit().get_state()
    for changed in ({**state, "schema": None}, {**state, "settings": {**state["settings"], "ratios": False}}):
        with pytest.raises(ValueError, match=r"expected columns out of \[\], got \['area', 'bedrooms'\]"):
            TabularPreprocessor.from_state(changed)


@pytest.mark.parametrize("scale", [LEAST, 1.0, MOST])
@pytest.mark.parametrize("centre", [-MOST, 0.0, MOST])
@pytest.mark.parametrize("end", [LEAST, MOST])
def test_every_state_that_loads_gives_finite_features(scale: float, centre: float, end: float) -> None:
    ends = {name: end if name.startswith("numerator") else 1.0 for name in NUMBERS[:4]}
    ratio = LogRatio.from_state(
        {"numerator": "area", "denominator": "bedrooms", **ends, "centre": centre, "scale": scale}
    )
    cells = {"area": np.array([MOST, np.nan, -MOST, 0.0]), "bedrooms": np.array([LEAST, np.nan, MOST, 1.0])}
    features = ratio.encode(cells)
    assert features.dtype == np.float32
    assert (np.abs(features) <= 3).all()
