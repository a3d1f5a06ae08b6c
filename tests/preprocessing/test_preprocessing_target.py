"""Facts about the target transformer; NumPy and scikit-learn are the oracles."""

from __future__ import annotations

import json
import logging
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from mixed_data.preprocessing import TargetTransformer

PRICES = np.random.default_rng(0).lognormal(13, 0.6, 400)


def test_skewed_positive_targets_are_logged_and_standardised() -> None:
    assert stats.skew(PRICES) > 1
    transformer = TargetTransformer().fit(PRICES)
    assert transformer.log_ is True
    expected = StandardScaler().fit_transform(np.log(PRICES)[:, None])[:, 0]
    np.testing.assert_allclose(transformer.transform(PRICES), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("targets", "log"),
    [
        (np.arange(1.0, 50.0), False),  # positive, not skewed
        (PRICES - PRICES.min(), False),  # skewed, with a zero
        (PRICES, True),
    ],
)
def test_auto_logs_only_what_is_positive_and_skewed(targets: np.ndarray, log: bool) -> None:
    assert TargetTransformer().fit(targets).log_ is log


def test_the_method_overrides_the_rule() -> None:
    assert TargetTransformer("log").fit(np.arange(1.0, 50.0)).log_ is True
    transformer = TargetTransformer("identity").fit(PRICES)
    assert transformer.log_ is False
    assert transformer.transform(PRICES).mean() == pytest.approx(0, abs=1e-12)
    assert transformer.transform(PRICES).std() == pytest.approx(1)


@pytest.mark.parametrize("method", ["log", "identity"])
@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1.0, 1e9, 1e120])
def test_round_trip_is_exact_to_1e_12(method: str, scale: float) -> None:
    targets = PRICES * scale
    transformer = TargetTransformer(method)
    with np.errstate(under="ignore"):
        back = transformer.inverse_transform(transformer.fit_transform(targets))
    # Without a log, the error is relative to the spread of the targets, not to the smallest one.
    np.testing.assert_allclose(back, targets, rtol=1e-12)


def test_round_trip_reaches_a_training_target_of_more_than_20_standard_deviations() -> None:
    targets = np.r_[np.random.default_rng(0).normal(size=3000), 1000.0]
    transformer = TargetTransformer("identity").fit(targets)
    assert transformer.farthest_ == pytest.approx((1000 - targets.mean()) / targets.std())
    assert transformer.farthest_ > 50
    assert transformer.inverse_transform(transformer.transform(targets))[-1] == pytest.approx(1000, rel=1e-12)


@pytest.mark.parametrize("method", ["log", "identity"])
def test_wild_predictions_stop_at_20_standard_deviations(method: str) -> None:
    transformer = TargetTransformer(method).fit(PRICES)
    wild = transformer.inverse_transform([np.inf, 1e30, 21.0, 20.0, -20.0, -21.0, -np.inf])
    assert np.isfinite(wild).all()
    assert (wild[:4] == wild[3]).all()
    assert (wild[4:] == wild[4]).all()
    worked = np.log(PRICES) if method == "log" else PRICES
    farthest = worked.mean() + 20 * worked.std()
    assert wild[3] == pytest.approx(np.exp(farthest) if method == "log" else farthest)


@pytest.mark.parametrize("method", ["log", "identity"])
def test_inverse_stays_finite_and_positive_at_the_ends_of_float64(method: str) -> None:
    targets = np.array([1e-150, 1.0, 1e150])
    wild = TargetTransformer(method).fit(targets).inverse_transform([-np.inf, np.inf])
    assert np.isfinite(wild).all()
    assert method == "identity" or wild[0] > 0


def test_nan_predictions_are_an_error_naming_rows() -> None:
    with pytest.raises(ValueError, match=r"NaN in rows 1, 2; the model diverged"):
        TargetTransformer().fit(PRICES).inverse_transform([0.0, np.nan, np.nan])


