"""What `IntervalCalibrator` learned, there and back as JSON, and what is refused on the way."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from intervals_helpers import fit, simulate

from mixed_data.intervals import IntervalCalibrator


@pytest.fixture(scope="module")
def calibrator() -> IntervalCalibrator:
    return fit(simulate(2000, seed=0))


def test_state_round_trip_through_json_is_exact():
    rows = simulate(160, seed=13)
    names = [*["all"] * 150, *["no photos"] * 10]
    fitted = IntervalCalibrator("log", random_state=3).fit(**rows, pattern=names)
    state = fitted.get_state()
    again = IntervalCalibrator.from_state(json.loads(json.dumps(state, allow_nan=False)))
    assert again.get_state() == state
    assert again.get_params() == fitted.get_params()
    new = {"prediction": rows["prediction"], "difficulty": rows["difficulty"], "pattern": names}
    for ours, theirs in zip(again.predict(**new), fitted.predict(**new), strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("format", "mixed_data.TargetTransformer", "expected a state of format 'mixed_data.IntervalCalibrator'"),
        ("version", 2, "expected version 1, got 2"),
        ("random_state", 0.5, "'random_state' must be an integer"),
        ("target", {}, "expected a state of format 'mixed_data.TargetTransformer'"),
        ("num_inputs", 0, "at least one input and one pattern"),
        ("num_inputs", 2, "pattern 0: expected 2 coefficients, got 1"),
        ("patterns", [], "at least one input and one pattern"),
        ("patterns", ["all"], "'patterns' must be a list of objects"),
        ("extra", 1, "'extra' is unknown"),
    ],
)
def test_a_wrong_state_is_refused_by_name(calibrator, name, value, message):
    with pytest.raises(ValueError, match=message):
        IntervalCalibrator.from_state({**calibrator.get_state(), name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", 1, "'name' must be a text"),
        ("intercept", "0", "'intercept' must be a finite number"),
        ("intercept", -2e100, r"numbers of at most 1e\+100"),
        ("coefficients", [2e100], r"numbers of at most 1e\+100"),
        ("coefficients", [], "expected 1 coefficients, got 0"),
        ("lowest", 1e3, "-100 <= lowest <= highest <= 100"),
        ("lowest", -101, "-100 <= lowest <= highest <= 100"),
        ("highest", 101, "-100 <= lowest <= highest <= 100"),
        ("scores", [], "at least one score"),
        ("scores", [-1.0, 2.0], "none negative"),
        ("scores", [2.0, 1.0], "ascending"),
        ("scores", [1.0, 2e100], r"numbers of at most 1e\+100"),
        ("scores", [1.0, float("nan")], "'scores' must be a list of finite numbers"),
        ("scores", [10**400], "'scores' must be a list of finite numbers"),
    ],
)
def test_a_wrong_pattern_in_a_state_is_refused_by_its_number(calibrator, name, value, message):
    state = calibrator.get_state()
    state["patterns"][0][name] = value
    with pytest.raises(ValueError, match=message) as caught:
        IntervalCalibrator.from_state(state)
    assert "pattern 0" in str(caught.value)


def test_a_pattern_that_is_there_twice_is_refused(calibrator):
    state = calibrator.get_state()
    with pytest.raises(ValueError, match="pattern 1: 'all' is there twice"):
        IntervalCalibrator.from_state({**state, "patterns": state["patterns"] * 2})


def test_a_hostile_state_is_refused_or_gives_finite_intervals(calibrator):
    odd = [None, True, "x", [], {}, [None], [[1.0]], 0, -1, 2, 1e99, -1e308, 1e308, 1e-308, 10**400, float("nan")]
    state = fit(simulate(30, seed=0)).get_state()
    num_loaded = 0
    for part in (state, state["target"], state["patterns"][0]):
        for name, good in list(part.items()):
            for value in [*odd, *([other] for other in odd)]:
                part[name] = value
                try:
                    loaded = IntervalCalibrator.from_state(copy.deepcopy(state))
                except ValueError:
                    continue
                num_loaded += 1
                if part is not state["target"]:  # TargetTransformer's own tests
                    difficulty = np.array([[-1e100], [0.0], [1e100]])
                    names = [next(iter(loaded.patterns_))] * 3
                    ends = loaded.predict([1e-5, 1.0, 1e300], difficulty=difficulty, pattern=names, coverage=0.4)
                    assert np.isfinite(ends).all(), (name, value)
            part[name] = good
    assert num_loaded > 10
