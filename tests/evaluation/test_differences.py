"""Two models on identical folds: their scores, both intervals, and when a difference is claimed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from comparison_helpers import NUM_ROWS, make_errors, make_evidence

from mixed_data.evaluation.model_differences import (
    HELPS,
    HURTS,
    NOT_SHOWN,
    Evidence,
    compare_models,
    score_repeats,
)
from mixed_data.evaluation.significance import estimate_by_bootstrap, estimate_by_t_test
from mixed_data.metrics import METRICS, regression_metrics
from mixed_data.split import k_fold

MEANS = [name for name, metric in METRICS.items() if metric.loss]


@pytest.fixture
def evidence():
    return make_evidence({"good": make_errors(0.1, seed=1), "bad": make_errors(0.4, seed=2)})


@pytest.mark.parametrize("metric", MEANS)
def test_scores_are_the_pooled_metrics_of_each_repeat(evidence, metric):
    scores = {}
    for model in ("good", "bad"):
        lines = evidence.predictions[evidence.predictions["model"] == model]
        pooled = [
            regression_metrics(evidence.target[part["row"]], part["prediction"])[metric]
            for _, part in lines.groupby("repeat")
        ]
        np.testing.assert_allclose(score_repeats(evidence, model, metric), pooled)
        scores[model] = np.mean(pooled), np.std(pooled, ddof=1)
    found = compare_models(evidence, "good", "bad", metric=metric)
    assert (found.first, found.first_sd) == pytest.approx(scores["good"])
    assert (found.second, found.second_sd) == pytest.approx(scores["bad"])
    assert found.difference == pytest.approx(scores["good"][0] - scores["bad"][0])


@pytest.mark.parametrize("metric", MEANS)
def test_the_t_interval_is_of_the_metrics_of_each_fold(evidence, metric):
    differences, shares = [], []
    for _, part in evidence.predictions.groupby(["repeat", "fold"]):
        good, bad = (part[part["model"] == model] for model in ("good", "bad"))
        metrics = [regression_metrics(evidence.target[rows["row"]], rows["prediction"])[metric] for rows in (good, bad)]
        differences.append(metrics[0] - metrics[1])
        shares.append(len(good) / (NUM_ROWS - len(good)))
    assert len(set(shares)) == 2  # 101 rows in 5 folds
    expected = estimate_by_t_test(differences, np.mean(shares))
    found = compare_models(evidence, "good", "bad", metric=metric)
    assert found.t_interval == pytest.approx((expected.low, expected.high))
    assert found.t_p_value == pytest.approx(expected.p_value)
    assert (found.folds_won, found.num_folds) == (np.sum(np.array(differences) < 0), 15)


def test_the_bootstrap_interval_draws_the_groups_of_the_table():
    groups = np.arange(NUM_ROWS) // 4
    own = {"a": make_errors(0.3, seed=1), "b": make_errors(0.3, seed=2)}
    errors = {name: np.repeat(error[:, :26], 4, axis=1)[:, :NUM_ROWS] for name, error in own.items()}
    evidence = make_evidence(errors, groups=groups)
    apes = np.stack([100 * np.abs(np.exp(errors[name]) - 1) for name in "ab"])
    found = compare_models(evidence, "a", "b")
    expected = estimate_by_bootstrap(apes, groups)
    assert found.bootstrap_interval == pytest.approx((expected.low, expected.high))
    assert found.bootstrap_p_value == expected.p_value
    as_if_single = estimate_by_bootstrap(apes, np.arange(NUM_ROWS))
    assert expected.error > 1.6 * as_if_single.error


def test_swapping_the_models_turns_the_sign(evidence):
    one, other = compare_models(evidence, "good", "bad"), compare_models(evidence, "bad", "good")
    assert other.difference == -one.difference
    assert other.t_interval == pytest.approx((-one.t_interval[1], -one.t_interval[0]))
    assert (one.claim, other.claim) == (HELPS, HURTS)
    assert (one.folds_won, other.folds_won) == (15, 0)
    assert (one.repeats_won, other.repeats_won, one.num_repeats) == (3, 0, 3)


def test_a_model_is_not_different_from_itself(evidence):
    lines = evidence.predictions[evidence.predictions["model"] == "good"]
    evidence = Evidence(pd.concat([lines, lines.assign(model="same")]), evidence.target, evidence.groups)
    found = compare_models(evidence, "good", "same")
    assert (found.difference, found.t_interval, found.bootstrap_interval) == (0, (0, 0), (0, 0))
    assert (found.claim, found.p_value, found.num_rows_needed) == (NOT_SHOWN, 1.0, math.inf)
    assert (found.folds_won, found.repeats_won) == (0, 0)


@pytest.mark.parametrize(
    ("t_interval", "bootstrap_interval", "claim"),
    [
        ((-2.0, -1.0), (-3.0, -0.5), HELPS),
        ((-2.0, 1.0), (-3.0, -0.5), NOT_SHOWN),
        ((-2.0, -1.0), (-3.0, 0.5), NOT_SHOWN),
        ((-2.0, -1.0), (1.0, 3.0), NOT_SHOWN),
        ((1.0, 2.0), (0.5, 3.0), HURTS),
        ((0.0, 2.0), (0.5, 3.0), NOT_SHOWN),
    ],
)
def test_a_difference_is_claimed_only_where_both_intervals_exclude_zero_on_one_side(
    evidence, t_interval, bootstrap_interval, claim
):
    found = compare_models(evidence, "good", "bad", num_draws=10)
    found = replace(found, t_interval=t_interval, bootstrap_interval=bootstrap_interval)
    assert found.claim == claim
    assert found.interval == (min(t_interval[0], bootstrap_interval[0]), max(t_interval[1], bootstrap_interval[1]))


def test_the_rows_needed_are_those_of_the_less_certain_interval():
    found = compare_models(make_evidence({"a": make_errors(0.30, seed=1), "b": make_errors(0.31, seed=2)}), "a", "b")
    half_width = (found.t_interval[1] - found.t_interval[0]) / 2
    reach = 2.1447867  # t with 14 degrees of freedom
    expected = NUM_ROWS * ((reach + 0.8416212) * half_width / reach / found.difference) ** 2
    assert found.num_rows_needed == pytest.approx(expected)
    assert found.claim == NOT_SHOWN
    assert found.num_rows_needed > NUM_ROWS


def test_a_metric_that_is_not_defined_for_a_row_is_none(evidence):
    lines = evidence.predictions
    negative = lines.assign(prediction=lines["prediction"].where(lines["row"] != 7, -1.0))
    with_negative = Evidence(negative, evidence.target, evidence.groups)
    assert compare_models(with_negative, "good", "bad", metric="rmse_log") is None
    target = np.where(np.arange(NUM_ROWS) == 3, 0.0, evidence.target)
    with_zero = Evidence(lines, target, evidence.groups)
    assert compare_models(with_zero, "good", "bad", metric="mape") is None
    assert compare_models(with_zero, "good", "bad", metric="rmse_log") is None
    assert compare_models(with_zero, "good", "bad", metric="mae").claim == HELPS


def test_with_one_repeat_there_is_no_spread_and_json_says_so():
    evidence = make_evidence({"a": make_errors(0.1, seed=1), "b": make_errors(0.4, seed=2)}, num_repeats=1)
    found = compare_models(evidence, "a", "b")
    assert math.isnan(found.first_sd)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["first_sd"] is None
    assert written["claim"] == HELPS
    assert written["interval"] == list(found.interval)
    assert written["p_value"] == found.p_value


def test_what_cannot_be_compared_is_refused(evidence):
    with pytest.raises(ValueError, match=r"expected one of the models \['good', 'bad'\], got 'none'"):
        compare_models(evidence, "good", "none")
    with pytest.raises(ValueError, match=r"metric: expected one of \['mape', .*got 'r2'"):
        compare_models(evidence, "good", "bad", metric="r2")
    lines = evidence.predictions
    is_bad = lines["model"] == "bad"
    for broken, message in (
        (lines[~is_bad | (lines["row"] != 5)], "'bad': every one of the 101 rows"),
        (lines[~(is_bad & (lines["row"] == 5) & (lines["repeat"] == 1))], "'bad': every one of the 101 rows"),
        (pd.concat([lines, lines[is_bad].head(1)]), "'bad': every one of the 101 rows"),
        (lines.assign(prediction=lines["prediction"].where(~is_bad, np.nan)), "'bad': every one of the 101 rows"),
        (lines.assign(fold=lines["fold"].where(~is_bad, lines["row"] % 5)), "not held out on the same folds"),
    ):
        found = Evidence(broken, evidence.target, evidence.groups)
        with pytest.raises(ValueError, match=message):
            compare_models(found, "good", "bad")


# --- crying wolf ----------------------------------------------------------------------------------------------------


def cross_validate(random, *, num_rows=60, useful=0.0):
    """Fit two least-squares models, one of which sees something useful or as useless as the other's, on the folds."""
    noise = random.normal(0, 0.3, num_rows)
    features = random.normal(size=(2, num_rows, 4))
    log_target = noise + useful * features[0].sum(axis=1)
    errors = np.empty((2, 2, num_rows))
    for repeat in range(2):
        for training, held_out in k_fold(np.arange(num_rows), 5, random_state=repeat):
            for model in range(2):
                design = np.column_stack([features[model], np.ones(num_rows)])
                solved = np.linalg.lstsq(design[training], log_target[training])[0]
                errors[model, repeat, held_out] = design[held_out] @ solved - log_target[held_out]
    return make_evidence(dict(zip("ab", errors, strict=True)), num_rows=num_rows, num_repeats=2)