@pytest.mark.parametrize("method", ["log", "identity"])
@pytest.mark.parametrize("value", [0.1, 250_000.0, 1.0])
def test_constant_targets_become_0_and_come_back(method: str, value: float, caplog: pytest.LogCaptureFixture) -> None:
    transformer = TargetTransformer(method).fit([value] * 7)
    assert transformer.std_ == 1.0
    np.testing.assert_allclose(transformer.transform([value]), [0.0], atol=1e-12)
    np.testing.assert_allclose(transformer.inverse_transform([0.0]), [value], rtol=1e-12)
    assert "all the same" in caplog.text


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1.0, np.nan, np.inf, 2.0], "not in rows 1, 2"),
        ([np.nan] * 9, r"not in rows 0, 1, 2, 3, 4, and 4 more"),
        ([1.0, None], "not in row 1"),
        (["1", "dear"], "expected numbers as targets: could not convert string to float: .*dear"),
        ([], "at least one training target"),
        ([[1.0, 2.0]], r"shape \(n,\) or \(n, 1\), got \(1, 2\)"),
    ],
)
@pytest.mark.parametrize("method", ["auto", "log", "identity"])
def test_bad_targets_are_refused_by_row(method: str, targets: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TargetTransformer(method).fit(targets)


def test_log_of_targets_that_are_not_positive_is_an_error_with_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"not in rows 0, 2; .*method='identity'"):
        TargetTransformer("log").fit([0.0, 1.0, -3.0])
    with pytest.raises(ValueError, match="not in row 1"):
        TargetTransformer("log").fit([1.0, 2.0]).transform([1.0, 0.0])


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match=r"method must be one of .*got 'sqrt'"):
        TargetTransformer("sqrt").fit([1.0])


def test_series_lists_and_columns_keep_their_shape() -> None:
    series = pd.Series(PRICES[:5], index=list("abcde"))
    transformer = TargetTransformer("log").fit(series)
    assert transformer.transform(series).shape == (5,)
    assert transformer.transform(series.to_frame()).shape == (5, 1)
    assert transformer.inverse_transform(np.zeros((5, 1), dtype=np.float32)).shape == (5, 1)
    assert transformer.transform(series.astype("Float64")).dtype == np.float64


def test_it_serves_scikit_learns_own_target_regressor() -> None:
    rows = np.log(PRICES)[:, None]
    model = TransformedTargetRegressor(LinearRegression(), transformer=TargetTransformer()).fit(rows, PRICES)
    np.testing.assert_allclose(model.predict(rows), PRICES, rtol=1e-9)


@pytest.mark.parametrize(
    "check",
    [
        # The other checks of parametrize_with_checks need an estimator of 2-D rows; for one of targets
        # (as LabelEncoder) scikit-learn skips them all.
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
)
def test_scikit_learn_contract_holds(check: Any) -> None:
    check("TargetTransformer", TargetTransformer())


def test_transform_never_learns_and_a_refit_forgets() -> None:
    transformer = TargetTransformer().fit(PRICES)
    before = pickle.dumps(transformer)
    transformer.transform(PRICES * 3)
    transformer.inverse_transform([50.0])
    assert pickle.dumps(transformer) == before
    assert transformer.fit([1.0, 2.0, 3.0]).get_state() == TargetTransformer().fit([1.0, 2.0, 3.0]).get_state()
    with pytest.raises(NotFittedError):
        clone(transformer).transform(PRICES)


def test_state_round_trip_through_json_is_exact() -> None:
    transformer = TargetTransformer().fit(PRICES)
    state = transformer.get_state()
    again = TargetTransformer.from_state(json.loads(json.dumps(state, allow_nan=False)))
    assert again.get_state() == state
    assert again.transform(PRICES).tobytes() == transformer.transform(PRICES).tobytes()
    assert again.inverse_transform(PRICES / 1e6).tobytes() == transformer.inverse_transform(PRICES / 1e6).tobytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "format",
            "mixed_data.TabularPreprocessor",
            "expected a state of format 'mixed_data.TargetTransformer'",
        ),
        ("version", 2, "expected version 1, got 2"),
        ("mean", None, "'mean' must be a finite number"),
        ("std", 0.0, "std > 0"),
        ("farthest", -1, "farthest > 0"),
        ("log", 1, "'log' must be true or false"),
        ("method", "sqrt", "method"),
    ],
)
def test_a_wrong_state_is_refused_by_name(name: str, value: Any, message: str) -> None:
    state = TargetTransformer().fit(PRICES).get_state()
    with pytest.raises(ValueError, match=message):
        TargetTransformer.from_state({**state, name: value})


def test_the_scale_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="mixed_data"):
        TargetTransformer().fit(PRICES)
    assert caplog.messages == ["target: logarithmic scale"]
