"""How sure a prediction is: intervals calibrated on predictions of rows that their model had not seen.

`IntervalCalibrator` learns from out-of-fold predictions how far off predictions are, and how far off those of which
rows; `coverage_table` tells on held-out rows whether the intervals keep what they promise. Arrays in, arrays out: who
made the predictions does not matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixed_data.intervals.interval_coverage import coverage_table, value_bands

if TYPE_CHECKING:
    from mixed_data.intervals.interval_calibrator import IntervalCalibrator

__all__ = ["IntervalCalibrator", "coverage_table", "value_bands"]


def __getattr__(name: str) -> Any:
    """Import `IntervalCalibrator`, which is a scikit-learn estimator, when it is first asked for."""
    if name in __all__:
        from mixed_data.intervals import interval_calibrator

        return getattr(interval_calibrator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