@pytest.fixture(scope="module")
def studies_without_difference():
    random = np.random.default_rng(0)
    return [compare_models(cross_validate(random), "a", "b", num_draws=400) for _ in range(200)]


def test_models_that_are_equally_good_are_told_apart_in_fewer_than_5_percent_of_studies(studies_without_difference):
    claims = [study.claim for study in studies_without_difference]
    assert 200 - claims.count(NOT_SHOWN) <= 10


def test_the_uncorrected_t_test_would_cry_wolf(studies_without_difference):
    # Without n_test / n_train the standard error is sqrt((1/10) / (1/10 + 1/4)) of the corrected one.
    shrink = math.sqrt(0.1 / 0.35)
    middles = np.array([np.mean(study.t_interval) for study in studies_without_difference])
    halves = np.array([np.ptp(study.t_interval) / 2 for study in studies_without_difference])
    assert np.mean(np.abs(middles) > halves * shrink) > 1.5 * 0.05
    assert np.mean(np.abs(middles) > halves) < 0.05


def test_models_that_are_not_equally_good_are_told_apart():
    random = np.random.default_rng(1)
    claims = [compare_models(cross_validate(random, useful=0.3), "a", "b", num_draws=400).claim for _ in range(20)]
    assert claims.count(HELPS) >= 19
