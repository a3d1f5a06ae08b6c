"""The calibration of the rows of one pattern: all there, photos missing, and so on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixed_data.files.checked_json import NUMBER, NUMBERS, TEXT, check_fields
from mixed_data.intervals.argument_checks import LARGEST, FloatArray

FEWEST_ROWS_FOR_DIFFICULTY = 20
"""A pattern with fewer rows (two per fold) has one width for all: so few cannot tell which rows are the hard ones."""

_PENALTIES = np.geomspace(1, 1e6, 13)  # of the ridge; the largest leaves all rows about the same width
_NUM_FOLDS = 10
_FLOOR = 0.1  # of the median residual: without it, the rows that were met by luck would count most
_NOISE = 1e-12  # standard deviations of the target; residuals below are rounding
_ROUNDING = 1e-12  # relative
_FARTHEST_LOG = 100.0  # exp(100) is finite, and so is its product with LARGEST
_NUMBERS, _LISTS = ("intercept", "lowest", "highest"), ("coefficients", "scores")
_FIELDS = {"name": TEXT, **dict.fromkeys(_NUMBERS, NUMBER), **dict.fromkeys(_LISTS, NUMBERS)}


@dataclass(frozen=True)
class CalibratedPattern:
    """How wide the intervals of one pattern's rows must be.

    A row's expected residual is in proportion to exp(intercept + difficulty · coefficients). Its score is its residual
    in units of that.

    Attributes:
        intercept: of the logarithm of the unit.
        coefficients: float64 `(p,)`, of the logarithm of the unit.
        lowest: of the unit's logarithm over the training rows; no row gets less.
        highest: of the unit's logarithm over the training rows; no row gets more.
        scores: float64 `(n,)`, those of the training rows, ascending.
    """

    intercept: float
    coefficients: FloatArray
    lowest: float
    highest: float
    scores: FloatArray

    @classmethod
    def learn(cls, residual: FloatArray, difficulty: FloatArray, *, random_state: int) -> CalibratedPattern:
        """Learn from rows whose model had not seen them.

        Args:
            residual: float64 `(n,)`, n at least 1, absolute, in standard deviations of the target.
            difficulty: float64 `(n, p)`.
            random_state: seed of the folds.

        Returns:
            the calibration; the same seed gives the same.
        """
        from sklearn.linear_model import RidgeCV
        from sklearn.model_selection import KFold, cross_val_predict
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if len(residual) < FEWEST_ROWS_FOR_DIFFICULTY:
            return cls(0.0, np.zeros(difficulty.shape[1]), 0.0, 0.0, np.sort(residual))
        log_residual = np.log(residual + _FLOOR * max(np.median(residual), _NOISE))
        model = make_pipeline(StandardScaler(), RidgeCV(_PENALTIES))
        # Rows that the ridge has learned from also bent it their way; by its units their scores would be too small.
        folds = KFold(_NUM_FOLDS, shuffle=True, random_state=random_state)
        unseen = cross_val_predict(model, difficulty, log_residual, cv=folds)
        seen = model.fit(difficulty, log_residual).predict(difficulty)
        lowest, highest = float(seen.min()), float(seen.max())
        scores = np.sort(residual / np.exp(np.clip(unseen, lowest, highest)))
        scaler, ridge = model[0], model[1]
        coefficients = ridge.coef_ / scaler.scale_
        return cls(float(ridge.intercept_ - scaler.mean_ @ coefficients), coefficients, lowest, highest, scores)

    @property
    def highest_coverage(self) -> float:
        """The most that n scores can promise: a new row is beyond all of them with a probability of 1 / (n + 1)."""
        return len(self.scores) / (len(self.scores) + 1)

    def half_width(self, difficulty: FloatArray, coverage: float) -> FloatArray:
        """Return how far the interval reaches to each side, each row by itself.

        Args:
            difficulty: float64 `(n, p)`.
            coverage: above 0, at most `highest_coverage`.

        Returns:
            float64 `(n,)`, in standard deviations of the target, finite.
        """
        # Column by column: the last bit of a matrix product may depend on the number of rows.
        log_unit = np.full(len(difficulty), self.intercept)
        for coefficient, column in zip(self.coefficients, difficulty.T, strict=True):
            log_unit += coefficient * column
        # A new row exceeds the score of this rank with a probability of at most 1 - coverage. Where the rank is a whole
        # number, rounding must not make it the next one: 0.07 of 100 is 7.000000000000001.
        rank = math.ceil((len(self.scores) + 1) * coverage * (1 - _ROUNDING))
        return self.scores[rank - 1] * np.exp(np.clip(log_unit, self.lowest, self.highest))

    def get_state(self) -> dict[str, Any]:
        """Return all that was learned as a JSON-able dict, without the name."""
        return {name: np.asarray(value).tolist() for name, value in vars(self).items()}

    @classmethod
    def from_state(cls, state: dict[str, Any], what: str, *, num_inputs: int) -> CalibratedPattern:
        """Rebuild what `get_state` told, with the field "name" beside it.

        Args:
            state: any object.
            what: what it should be, for the error message.
            num_inputs: number of coefficients.

        Raises:
            ValueError: a field is missing or out of range.
        """
        check_fields(state, what, _FIELDS)
        intercept, lowest, highest = (float(state[name]) for name in _NUMBERS)
        coefficients, scores = (np.array(state[name], dtype=np.float64) for name in _LISTS)
        problems = []
        if len(coefficients) != num_inputs:
            problems.append(f"expected {num_inputs} coefficients, got {len(coefficients)}")
        if not -_FARTHEST_LOG <= lowest <= highest <= _FARTHEST_LOG:
            problems.append(f"expected -{_FARTHEST_LOG:g} <= lowest <= highest <= {_FARTHEST_LOG:g}")
        if not len(scores) or scores[0] < 0 or (np.diff(scores) < 0).any():
            problems.append("expected at least one score, none negative, in ascending order")
        if max(np.abs([intercept, *coefficients, *scores[-1:]])) > LARGEST:
            problems.append(f"expected numbers of at most {LARGEST:g}")
        if problems:
            raise ValueError(f"{what}: {'; '.join(problems)}; fit and save it again")
        return cls(intercept, coefficients, lowest, highest, scores)
