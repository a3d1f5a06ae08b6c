"""How sure a prediction is: intervals calibrated on predictions of rows that their model had not seen.

`IntervalCalibrator` learns from out-of-fold predictions how far off predictions are, and how far off those of which
rows; `coverage_table` tells on held-out rows whether the intervals keep what they promise. Arrays in, arrays out: who
made the predictions does not matter.
"""

from mixed_data.intervals.interval_calibrator import IntervalCalibrator
from mixed_data.intervals.interval_coverage import coverage_table, value_bands

__all__ = ["IntervalCalibrator", "coverage_table", "value_bands"]
