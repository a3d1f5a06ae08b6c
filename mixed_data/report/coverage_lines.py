"""How often the interval of a prediction holds the actual value, overall and in each group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from mixed_data.intervals import coverage_table
from mixed_data.report.row_groups import Group, Grouping

NOMINAL = 90.0
"""Percent of new rows that `lower` and `upper` of predictions.csv promise to hold."""


def has_intervals(rows: pd.DataFrame) -> pd.Series:
    """Return which rows of predictions.csv have both ends of an interval, bool ``(n,)``."""
    return rows.reindex(columns=["lower", "upper"]).notna().all(axis="columns")


def count_coverage(rows: pd.DataFrame, groupings: Sequence[Grouping] = ()) -> list[dict[str, Any]]:
    """Count covered rows: all of them, then each group of each grouping.

    Args:
        rows: ``target``, ``prediction``, ``lower`` and ``upper``.
        groupings: of the rows.

    Returns:
        One line per group: its ``label``, the columns of `mixed_data.intervals.coverage_table`, and ``low`` and
        ``high``, the 95 % interval of the coverage (Wilson), percent.
    """
    lines = []
    for group in [Group("all rows", np.arange(len(rows))), *(group for part in groupings for group in part.groups)]:
        part = rows.iloc[group.rows]
        line = coverage_table(part["target"], part["prediction"], part["lower"], part["upper"]).iloc[0]
        share = binomtest(round(line["coverage"] * len(part) / 100), len(part)).proportion_ci(method="wilson")
        lines.append({**line, "label": group.label, "low": 100 * float(share.low), "high": 100 * float(share.high)})
    return lines
