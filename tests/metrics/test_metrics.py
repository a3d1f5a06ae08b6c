"""Scores against scikit-learn, hand-worked cases and the published example of the IAAO standard."""

import math

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics as sk
from sklearn.linear_model import LinearRegression

from mixed_data.metrics import (
    METRICS,
    bootstrap_intervals,
    regression_metrics,
    regression_metrics_of_parts,
    write_decimals,
)

PERCENTS = {"mape", "median_ape", "ppe10", "ppe20"}
RATIOS = {"median_ratio", "cod", "prd", "prb"}
KEYS = {"n", "mae", "rmse", "rmse_log", "r2"} | PERCENTS | RATIOS

# The 17 sales of Table 1-4 of the IAAO Standard on Ratio Studies (2013): (appraised value, sale price).
IAAO_TABLE_1_4 = [
    (87_200, 138_720),
    (38_240, 59_700),
    (96_320, 146_400),
    (68_610, 99_000),
    (32_960, 47_400),
    (50_560, 70_500),
    (61_360, 78_000),
    (47_360, 60_000),
    (56_580, 69_000),
    (47_040, 55_500),
    (136_000, 154_500),
    (98_000, 109_500),
    (56_000, 60_000),
    (159_100, 168_000),
    (128_000, 124_500),
    (132_000, 127_500),
    (160_000, 150_000),
]


@pytest.fixture
def houses_like() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    target = np.exp(generator.normal(13, 0.8, size=400))
    return target, target * np.exp(generator.normal(-0.03, 0.3, size=400))


def test_there_are_exactly_thirteen_scores_and_they_are_python_numbers(houses_like):
    scores = regression_metrics(*houses_like)
    assert set(scores) == KEYS
    assert list(scores) == list(METRICS)
    assert len(KEYS) == 13
    assert type(scores.pop("n")) is int
    assert {type(score) for score in scores.values()} == {float}


@pytest.mark.parametrize("num_rows", [399, 400])
@pytest.mark.parametrize("change", ["none", "far below", "negative target", "zero target", "whole numbers", "equal"])
def test_scores_of_parts_are_those_of_all_rows(houses_like, num_rows, change):
    target, prediction = (column[:num_rows] for column in houses_like)
    if change == "far below":
        prediction[::3] *= -1
    elif change == "negative target":
        target[7] *= -1
    elif change == "zero target":
        target[7] = 0
    elif change == "whole numbers":  # many equal ratios
        target, prediction = np.round(target, -6) + 1e6, np.round(prediction, -6)
    elif change == "equal":
        target = np.full(num_rows, 3.0)
    cuts = [1, 150, 151]
    found = regression_metrics_of_parts(list(zip(np.split(target, cuts), np.split(prediction, cuts), strict=True)))
    expected = regression_metrics(target, prediction)
    assert list(found) == list(expected)
    for name in ("n", "median_ape", "median_ratio"):
        assert found[name] == pytest.approx(expected[name], rel=0, abs=0, nan_ok=True)
    assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("parts", [[], [([1.0], [1.0]), ([], [])], [([1.0], [1.0, 2.0])], [([1.0], [math.nan])]])
def test_parts_without_rows_or_with_other_rows_are_refused(parts):
    with pytest.raises(ValueError, match=r"must score the same rows|at least one row|must be finite"):
        regression_metrics_of_parts([(np.array(target), np.array(prediction)) for target, prediction in parts])


def test_scores_equal_scikit_learn(houses_like):
    target, prediction = houses_like
    scores = regression_metrics(target, prediction)
    expected = {
        "n": 400,
        "mape": 100 * sk.mean_absolute_percentage_error(target, prediction),
        "mae": sk.mean_absolute_error(target, prediction),
        "rmse": sk.root_mean_squared_error(target, prediction),
        "rmse_log": sk.root_mean_squared_error(np.log(target), np.log(prediction)),
        "r2": sk.r2_score(target, prediction),
    }
    assert {key: scores[key] for key in expected} == pytest.approx(expected, rel=1e-12)


