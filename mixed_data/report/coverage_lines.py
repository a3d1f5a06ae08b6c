"""How often the interval of a prediction holds the actual value, overall and in each group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from mixed_data.intervals import coverage_table
from mixed_data.report.row_groups import Group, Grouping

NOMINAL = 90.0
"""Percent of new rows that `lower` and `upper` of predictions.csv promise to hold."""


@dataclass(frozen=True)
class CoverageLine:
    """Coverage of some rows.

    Attributes:
        label: of the rows.
        num_rows: how many they are.
        covered: percent of them whose target lies in the interval, ends included.
        bounds: 95 % interval of that percentage (Wilson).
        median_width: of the intervals, target units.
        relative_width: mean width in percent of the prediction; NaN where a prediction is 0.
    """

    label: str
    num_rows: int
    covered: float
    bounds: tuple[float, float]
    median_width: float
    relative_width: float


def count_coverage(rows: pd.DataFrame, groupings: Sequence[Grouping] = ()) -> list[CoverageLine]:
    """Count covered rows: all of them, then each group of each grouping.

    Args:
        rows: ``target``, ``prediction``, ``lower`` and ``upper``.
        groupings: of the rows.
    """
    groups = [Group("all rows", np.arange(len(rows))), *(group for part in groupings for group in part.groups)]
    return [_count_group(group.label, rows.iloc[group.rows]) for group in groups]


def _count_group(label: str, rows: pd.DataFrame) -> CoverageLine:
    line = coverage_table(rows["target"], rows["prediction"], rows["lower"], rows["upper"]).iloc[0]
    share = binomtest(round(line["coverage"] * len(rows) / 100), len(rows)).proportion_ci(method="wilson")
    bounds = (100 * float(share.low), 100 * float(share.high))
    return CoverageLine(label, len(rows), line["coverage"], bounds, line["median_width"], line["mean_relative_width"])
