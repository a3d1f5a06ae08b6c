"""Intervals learned from out-of-fold predictions, as scikit-learn's other estimators are."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mixed_data.intervals.calibrated_intervals import CalibratedIntervals


class IntervalCalibrator(CalibratedIntervals, BaseEstimator):  # noqa: D101 - below
    __doc__ = CalibratedIntervals.__doc__

    def check_fitted(self) -> None:
        """Check that something was learned."""
        check_is_fitted(self)