def test_prb_is_the_slope_of_an_ordinary_regression(houses_like):
    target, prediction = houses_like
    ratio = prediction / target
    median = np.median(ratio)
    log2_value = np.log2((prediction / median + target) / 2)
    slope = LinearRegression().fit(log2_value[:, None], (ratio - median) / median).coef_[0]
    assert regression_metrics(target, prediction)["prb"] == pytest.approx(slope, rel=1e-10)


def test_a_hand_worked_case():
    # relative errors 10 %, 20 %, 25 %, 0 %; ratios 1.1, 0.8, 1.25, 1.0, median 1.05
    scores = regression_metrics([100, 200, 400, 800], [110, 160, 500, 800])
    assert scores["mape"] == pytest.approx(13.75)
    assert scores["median_ape"] == pytest.approx(15)
    assert (scores["ppe10"], scores["ppe20"]) == (50, 75)
    assert scores["mae"] == pytest.approx(37.5)
    assert scores["rmse"] == pytest.approx(math.sqrt((10**2 + 40**2 + 100**2) / 4))
    assert scores["median_ratio"] == pytest.approx(1.05)
    assert scores["cod"] == pytest.approx(100 * (0.05 + 0.25 + 0.2 + 0.05) / 4 / 1.05)
    assert scores["prd"] == pytest.approx(1.0375 / (1570 / 1500))


def test_the_published_example_of_the_iaao_standard():
    appraised, sale_price = np.transpose(IAAO_TABLE_1_4)
    scores = regression_metrics(sale_price, appraised)
    assert (round(scores["cod"], 1), round(scores["prd"], 2)) == (14.5, 0.98)


def test_a_perfect_prediction():
    target = np.array([1.0, 2.0, 3.0])
    perfect = {"n": 3, "r2": 1, "ppe10": 100, "ppe20": 100, "median_ratio": 1, "prd": 1}
    scores = regression_metrics(target, target)
    assert scores == dict.fromkeys(KEYS, 0) | perfect
    del scores["n"]
    assert {name: METRICS[name].best for name in scores} == scores


def test_a_score_that_is_a_function_of_a_mean_is_one_of_the_losses_of_the_rows(houses_like):
    scores = regression_metrics(*houses_like)
    means = {name: metric for name, metric in METRICS.items() if metric.loss}
    assert list(means) == ["mape", "mae", "rmse", "rmse_log"]
    for name, metric in means.items():
        assert metric.of_mean(np.mean(metric.loss(*houses_like))) == scores[name]


def test_scores_are_written_as_the_table_says():
    assert (METRICS["mape"].heading, METRICS["mape"].write_with_unit(25.06)) == ("MAPE, %", "25.1 %")
    assert (METRICS["r2"].heading, METRICS["r2"].write_with_unit(-0.34449)) == ("R²", "−0.344")
    assert (METRICS["ppe20"].heading, METRICS["ppe20"].write(74.6)) == ("within 20 %, % of rows", "75")
    assert [METRICS["mae"].write(value) for value in (123_456.7, 12.345, 0.012345, 0.0)] == [
        "123,457",
        "12.3",
        "0.0123",
        "0",
    ]
    assert [METRICS["mae"].write(value) for value in (None, math.nan, "1")] == ["–", "–", "–"]


def test_scores_that_are_not_defined_are_dashes():
    values = (None, np.nan, "1", -1.25, 1234.56)
    assert [write_decimals(value, 1) for value in values] == ["–", "–", "–", "−1.2", "1,234.6"]


def test_prb_says_by_which_share_ratios_fall_when_the_value_doubles():
    # Value proxies 1, 2, 4 by construction, median ratio 1: ratios 1.1, 1, 0.9 fall by 10 % per doubling.
    ratio = np.array([1.1, 1.0, 0.9])
    target = 2 * np.array([1.0, 2.0, 4.0]) / (1 + ratio)
    scores = regression_metrics(target, ratio * target)
    assert scores["prb"] == pytest.approx(-0.1)
    assert scores["prd"] > 1


