"""The quantile of the scores, against MAPIE and by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from intervals_helpers import fit, inside, labels, predict, simulate
from mapie.regression import SplitConformalRegressor
from sklearn.dummy import DummyRegressor

from mixed_data.intervals import IntervalCalibrator
from mixed_data.intervals.interval_width import FEWEST_ROWS_FOR_DIFFICULTY, CalibratedPattern

# The quantile


@pytest.mark.parametrize(("num_rows", "coverage", "rank"), [(9, 0.9, 9), (19, 0.9, 18), (4, 0.8, 4), (3, 0.5, 2)])
def test_the_interval_reaches_as_far_as_the_residual_of_the_right_rank(num_rows, coverage, rank):
    residuals = np.random.default_rng(0).permutation(np.arange(1.0, num_rows + 1))
    target = np.arange(100.0, 100.0 + num_rows)
    signs = np.resize([1, -1], num_rows)
    calibrator = IntervalCalibrator("identity").fit(
        target, target + signs * residuals, difficulty=np.zeros((num_rows, 1)), pattern=labels(num_rows)
    )
    lower, upper = calibrator.predict([102.0], difficulty=[[0.0]], pattern=["all"], coverage=coverage)
    assert (lower[0], upper[0]) == pytest.approx((102 - rank, 102 + rank), rel=1e-12)


@pytest.mark.parametrize("coverage", ["0.5", "0.683", "0.7", "0.8", "0.85", "0.9", "0.95", "0.99"])
def test_the_quantile_is_the_exact_conformal_one_for_any_number_of_rows(coverage):
    share = Fraction(coverage)
    fewest = math.ceil(share / (1 - share))
    for num_rows in [*range(fewest, fewest + 12), 199, 428, 535]:
        pattern = CalibratedPattern(0.0, np.zeros(1), 0.0, 0.0, np.arange(1.0, num_rows + 1))
        expected = math.ceil(share * (num_rows + 1))
        assert pattern.half_width(np.zeros((1, 1)), float(coverage)) == expected, num_rows
        assert float(coverage) <= pattern.highest_coverage


def mapie_rank(num_rows: int, coverage: float) -> float:
    """Return the quantile of the scores 1, 2, … n by MAPIE: of a regressor that predicts 0, they are the residuals."""
    zero = DummyRegressor(strategy="constant", constant=0.0).fit([[0.0]], [0.0])
    conformal = SplitConformalRegressor(zero, confidence_level=coverage, prefit=True)
    conformal.conformalize(np.zeros((num_rows, 1)), np.arange(1.0, num_rows + 1))
    _, intervals = conformal.predict_interval([[0.0]], allow_infinite_bounds=True)
    return intervals[0, 1, 0]


@pytest.mark.parametrize("num_rows", [1, 2, 3, 4, 5, 6, 9, 10, 19, 28, 49, 99, 199, 428, 535, 1000])
def test_the_quantile_is_that_of_mapie(num_rows):
    pattern = CalibratedPattern(0.0, np.zeros(1), 0.0, 0.0, np.arange(1.0, num_rows + 1))
    usual = [0.5, 0.683, 0.8, 0.9, 0.95, 0.99, *np.random.default_rng(num_rows).uniform(size=20)]
    exact = [rank / (num_rows + 1) for rank in range(1, num_rows + 1, max(1, num_rows // 20))]
    for coverage in (float(share) for share in [*usual, *exact, pattern.highest_coverage]):
        if coverage > pattern.highest_coverage:
            continue
        rank, share_of_rows = pattern.half_width(np.zeros((1, 1)), coverage)[0], coverage * (num_rows + 1)
        if coverage in usual[:6] or abs(share_of_rows - round(share_of_rows)) > 1e-9:
            assert rank == mapie_rank(num_rows, coverage), coverage
        else:  # MAPIE takes the next rank where its 1 - (1 - coverage) is rounded up
            assert rank == round(share_of_rows), coverage
            assert mapie_rank(num_rows, coverage) - rank in (0, 1), coverage


def test_equal_residuals_give_intervals_that_just_reach_the_targets():
    target = np.arange(100.0, 130.0)
    calibrator = IntervalCalibrator("identity").fit(
        target, target + 2.0, difficulty=np.zeros((30, 1)), pattern=labels(30)
    )
    for coverage in (0.1, 0.5, 0.96):
        lower, upper = calibrator.predict(target, difficulty=np.zeros((30, 1)), pattern=labels(30), coverage=coverage)
        np.testing.assert_allclose(upper - target, 2.0, rtol=1e-9)
        np.testing.assert_allclose(target - lower, 2.0, rtol=1e-9)


def test_few_rows_still_keep_the_promise():
    covered = []
    for seed in range(100):
        rows = simulate(9, seed=seed)
        assert FEWEST_ROWS_FOR_DIFFICULTY > 9
        new = simulate(100, seed=1000 + seed)
        covered.append(inside(new, *predict(fit(rows), new)).mean())
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)  # ceil(0.9 * 10) / 10 in expectation
