"""Prediction intervals from out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from mixed_data.files.checked_json import INTEGER, OBJECT, OBJECTS, check_state
from mixed_data.files.learned import Learned
from mixed_data.intervals.argument_checks import FloatArray, check_rows, check_vector
from mixed_data.intervals.interval_width import CalibratedPattern
from mixed_data.preprocessing.target_scale import TargetScale

_FORMAT = "mixed_data.IntervalCalibrator"
_VERSION = 1
_FIELDS = {"random_state": INTEGER, "target": OBJECT, "num_inputs": INTEGER, "patterns": OBJECTS}


class CalibratedIntervals(Learned):
    """Intervals that hold a chosen share of the true values, narrower where predictions are more reliable.

    Split conformal prediction with residuals normalised by their expected size. A ridge regression learns from the
    logarithm of each row's absolute residual how `difficulty` widens it. The quantile of the normalised residuals
    (corrected for few rows) then makes the share come out, whatever the ridge has learned. On a logarithmic target, the
    ends are the prediction times and divided by the same factor.

    Give `fit` predictions by models that had not seen the row: those of K-fold models, so that calibration costs no
    training rows. The final model has seen more rows than they had and errs a little less, so that intervals tend to
    hold slightly more than was asked. Numbers in `difficulty` must mean the same for the fold models and the final one:
    the share of the training rows with the same zipcode, not their number. The promise is about new rows like the
    training rows, and on average over them; `mixed_data.intervals.coverage_table` shows where it is not kept.

    Each pattern (all there, photos missing, …) is calibrated by itself. A row may come under several patterns.

    Both tails of the residuals are taken together. Two separate quantiles were no better on the houses and need twice
    as many rows.

    Args:
        target_transform: the scale of the residuals, "auto", "log" or "identity"; see `TargetTransformer`. Give what
            the regressor uses.
        random_state: seed of the folds in which the training rows are normalised.

    Attributes:
        target_transformer_: the fitted `TargetTransformer`.
        patterns_: name -> `CalibratedPattern`, in alphabetical order.
        num_inputs_: number of columns of `difficulty`.

    Example:
        >>> random = np.random.default_rng(0)
        >>> spread = random.choice([0.1, 0.2], size=(2000, 1))
        >>> price = random.uniform(1e5, 5e5, size=2000)
        >>> prediction = price * np.exp(spread[:, 0] * random.normal(size=2000))
        >>> calibrator = CalibratedIntervals("log").fit(price, prediction, difficulty=spread, pattern=["all"] * 2000)
        >>> lower, upper = calibrator.predict([2e5, 2e5], difficulty=[[0.1], [0.2]], pattern=["all", "all"])
        >>> lower.round(-3).tolist(), upper.round(-3).tolist()
        ([167000.0, 147000.0], [240000.0, 272000.0])

    Reference:
        Lei, G'Sell, Rinaldo, Tibshirani, Wasserman: Distribution-Free Predictive Inference for Regression, 2018,
        doi:10.1080/01621459.2017.1307116 (section 5.2, locally weighted). Vovk: Cross-conformal predictors, 2015,
        doi:10.1007/s10472-013-9368-4. Vovk, Lindsay, Nouretdinov, Gammerman: Mondrian Confidence Machine, 2003 (each
        pattern by itself).
    """

    def __init__(self, target_transform: str = "auto", *, random_state: int = 0) -> None:
        self.target_transform = target_transform
        self.random_state = random_state

    def fit(self, target: ArrayLike, prediction: ArrayLike, *, difficulty: ArrayLike, pattern: ArrayLike) -> Self:
        """Learn from rows with known targets and the predictions of models that had not seen them.

        Args:
            target: `(n,)`, n at least 1, finite, target units.
            prediction: `(n,)`, finite, target units; positive where the scale is logarithmic.
            difficulty: `(n, p)`, p at least 1, finite numbers that may go with the size of the error: the spread of an
                ensemble's members, the logarithm of the prediction, the number of photos. Skewed numbers serve better
                as logarithms. A column of zeros gives all rows the same width.
            pattern: `(n,)`, texts.

        Returns:
            self.

        Raises:
            ValueError: an argument is not of this shape or kind.
        """
        target = check_vector(target, "target")
        prediction, difficulty, names = check_rows(prediction, difficulty, pattern=pattern, num_rows=len(target))
        transformer = TargetScale(self.target_transform).fit(target)
        residual = np.abs(transformer.transform(target) - _transform(prediction, transformer))
        self.target_transformer_ = transformer
        self.num_inputs_ = difficulty.shape[1]
        self.patterns_ = {}
        for name in sorted(set(names)):
            rows = names == name
            self.patterns_[name] = CalibratedPattern.learn(
                residual[rows], difficulty[rows], random_state=self.random_state
            )
        return self

    def predict(
        self, prediction: ArrayLike, *, difficulty: ArrayLike, pattern: ArrayLike, coverage: float = 0.9
    ) -> tuple[FloatArray, FloatArray]:
        """Return an interval around each prediction; each row by itself.

        Args:
            prediction: `(n,)`, target units; n may be 0.
            difficulty: `(n, p)`, the numbers of `fit`. A row that looks harder than all training rows gets the width of
                the hardest of them.
            pattern: `(n,)`, names among `patterns_`.
            coverage: share of new rows whose true value is to lie inside, above 0 and below 1.

        Returns:
            lower and upper ends, float64 `(n,)` each, target units, finite, with the prediction between them. They stop
            where the inverse of `TargetTransformer` does, 20 standard deviations out.

        Raises:
            ValueError: an argument is not of this shape or kind, or a pattern was never calibrated, or on too few rows
                for this coverage: n rows can promise at most n / (n + 1).
        """
        self.check_fitted()
        prediction, difficulty, names = check_rows(prediction, difficulty, pattern=pattern)
        if difficulty.shape[1] != self.num_inputs_:
            raise ValueError(f"difficulty must have the {self.num_inputs_} columns of fit, got {difficulty.shape[1]}")
        asked = sorted(set(names))
        self._check_promise(asked, coverage)
        centre = _transform(prediction, self.target_transformer_)
        half_width = np.empty(len(prediction))
        for name in asked:
            rows = names == name
            half_width[rows] = self.patterns_[name].half_width(difficulty[rows], coverage)
        lower = self.target_transformer_.inverse_transform(centre - half_width)
        upper = self.target_transformer_.inverse_transform(centre + half_width)
        # The way there and back may round; a width of 0 must not push the prediction out.
        return np.minimum(lower, prediction), np.maximum(upper, prediction)

    def get_state(self) -> dict[str, Any]:
        """Return all that was learned as a JSON-able dict."""
        self.check_fitted()
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "random_state": self.random_state,
            "target": self.target_transformer_.get_state(),
            "num_inputs": self.num_inputs_,
            "patterns": [{"name": name, **learned.get_state()} for name, learned in self.patterns_.items()],
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Rebuild the fitted calibrator of `get_state`; nothing in the state is executed.

        Raises:
            ValueError: the state has another format or version, or a field is missing or out of range.
        """
        state = check_state(state, _FORMAT, _VERSION, _FIELDS)
        if state["num_inputs"] < 1 or not state["patterns"]:
            raise ValueError(f"{_FORMAT} state: expected at least one input and one pattern; fit and save it again")
        transformer = TargetScale.from_state(state["target"])
        calibrator = cls(transformer.method, random_state=state["random_state"])
        calibrator.target_transformer_ = transformer
        calibrator.num_inputs_ = state["num_inputs"]
        calibrator.patterns_ = {}
        for number, fields in enumerate(state["patterns"]):
            what = f"{_FORMAT} state, pattern {number}"
            learned = CalibratedPattern.from_state(fields, what, num_inputs=state["num_inputs"])
            if fields["name"] in calibrator.patterns_:
                raise ValueError(f"{what}: {fields['name']!r} is there twice")
            calibrator.patterns_[fields["name"]] = learned
        return calibrator

    def _check_promise(self, names: Iterable[str], coverage: float) -> None:
        if not isinstance(coverage, Real) or not 0 < coverage < 1:
            raise ValueError(f"coverage must be a share above 0 and below 1, such as 0.9, got {coverage!r}")
        if unknown := [name for name in names if name not in self.patterns_]:
            raise ValueError(
                f"no intervals for rows of pattern {', '.join(map(repr, unknown))}: calibrated were "
                f"{', '.join(map(repr, self.patterns_))}; leave these rows out, or fit with such rows"
            )
        learned = {name: self.patterns_[name] for name in names}
        short = [
            f"{name!r} was calibrated on {len(pattern.scores)} rows, good for {pattern.highest_coverage:.4g}"
            for name, pattern in learned.items()
            if coverage > pattern.highest_coverage
        ]
        if short:
            raise ValueError(
                f"too few rows for a coverage of {coverage}: pattern {', '.join(short)}; ask for less coverage, or fit "
                "with more rows"
            )


def _transform(prediction: FloatArray, transformer: TargetScale) -> FloatArray:
    if transformer.log_ and (prediction <= 0).any():
        raise ValueError(
            f"on a logarithmic scale predictions must be positive, but {np.sum(prediction <= 0)} of {len(prediction)} "
            "are not; fit the calibrator with the target_transform of the regressor, or 'identity'"
        )
    return transformer.transform(prediction)