def test_ratio_statistics_do_not_depend_on_the_currency(houses_like):
    target, prediction = houses_like
    in_dollars, in_thousands = (regression_metrics(target * scale, prediction * scale) for scale in (1, 0.001))
    for key in KEYS - {"mae", "rmse"}:
        assert in_thousands[key] == pytest.approx(in_dollars[key], rel=1e-9)


def undefined(target, prediction) -> set[str]:
    return {key for key, value in regression_metrics(target, prediction).items() if math.isnan(value)}


@pytest.mark.parametrize(
    ("target", "prediction", "expected"),
    [
        ([1, 2, 3], [1, 2, 4], set()),
        ([0, 2, 3], [1, 2, 3], PERCENTS | {"rmse_log"} | RATIOS),
        ([-1, 2, 3], [-1, 2, 4], {"rmse_log"} | RATIOS),
        ([1, 2, 3], [-0.5, 2, 3], {"rmse_log"}),
        ([1, 2, 30], [-9, 2, 30], {"rmse_log", "prb"}),
        ([1, 2, 3], [-1, -2, -3], {"rmse_log", "cod", "prd", "prb"}),
        ([1, 2, 90], [1, 2, -9], {"rmse_log", "prd"}),
        ([5, 5, 5], [4, 5, 6], {"r2"}),
        ([5, 5, 5], [4, 4, 4], {"r2", "prb"}),
        ([5], [4], {"r2", "prb"}),
    ],
)
def test_a_score_the_numbers_do_not_define_is_nan(target, prediction, expected):
    assert undefined(target, prediction) == expected


def test_percent_errors_of_a_negative_target_use_its_size():
    assert regression_metrics([-10, -20], [-9, -22])["mape"] == pytest.approx(10)


@pytest.mark.parametrize(
    ("target", "prediction", "message"),
    [
        ([], [], r"at least one row, got \(0,\)"),
        ([1, 2], [1, 2, 3], "2 targets and 3 predictions"),
        ([1, 2], [[1], [2]], r"prediction must have shape \(n,\).*got \(2, 1\).*ravel"),
        ([1, np.nan], [1, 2], r"target must be finite numbers, got row 1: nan \(1 of 2 rows\)"),
        ([1] * 7, [np.inf] * 7, r"row 4: inf \(7 of 7 rows\)"),
    ],
)
def test_unusable_input_is_an_error_that_says_what_came(target, prediction, message):
    with pytest.raises(ValueError, match=message):
        regression_metrics(target, prediction)


# --- intervals ------------------------------------------------------------------------------------------------------


def test_bootstrap_intervals_are_those_of_scipy():
    random = np.random.default_rng(0)
    target = np.exp(random.normal(12, 0.5, 60))
    prediction = target * np.exp(random.normal(0, 0.3, 60))
    found = bootstrap_intervals(target, prediction, seed=1)
    assert list(found) == list(regression_metrics(target, prediction))[1:]
    for name in ("mape", "r2", "median_ratio"):

        def score(rows, name=name):
            rows = rows.astype(int)
            return regression_metrics(target[rows], prediction[rows])[name]

        expected = scipy.stats.bootstrap(
            (np.arange(60),), score, n_resamples=1000, method="percentile", vectorized=False, rng=random
        ).confidence_interval
        width = expected.high - expected.low
        np.testing.assert_allclose(found[name], (expected.low, expected.high), atol=0.15 * width)


def test_bootstrap_intervals_are_the_same_for_the_same_seed_and_nan_where_there_is_no_score():
    first, again, other = (bootstrap_intervals([1.0, 2, 3], [1.5, 2, 4], draws=50, seed=seed) for seed in (0, 0, 1))
    assert str(first) == str(again) != str(other)
    assert np.isnan(bootstrap_intervals([0.0, 2, 3], [1.5, 2, 4], draws=50)["mape"]).all()
