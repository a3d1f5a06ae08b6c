"""The intervals agree with hand-worked cases, with SciPy and with theory, and do not cry wolf."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from mixed_data.evaluation.significance import (
    Estimate,
    adjust_holm,
    count_rows_needed,
    estimate_by_bootstrap,
    estimate_by_t_test,
)

# --- the corrected resampled t-test ---------------------------------------------------------------------------------


def test_the_corrected_t_interval_of_a_hand_worked_case():
    # mean -2, s^2 = 2/3; (1/4 + 1/3) 2/3 = 7/18; t with 3 degrees of freedom reaches 3.18245 standard errors.
    found = estimate_by_t_test([-2.0, -1.0, -3.0, -2.0], 1 / 3)
    assert found.error == pytest.approx(math.sqrt(7 / 18))
    assert (found.low, found.high) == pytest.approx((-3.984600, -0.015400), abs=1e-5)
    assert found.p_value == pytest.approx(0.0490635, abs=1e-6)
    assert found.reach == pytest.approx(3.182446)


def test_without_its_correction_the_t_test_is_that_of_scipy():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 15)
    expected = stats.ttest_1samp(differences, 0.0)
    found = estimate_by_t_test(differences, 0.0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval(0.95))


def test_more_repeats_do_not_shrink_the_corrected_interval_without_end():
    differences = np.random.default_rng(0).normal(0.3, 1.0, 5)
    once, often = (estimate_by_t_test(np.tile(differences, repeats), 1 / 4) for repeats in (1, 1000))
    assert often.error == pytest.approx(math.sqrt(1 / 4) * differences.std(), rel=1e-3)
    assert often.error > 0.6 * once.error


def test_folds_that_all_differ_alike_leave_no_doubt_and_folds_without_difference_all_of_it():
    assert estimate_by_t_test([-1.0, -1.0, -1.0], 0.5) == Estimate(-1.0, -1.0, 0.0, pytest.approx(4.302653), 0.0)
    assert estimate_by_t_test([0.0, 0.0], 1.0).p_value == 1.0


def test_one_fold_is_too_few():
    with pytest.raises(ValueError, match="at least two folds, got 1"):
        estimate_by_t_test([1.0], 0.25)


# --- the grouped bootstrap ------------------------------------------------------------------------------------------


def make_losses(num_rows=500, num_repeats=1, seed=0):
    random = np.random.default_rng(seed)
    losses = random.gamma(2.0, 10.0, (2, 1, num_rows)) + random.normal(0, 1, (2, num_repeats, num_rows))
    return np.abs(losses)


def test_the_bootstrap_of_single_rows_is_that_of_scipy():
    losses = make_losses()
    difference = (losses[0] - losses[1])[0]
    expected = stats.bootstrap((difference,), np.mean, n_resamples=10_000, method="percentile", rng=1)
    found = estimate_by_bootstrap(losses, np.arange(500))
    width = expected.confidence_interval.high - expected.confidence_interval.low
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval), abs=0.03 * width)
    assert found.error == pytest.approx(expected.standard_error, rel=0.03)


def test_the_bootstrap_error_of_a_mean_is_the_one_of_theory():
    losses = make_losses(num_repeats=3)
    difference = (losses[0] - losses[1]).mean(axis=0)
    found = estimate_by_bootstrap(losses, np.arange(500))
    assert found.error == pytest.approx(difference.std() / math.sqrt(500), rel=0.03)
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.error, rel=0.05)
    expected = 2 * stats.norm.sf(abs(difference.mean()) / found.error)
    assert found.p_value == pytest.approx(expected, abs=0.03)


def test_rows_of_one_group_count_as_one_draw():
    twice = np.repeat(make_losses(num_rows=250), 2, axis=2)
    alone = estimate_by_bootstrap(twice, np.arange(500))
    pairs = estimate_by_bootstrap(twice, [f"house {row // 2}" for row in range(500)])
    assert pairs.error == pytest.approx(math.sqrt(2) * alone.error, rel=0.04)


def test_groups_of_unequal_size_are_weighed_by_their_rows():
    # Group 0 has one row with a difference of 8, group 1 three rows with 0: drawn twice, the mean is 8, 2, 2 or 0.
    losses = np.array([[[8.0, 0, 0, 0]], [[0.0, 0, 0, 0]]])
    found = estimate_by_bootstrap(losses, [0, 1, 1, 1], num_draws=20_000)
    draws = np.array([8.0, 2.0, 2.0, 0.0])
    assert found.error == pytest.approx(draws.std(), rel=0.02)
    assert (found.low, found.high) == (0.0, 8.0)


def test_a_score_that_is_no_mean_is_taken_over_the_drawn_rows_of_each_repeat():
    losses = make_losses(num_repeats=2)
    rows = np.arange(500)

    def difference_of_roots(first, second, axis):
        return np.sqrt(first.mean(axis=axis)) - np.sqrt(second.mean(axis=axis))

    pairs = [tuple(losses[:, repeat]) for repeat in range(2)]
    single = [
        stats.bootstrap(pair, difference_of_roots, paired=True, n_resamples=5_000, method="percentile", rng=1)
        for pair in pairs
    ]
    found = [estimate_by_bootstrap(losses[:, [repeat]], rows, of_mean=np.sqrt) for repeat in range(2)]
    for expected, got in zip(single, found, strict=True):
        assert got.error == pytest.approx(expected.standard_error, rel=0.04)
    both = estimate_by_bootstrap(losses, rows, of_mean=np.sqrt)
    assert both.error == pytest.approx(np.mean([got.error for got in found]), rel=0.05)  # the repeats are nearly equal


def test_the_bootstrap_does_not_depend_on_how_many_draws_are_in_memory_at_once(monkeypatch):
    losses = make_losses(num_rows=50)
    at_once = estimate_by_bootstrap(losses, np.arange(50), num_draws=1_000)
    monkeypatch.setattr("mixed_data.evaluation.significance._MAX_COUNTS_AT_ONCE", 50 * 7)
    in_parts = estimate_by_bootstrap(losses, np.arange(50), num_draws=1_000)
    assert asdict(in_parts) == pytest.approx(asdict(at_once))


def test_the_seed_decides_the_draws():
    losses, rows = make_losses(num_rows=50), np.arange(50)
    first, again, other = (estimate_by_bootstrap(losses, rows, num_draws=100, random_state=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_a_bootstrap_p_value_is_never_zero():
    losses = np.stack([np.zeros((1, 20)), np.ones((1, 20))])
    assert estimate_by_bootstrap(losses, np.arange(20), num_draws=999).p_value == pytest.approx(2 / 1000)
    assert estimate_by_bootstrap(losses * 0, np.arange(20), num_draws=999).p_value == 1.0


# --- rows needed, and several questions at once ---------------------------------------------------------------------


def test_the_rows_needed_show_the_difference_in_80_percent_of_all_studies():
    random = np.random.default_rng(0)
    true_difference, spread = 0.5, 5.0
    pilot = Estimate(0, 0, spread / math.sqrt(100), 1.96, 0)
    num_rows = round(count_rows_needed(true_difference, pilot, 100))
    assert num_rows == 785  # (1.96 + 0.84)^2 (5 / 0.5)^2
    means = random.normal(true_difference, spread, (2_000, num_rows)).mean(axis=1)
    assert (means > 1.96 * spread / math.sqrt(num_rows)).mean() == pytest.approx(0.80, abs=0.02)


def test_no_difference_needs_endless_rows():
    assert count_rows_needed(0.0, Estimate(-1, 1, 0.5, 1.96, 1), 100) == math.inf


def test_holms_adjustment_of_a_hand_worked_case():
    # In order 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1 is 0.04, 0.06, 0.06, 0.04, and none is below the one before.
    assert adjust_holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert adjust_holm([0.7, 0.6]) == [1.0, 1.0]
    assert adjust_holm([0.03]) == [0.03]
