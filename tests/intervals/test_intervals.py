"""Intervals against hand-worked cases and simulated noise whose size is known."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from intervals_helpers import fit, inside, labels, predict, simulate
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

from mixed_data.intervals import IntervalCalibrator
from mixed_data.intervals.interval_width import CalibratedPattern


@pytest.fixture(scope="module")
def calibrator() -> IntervalCalibrator:
    return fit(simulate(2000, seed=0))


# Coverage and width where the noise is known


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_coverage_is_what_was_asked_in_total_and_for_easy_and_hard_rows(calibrator, coverage):
    new = simulate(20_000, seed=1)
    found = inside(new, *predict(calibrator, new, coverage))
    noise = np.sqrt(coverage * (1 - coverage) * (1 / 2000 + 1 / 20_000))  # of the calibration rows and of the new ones
    assert abs(found.mean() - coverage) < 3 * noise
    hard = new["difficulty"][:, 0] == 1
    assert abs(found[hard].mean() - coverage) < 0.07
    assert abs(found[~hard].mean() - coverage) < 0.07


@pytest.mark.parametrize("ratio", [1.0, 1.5, 3.0])
def test_hard_rows_get_intervals_wider_by_about_the_true_ratio(ratio):
    calibrator = fit(simulate(4000, seed=2, ratio=ratio))
    lower, upper = calibrator.predict([1e5, 1e5], difficulty=[[0], [1]], pattern=["all", "all"])
    easy, hard = np.log(upper / lower)
    assert 0.8 * ratio < hard / easy < 1.1 * ratio


def test_normalised_intervals_are_narrower_on_average_than_equal_ones():
    rows, new = simulate(2000, seed=3), simulate(2000, seed=4)
    lower, upper = predict(fit(rows), new)
    for equal in (rows, new):
        equal["difficulty"] = np.zeros((2000, 1))
    equal_lower, equal_upper = predict(fit(rows), new)
    assert np.ptp(np.log(equal_upper / equal_lower)) < 1e-9
    assert np.log(upper / lower).mean() < 0.9 * np.log(equal_upper / equal_lower).mean()


def test_inputs_that_say_nothing_change_the_width_little():
    rows = simulate(1000, seed=5, ratio=1.0)
    rows["difficulty"] = np.random.default_rng(0).normal(size=(1000, 20))
    lower, upper = predict(fit(rows), rows)
    assert np.log(upper / lower).std() < 0.05 * np.log(upper / lower).mean()


def test_many_useless_inputs_do_not_cost_coverage():
    covered = []
    for seed in range(40):
        rows, new = simulate(100, seed=seed), simulate(500, seed=1000 + seed)
        random = np.random.default_rng(seed)
        for some in (rows, new):
            some["difficulty"] = np.c_[some["difficulty"], random.normal(size=(len(some["target"]), 29))]
        covered.append(inside(new, *predict(fit(rows), new)).mean())
    assert np.mean(covered) > 0.89


def test_on_a_log_scale_both_ends_are_the_same_factor_away(calibrator):
    lower, upper = calibrator.predict([1e3, 2e5, 7e6], difficulty=np.zeros((3, 1)), pattern=labels(3))
    factor = upper / [1e3, 2e5, 7e6]
    np.testing.assert_allclose(factor, factor[0], rtol=1e-9)
    np.testing.assert_allclose([1e3, 2e5, 7e6] / lower, factor, rtol=1e-9)
    assert (lower > 0).all()


def test_intervals_of_a_higher_coverage_hold_those_of_a_lower(calibrator):
    new = simulate(50, seed=6)
    ends = [predict(calibrator, new, coverage) for coverage in (0.2, 0.5, 0.9, 0.99)]
    for (lower, upper), (wider_lower, wider_upper) in itertools.pairwise(ends):
        assert (wider_lower < lower).all()
        assert (wider_upper > upper).all()


# Patterns


def test_each_pattern_keeps_the_promise_by_itself():
    rows, new = simulate(1500, seed=7), simulate(6000, seed=8)
    blind, new_blind = simulate(1500, seed=9, ratio=1.0), simulate(6000, seed=10, ratio=1.0)
    for some in (blind, new_blind):  # without photos the errors are five times as large
        some["target"] = some["prediction"] * (some["target"] / some["prediction"]) ** 5
    both = {name: np.concatenate([rows[name], blind[name]]) for name in rows}
    calibrator = IntervalCalibrator("log").fit(**both, pattern=[*["all"] * 1500, *["no photos"] * 1500])
    assert list(calibrator.patterns_) == ["all", "no photos"]
    new_both = {name: np.concatenate([new[name], new_blind[name]]) for name in new}
    names = np.r_[labels(6000), labels(6000, "no photos")]
    shuffled = np.random.default_rng(0).permutation(12_000)
    lower, upper = calibrator.predict(
        new_both["prediction"][shuffled], difficulty=new_both["difficulty"][shuffled], pattern=names[shuffled]
    )
    found = inside({"target": new_both["target"][shuffled]}, lower, upper)
    for name in ("all", "no photos"):
        rows_of_it = names[shuffled] == name
        assert abs(found[rows_of_it].mean() - 0.9) < 3 * np.sqrt(0.09 * (1 / 1500 + 1 / 6000))
    width = np.log(upper / lower)
    assert width[names[shuffled] == "no photos"].mean() > 1.5 * width[names[shuffled] == "all"].mean()


def test_the_same_rows_under_a_second_pattern_do_not_touch_the_first(calibrator):
    rows = simulate(2000, seed=0)
    twice = {name: np.concatenate([values, values]) for name, values in rows.items()}
    twice["prediction"][2000:] *= 1.5
    both = IntervalCalibrator("log").fit(**twice, pattern=[*["all"] * 2000, *["no photos"] * 2000])
    for alone, beside in zip(predict(calibrator, rows), predict(both, rows), strict=True):
        np.testing.assert_allclose(beside, alone, rtol=1e-9)


def test_a_pattern_that_was_never_calibrated_is_an_error_with_its_name(calibrator):
    with pytest.raises(ValueError, match=r"pattern 'no photos', 'no table': calibrated were 'all'; leave these rows"):
        calibrator.predict(np.ones(3), difficulty=np.ones((3, 1)), pattern=["no table", "all", "no photos"])


def test_a_pattern_of_too_few_rows_for_the_coverage_is_an_error_with_the_most_it_can_promise():
    rows = simulate(108, seed=0)
    calibrator = IntervalCalibrator("log").fit(**rows, pattern=[*["all"] * 100, *["no photos"] * 8])
    one_each = {"difficulty": np.zeros((2, 1)), "pattern": ["all", "no photos"]}
    message = r"coverage of 0.9: pattern 'no photos' was calibrated on 8 rows, good for 0.8889; ask for less"
    with pytest.raises(ValueError, match=message):
        calibrator.predict([1e5, 1e5], **one_each, coverage=0.9)
    assert np.isfinite(calibrator.predict([1e5, 1e5], **one_each, coverage=8 / 9)).all()
    assert np.isfinite(calibrator.predict([1e5], difficulty=[[0.0]], pattern=["all"], coverage=0.99)).all()


# Robustness


def test_a_row_gets_the_same_width_to_the_last_bit_whatever_comes_with_it():
    random = np.random.default_rng(0)
    difficulty = random.normal(size=(500, 37))
    pattern = CalibratedPattern(0.3, random.normal(size=37), -90.0, 90.0, np.arange(1.0, 10.0))
    width = pattern.half_width(difficulty, 0.9)
    np.testing.assert_allclose(width, 9 * np.exp(0.3 + difficulty @ pattern.coefficients), rtol=1e-12)
    assert [pattern.half_width(difficulty[[row]], 0.9)[0] for row in range(500)] == width.tolist()
    assert pattern.half_width(np.asfortranarray(difficulty), 0.9).tobytes() == width.tobytes()


def test_rows_are_independent_and_keep_their_order(calibrator):
    rows = simulate(100, seed=14)
    ends = np.array(predict(calibrator, rows))
    shuffled = np.random.default_rng(0).permutation(100)
    some = {name: values[shuffled[:33]] for name, values in rows.items()}
    assert np.array(predict(calibrator, some)).tolist() == ends[:, shuffled[:33]].tolist()


def test_rows_beyond_the_training_range_get_the_width_of_its_ends():
    random = np.random.default_rng(0)
    rows = simulate(500, seed=0)
    rows["difficulty"] = random.uniform(0, 1, size=(500, 1))
    rows["target"] = rows["prediction"] * np.exp(0.3 * rows["difficulty"][:, 0] * random.normal(size=500))
    calibrator = fit(rows)
    lower, upper = predict(calibrator, rows)
    known = np.log(upper / lower)
    lower, upper = calibrator.predict([1e5] * 4, difficulty=[[-1e100], [-9.0], [9.0], [1e100]], pattern=labels(4))
    np.testing.assert_allclose(np.log(upper / lower), [known.min()] * 2 + [known.max()] * 2, rtol=1e-9)


@pytest.mark.parametrize("target_transform", ["log", "identity"])
@pytest.mark.parametrize("num_rows", [12, 60])
def test_perfect_predictions_get_intervals_of_width_0_that_hold_them(target_transform, num_rows):
    rows = simulate(num_rows, seed=0)
    rows["prediction"] = rows["target"]
    calibrator = IntervalCalibrator(target_transform).fit(**rows, pattern=labels(num_rows))
    lower, upper = predict(calibrator, rows)
    assert inside(rows, lower, upper).all()
    np.testing.assert_allclose(lower, upper, rtol=1e-9)


def test_rows_that_are_mostly_perfect_keep_the_promise():
    rows = simulate(1000, seed=0)
    rows["prediction"][::3], rows["prediction"][1::3] = rows["target"][::3], rows["target"][1::3]
    lower, upper = predict(fit(rows), rows)
    assert np.isfinite([lower, upper]).all()
    assert inside(rows, lower, upper).mean() >= 0.9


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e120])
def test_the_unit_of_the_target_does_not_matter(calibrator, scale):
    rows = simulate(2000, seed=0)
    scaled = {**rows, "target": rows["target"] * scale, "prediction": rows["prediction"] * scale}
    for ours, theirs in zip(predict(fit(scaled), scaled), predict(calibrator, rows), strict=True):
        np.testing.assert_allclose(ours / scale, theirs, rtol=1e-9)


def test_a_wild_prediction_stays_finite_and_inside_its_interval(calibrator):
    wild = np.array([1e-300, 1e300])
    lower, upper = calibrator.predict(wild, difficulty=np.ones((2, 1)), pattern=labels(2))
    assert np.isfinite([lower, upper]).all()
    assert ((lower > 0) & (lower <= wild) & (wild <= upper)).all()


def test_no_rows_give_no_intervals(calibrator):
    lower, upper = calibrator.predict([], difficulty=np.empty((0, 1)), pattern=[])
    assert lower.shape == upper.shape == (0,)


def test_series_and_frames_are_read_as_arrays(calibrator):
    rows = simulate(5, seed=1)
    index = list("abcde")
    lower, upper = calibrator.predict(
        pd.Series(rows["prediction"], index=index),
        difficulty=pd.DataFrame(rows["difficulty"], index=index),
        pattern=pd.Series(["all"] * 5, index=index),
    )
    assert np.concatenate([lower, upper]).tolist() == np.concatenate(predict(calibrator, rows)).tolist()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prediction": [1.0]}, r"prediction must have shape \(30,\), one number per row, got \(1,\)"),
        ({"prediction": np.ones((30, 1))}, r"prediction must have shape \(30,\).* got \(30, 1\)"),
        ({"target": np.ones((30, 1))}, r"target must have shape \(n,\).* got \(30, 1\)"),
        (
            {"target": [np.nan] * 7 + [1.0] * 23},
            r"target must be finite numbers.* row 0, 1, 2, 3, 4, and 2 more of 30$",
        ),
        ({"target": ["dear"] * 30}, "target must be numbers: .*dear"),
        ({"target": [10**400] * 30}, "target must be numbers: .*too large"),
        ({"prediction": [-1.0] * 30}, "logarithmic scale predictions must be positive, but 30 of 30"),
        ({"difficulty": np.ones(30)}, r"difficulty must have shape \(30, p\) with p at least 1, got \(30,\)"),
        ({"difficulty": np.ones((30, 0))}, r"p at least 1, got \(30, 0\)"),
        ({"difficulty": np.ones((29, 1))}, r"difficulty must have shape \(30, p\)"),
        ({"difficulty": [[1.0]] * 29 + [[np.nan]]}, r"difficulty must be finite .* row 29 of 30$"),
        ({"difficulty": [[1.0]] * 29 + [[1e101]]}, r"of at most 1e\+100, but are not in row 29"),
        ({"pattern": "all"}, r"pattern must have shape \(30,\), one text per row, got \(\)"),
        ({"pattern": ["all"] * 29 + [None]}, r"pattern must be texts, but are not in row 29"),
        ({"pattern": [4] * 30}, r"pattern must be texts, .* and 25 more of 30$"),
    ],
)
def test_unusable_arguments_of_fit_are_refused_by_name(changed, message):
    arguments = {**simulate(30, seed=0), "pattern": labels(30)}
    with pytest.raises(ValueError, match=message):
        IntervalCalibrator("log").fit(**{**arguments, **changed})


def test_no_rows_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="at least one training target"):
        IntervalCalibrator().fit([], [], difficulty=np.empty((0, 1)), pattern=[])


@pytest.mark.parametrize("coverage", [0, 1, 0.0, 1.0, -0.1, 90, True, "0.9", None, np.nan])
def test_a_coverage_that_is_no_share_is_refused(calibrator, coverage):
    with pytest.raises(ValueError, match="coverage must be a share above 0 and below 1"):
        calibrator.predict([1e5], difficulty=[[0.0]], pattern=["all"], coverage=coverage)


def test_difficulty_of_another_width_than_in_fit_is_refused(calibrator):
    with pytest.raises(ValueError, match="must have the 1 columns of fit, got 2"):
        calibrator.predict([1e5], difficulty=[[0.0, 1.0]], pattern=["all"])


# The contract of scikit-learn


@pytest.mark.parametrize(
    "check",
    [
        estimator_checks.check_no_attributes_set_in_init,
        estimator_checks.check_parameters_default_constructible,
        estimator_checks.check_get_params_invariance,
        estimator_checks.check_set_params,
        estimator_checks.check_estimator_cloneable,
        estimator_checks.check_estimator_repr,
    ],
)
def test_scikit_learn_contract_holds(check):
    check("IntervalCalibrator", IntervalCalibrator())


def test_predict_never_learns_a_refit_forgets_and_the_seed_decides(calibrator):
    rows = simulate(200, seed=11)
    fitted = fit(rows)
    before = pickle.dumps(fitted)
    predict(fitted, simulate(50, seed=12))
    assert pickle.dumps(fitted) == before
    state = copy.deepcopy(calibrator).fit(**rows, pattern=labels(200)).get_state()
    assert state == fitted.get_state()
    assert state["patterns"][0]["scores"] != fit(rows, random_state=1).get_state()["patterns"][0]["scores"]
    with pytest.raises(NotFittedError):
        predict(IntervalCalibrator(), rows)
    with pytest.raises(NotFittedError):
        IntervalCalibrator().get_state()
